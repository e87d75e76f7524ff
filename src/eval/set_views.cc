#include "eval/set_evaluation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace brevet {
namespace {

constexpr std::size_t kShownDecisions = 10;
constexpr std::size_t kTopicsShown = 60;

/// Two-sided 95% quantile of Student's t.
double student_975(std::size_t freedom) {
  static constexpr double kTable[] = {12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228,
                                      2.201,  2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086,
                                      2.080,  2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042};
  // Beyond the table within .001 of the true value.
  return freedom <= std::size(kTable) ? kTable[freedom - 1] : 1.96 + 2.46 / static_cast<double>(freedom);
}

/// Mean over orders with Student's interval for them; none from one order.
std::optional<Measured> over_seeds(const std::vector<double>& values) {
  if (values.empty() || has_unknown(values)) return std::nullopt;
  Measured out;
  out.mean = mean_of(values);
  out.n = values.size();
  if (values.size() < 2) return out;
  double squares = 0;
  for (const double value : values) squares += (value - out.mean) * (value - out.mean);
  const auto n = static_cast<double>(values.size());
  const double half = student_975(values.size() - 1) * std::sqrt(squares / (n - 1) / n);
  out.ci95 = Range{out.mean - half, out.mean + half};
  return out;
}

double times_asked(const Stream& stream, std::size_t question) {
  return std::max<double>(1, stream.count[question]);
}

}  // namespace

void SetEvaluation::add_learning_curve(const Plan& plan) {
  LearningCurve curve;
  curve.strategy = plan.strategy.text;
  for (std::size_t mark = 0; mark < streams_[plan.point].marks.size(); ++mark) {
    std::vector<double> quality, share, cost, all;
    for (std::size_t seed = 0; seed < options_.seeds; ++seed) {
      const auto& at = streams_[plan.point + seed].marks[mark];
      quality.push_back(at.quality);
      share.push_back(at.strong_share);
      cost.push_back(at.strong_cost > 0 ? at.cost / at.strong_cost : kNaN);
      all.push_back(at.strong_cost > 0 ? at.cost_with_learning / at.strong_cost : kNaN);
    }
    curve.points.push_back({streams_[plan.point].marks[mark].requests, over_seeds(quality), over_seeds(share),
                            over_seeds(cost), over_seeds(all)});
  }
  report_.learning.push_back(std::move(curve));
}

void SetEvaluation::add_fitted_curve(const std::string& strategy, const std::vector<double>& scores,
                                     double threshold, std::optional<double> labels_usd) {
  std::vector<std::size_t> place(set_->size());
  for (std::size_t q = 0; q < test_.questions.size(); ++q) place[test_.questions[q]] = q;
  struct Values {
    std::vector<double> quality, share, cost, all;
  };
  std::map<std::uint64_t, Values> at;  // by requests
  for (std::size_t seed = 0; seed < options_.seeds; ++seed) {
    const auto order = order_of(seed);
    double quality = 0;
    double strong = 0;
    double cost = 0;
    double strong_cost = 0;
    for (std::size_t i = 0; i < order.size(); ++i) {
      const auto q = place[order[i].question];
      const bool to_strong = scores[q] >= threshold;
      quality += to_strong ? test_.strong[q] : test_.weak[q];
      strong += to_strong ? 1 : 0;
      if (test_.costs_known()) {
        cost += to_strong ? test_.strong_cost[q] : test_.weak_cost[q];
        strong_cost += test_.strong_cost[q];
      }
      const auto requests = i + 1;
      if (requests != 1'000 && requests != 5'000 && requests != order.size()) continue;
      const auto n = static_cast<double>(requests);
      auto& values = at[requests];
      values.quality.push_back(quality / n);
      values.share.push_back(strong / n);
      values.cost.push_back(strong_cost > 0 ? cost / strong_cost : kNaN);
      values.all.push_back(strong_cost > 0 ? (cost + labels_usd.value_or(kNaN)) / strong_cost : kNaN);
    }
  }
  LearningCurve curve;
  curve.strategy = strategy;
  for (const auto& [requests, values] : at) {
    curve.points.push_back({requests, over_seeds(values.quality), over_seeds(values.share),
                            over_seeds(values.cost), over_seeds(values.all)});
  }
  report_.learning.push_back(std::move(curve));
}

void SetEvaluation::add_topics() {
  auto& table = report_.topics;
  std::map<std::uint32_t, std::vector<std::size_t>> places;
  for (std::size_t q = 0; q < test_.questions.size(); ++q)
    places[set_->topic(test_.questions[q])].push_back(q);
  std::vector<std::pair<std::uint32_t, std::vector<std::size_t>>> topics(places.begin(), places.end());
  std::stable_sort(topics.begin(), topics.end(),
                   [](const auto& a, const auto& b) { return a.second.size() > b.second.size(); });
  if (topics.size() > kTopicsShown) topics.resize(kTopicsShown);
  for (const auto& sums : for_topics_) {
    if (!sums.strategy.starts_with("always_")) table.strategies.push_back(sums.strategy);
  }
  for (const auto& [topic, questions] : topics) {
    TopicRow row;
    row.topic = set_->topics()[topic];
    row.n = questions.size();
    double weak = 0;
    double strong = 0;
    for (const auto q : questions) weak += test_.weak[q], strong += test_.strong[q];
    row.weak = weak / static_cast<double>(row.n);
    row.strong = strong / static_cast<double>(row.n);
    for (const auto& sums : for_topics_) {
      if (sums.strategy.starts_with("always_")) continue;
      TopicRow::Cell cell;
      cell.quality = sums.quality[topic] / sums.count[topic];
      cell.strong_share = sums.strong[topic] / sums.count[topic];
      if (*row.strong > 0) cell.retention = *cell.quality / *row.strong;
      row.cells.push_back(cell);
    }
    table.rows.push_back(std::move(row));
  }
}

/// Of the first order of a strategy: what cost most, and what cost quality most.
void SetEvaluation::add_decisions(const Plan& plan) {
  const auto& stream = streams_[plan.point];
  if (stream.reasons.empty()) return;
  const auto show = [&](std::size_t q) {
    ShownDecision out;
    const auto question = test_.questions[q];
    out.strategy = plan.strategy.text;
    if (!plan.setting.empty()) out.strategy += " at " + plan.setting;
    out.question_id = set_->record(question).id;
    out.topic = set_->topics()[set_->topic(question)];
    out.prompt = set_->record(question).prompt.substr(0, 4 * kShownPromptBytes);
    const bool strong = stream.strong[q] > 0;
    out.served_by = strong ? set_->models().back() : set_->models().front();
    out.reason = stream.reasons[q];
    out.score = stream.quality[q] / times_asked(stream, q);
    out.alternative = strong ? test_.weak[q] : test_.strong[q];
    const double cost = (stream.cost[q] + stream.learning[q]) / times_asked(stream, q);
    if (!std::isnan(cost)) {
      out.cost_usd = cost;
      if (test_.costs_known() && test_.strong_cost[q] > 0) out.cost_rel = cost / test_.strong_cost[q];
    }
    return out;
  };
  std::vector<std::size_t> places(test_.questions.size());
  for (std::size_t q = 0; q < places.size(); ++q) places[q] = q;
  const auto take_first = [&](auto more, std::vector<ShownDecision>& to, auto worth) {
    auto sorted = places;
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](std::size_t a, std::size_t b) { return more(a) > more(b); });
    for (std::size_t i = 0; i < std::min(kShownDecisions, sorted.size()); ++i) {
      if (worth(sorted[i])) to.push_back(show(sorted[i]));
    }
  };
  const auto cost = [&](std::size_t q) {
    const double all = (stream.cost[q] + stream.learning[q]) / times_asked(stream, q);
    return std::isnan(all) ? -1 : all;
  };
  take_first(cost, report_.costly, [&](std::size_t q) { return cost(q) >= 0; });
  const auto lost = [&](std::size_t q) {
    const double other = stream.strong[q] > 0 ? test_.weak[q] : test_.strong[q];
    return other - stream.quality[q] / times_asked(stream, q);
  };
  // Among equal losses those that a contract would call its own fault come first: weak served.
  take_first([&](std::size_t q) { return lost(q) + (stream.strong[q] > 0 ? 0 : 1e-6); }, report_.wrong,
             [&](std::size_t q) { return lost(q) > 0; });
}

}  // namespace brevet
