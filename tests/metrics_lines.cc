// The metrics of src/eval for tests/metrics_reference.py: reads one case a line as JSON, writes its figures
// as one line of JSON. Keys and their meaning are those of tools/reference_metrics.py, which computes the
// same another way.
#include <simdjson.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "eval/metrics.h"
#include "eval/play_stats.h"
#include "eval/report_format.h"

namespace {

using simdjson::dom::element;
using simdjson::dom::object;

std::optional<double> number(element value) {
  double out = 0;
  if (value.get(out)) return std::nullopt;
  return out;
}

std::vector<double> numbers(object at, const char* key) {
  std::vector<double> out;
  simdjson::dom::array list;
  if (at[key].get(list)) return out;
  for (const auto item : list) out.push_back(number(item).value_or(0));
  return out;
}

template <class T>
std::vector<T> whole_numbers(object at, const char* key) {
  std::vector<T> out;
  for (const double value : numbers(at, key)) out.push_back(static_cast<T>(value));
  return out;
}

class Answer {
 public:
  void put(const std::string& name, const std::optional<double>& value) {
    key(name);
    out_ += value ? brevet::json_number(*value) : "null";
  }
  void put(const std::string& name, const std::vector<std::optional<double>>& values) {
    key(name);
    out_ += '[';
    for (std::size_t i = 0; i < values.size(); ++i)
      out_ += (i ? "," : "") + (values[i] ? brevet::json_number(*values[i]) : "null");
    out_ += ']';
  }
  std::string take() { return out_ + "}"; }

 private:
  void key(const std::string& name) {
    out_ += (out_.size() > 1 ? "," : "") + brevet::json_quoted(name) + ":";
  }
  std::string out_ = "{";
};

using Values = std::vector<std::optional<double>>;

void put_curve(Answer& answer, const std::string& prefix, const brevet::Curve& curve,
               const std::optional<double>& cost_min, const std::optional<double>& cost_max,
               const std::vector<double>& at_shares) {
  Values share, quality, cost;
  for (const auto& point : curve) {
    share.emplace_back(point.strong_share);
    quality.emplace_back(point.quality);
    cost.push_back(point.cost);
  }
  answer.put(prefix + "share", share);
  answer.put(prefix + "quality", quality);
  answer.put(prefix + "cost", cost);
  answer.put(prefix + "apgr", brevet::apgr(curve));
  answer.put(prefix + "cpt50", brevet::cpt(curve, .5));
  answer.put(prefix + "cpt80", brevet::cpt(curve, .8));
  if (cost_min && cost_max) answer.put(prefix + "aiq", brevet::aiq(curve, *cost_min, *cost_max));
  Values quality_at, cost_at;
  for (const double at : at_shares) {
    quality_at.push_back(brevet::quality_at_share(curve, at));
    cost_at.push_back(brevet::cost_at_share(curve, at));
  }
  answer.put(prefix + "quality_at", quality_at);
  answer.put(prefix + "cost_at", cost_at);
}

void put_sweep(Answer& answer, object at) {
  brevet::SweptQuestions questions;
  questions.score = numbers(at, "score");
  questions.weak_quality = numbers(at, "weak_quality");
  questions.strong_quality = numbers(at, "strong_quality");
  questions.weak_cost = numbers(at, "weak_cost");
  questions.strong_cost = numbers(at, "strong_cost");
  brevet::Curve curve;
  brevet::StaticSweep(questions).sweep(whole_numbers<std::uint32_t>(at, "weights"), curve);
  put_curve(answer, "sweep_", curve, number(at["cost_min"].value()), number(at["cost_max"].value()),
            numbers(at, "at_shares"));
  std::vector<bool> gains;
  for (std::size_t i = 0; i < questions.score.size(); ++i)
    gains.push_back(questions.strong_quality[i] > questions.weak_quality[i]);
  answer.put("auroc", brevet::auroc(questions.score, gains));
}

brevet::DialPoint dial_point(element value) {
  const simdjson::dom::array list = value.get_array().value();
  return {number(list.at(0).value()).value_or(0), number(list.at(1).value()).value_or(0),
          number(list.at(2).value())};
}

void put_dial(Answer& answer, object at) {
  std::vector<brevet::DialPoint> points;
  const simdjson::dom::array list = at["points"].get_array().value();
  for (const auto item : list) points.push_back(dial_point(item));
  const auto weak = dial_point(at["always_weak"].value()), strong = dial_point(at["always_strong"].value());
  put_curve(answer, "dial_", brevet::anchored_curve(points, weak, strong), number(at["cost_min"].value()),
            number(at["cost_max"].value()), numbers(at, "at_shares"));
  Values pgr, mixture, arena;
  for (const auto& point : points) {
    pgr.push_back(brevet::pgr(point.quality, weak.quality, strong.quality));
    mixture.emplace_back(brevet::mixture_at_share(weak, strong, point.strong_share).quality);
    arena.push_back(point.cost ? std::optional(brevet::router_arena_score(point.quality, *point.cost))
                               : std::nullopt);
  }
  answer.put("dial_pgr", pgr);
  answer.put("dial_mixture", mixture);
  answer.put("dial_arena", arena);
}

void put_table(Answer& answer, object at) {
  brevet::OutcomeTable table;
  const simdjson::dom::array quality = at["quality"].get_array().value(),
                             cost = at["cost"].get_array().value();
  for (std::size_t m = 0; m < quality.size(); ++m) {
    table.models.push_back(std::to_string(m));
    const simdjson::dom::array row = quality.at(m).get_array().value(), paid = cost.at(m).get_array().value();
    table.questions = row.size();
    auto costs = paid.begin();
    for (const auto cell : row) {
      table.cells.push_back({number(cell), number(*costs)});
      ++costs;
    }
  }
  Values single_quality, single_cost, single_n;
  for (const auto& single : brevet::single_models(table)) {
    single_quality.emplace_back(single.quality);
    single_cost.push_back(single.cost);
    single_n.emplace_back(static_cast<double>(single.n));
  }
  answer.put("single_quality", single_quality);
  answer.put("single_cost", single_cost);
  answer.put("single_n", single_n);
  const auto best = brevet::best_single(table);
  answer.put("best_single", best ? std::optional(static_cast<double>(best->model)) : std::nullopt);
  const auto hull = brevet::zero_router_hull(table);
  Values zero, zero_cost;
  for (const double at_cost : numbers(at, "at_costs")) zero.push_back(brevet::hull_quality(hull, at_cost));
  for (const double at_quality : numbers(at, "at_qualities"))
    zero_cost.push_back(brevet::hull_cost(hull, at_quality));
  answer.put("zero_router", zero);
  answer.put("zero_router_cost", zero_cost);
  for (const auto& [name, models] : {std::pair<std::string, std::vector<std::size_t>>{"oracle_all", {}},
                                     {"oracle_some", whole_numbers<std::size_t>(at, "among")}}) {
    const auto oracle = brevet::oracle(table, models);
    answer.put(name + "_quality", oracle.quality);
    answer.put(name + "_cost", oracle.cost);
    Values choice, share;
    for (const auto model : oracle.choice) choice.emplace_back(model);
    for (const double value : oracle.chosen_share) share.emplace_back(value);
    answer.put(name + "_choice", choice);
    answer.put(name + "_share", share);
  }
}

void put_calibration(Answer& answer, object at) {
  const auto out = brevet::calibration(numbers(at, "predicted"), numbers(at, "outcome"));
  answer.put("brier", out ? std::optional(out->brier) : std::nullopt);
  answer.put("ece", out ? std::optional(out->ece) : std::nullopt);
  Values n, predicted, observed;
  if (out) {
    for (const auto& bin : out->bins) {
      n.emplace_back(static_cast<double>(bin.n));
      predicted.emplace_back(bin.predicted);
      observed.emplace_back(bin.observed);
    }
  }
  answer.put("bin_n", n);
  answer.put("bin_predicted", predicted);
  answer.put("bin_observed", observed);
}

void put_groups(Answer& answer, object at) {
  const auto groups =
      brevet::group_figures(whole_numbers<std::uint32_t>(at, "group"), numbers(at, "served"),
                            numbers(at, "weak"), numbers(at, "strong"), numbers(at, "is_strong"));
  Values n, retention, share;
  for (const auto& figures : groups) {
    n.emplace_back(static_cast<double>(figures.n));
    retention.push_back(figures.retention);
    share.emplace_back(figures.strong_share);
  }
  answer.put("group_n", n);
  answer.put("group_retention", retention);
  answer.put("group_share", share);
  const auto worst =
      brevet::worst_group(groups, static_cast<std::size_t>(number(at["n_min"].value()).value_or(1)));
  answer.put("worst_group", worst ? std::optional(static_cast<double>(worst->group)) : std::nullopt);
  answer.put("quantiles",
             Values{brevet::quantile(numbers(at, "served"), .5), brevet::quantile(numbers(at, "weak"), .99),
                    brevet::quantile(numbers(at, "weak"), .01)});
}

}  // namespace

int main() {
  simdjson::dom::parser parser;
  for (std::string line; std::getline(std::cin, line);) {
    object at;
    std::string_view kind;
    if (parser.parse(line).get(at) || at["kind"].get(kind)) {
      std::cerr << "not a case: " << line.substr(0, 200) << '\n';
      return 1;
    }
    Answer answer;
    if (kind == "sweep") put_sweep(answer, at);
    if (kind == "dial") put_dial(answer, at);
    if (kind == "table") put_table(answer, at);
    if (kind == "calibration") put_calibration(answer, at);
    if (kind == "groups") put_groups(answer, at);
    std::puts(answer.take().c_str());
  }
}
