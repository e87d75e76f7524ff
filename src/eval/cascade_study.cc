#include "eval/cascade_study.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "base/random.h"
#include "eval/bootstrap.h"
#include "train/cascade_lists.h"

namespace brevet {
namespace {

constexpr std::size_t kCosts = 60;  ///< points of the curve that are averaged

/// One setting played on the questions of a split's test.
struct PlayedSetting {
  double chosen_cost = 0, chosen_quality = 0;  ///< on what chose it
  std::vector<float> quality;
  std::vector<double> cost;
};

/// The settings of one method on one split, of which only the upper hull of what chose them is kept.
using Curve = std::vector<PlayedSetting>;

/// Indices of the upper hull of (cost, quality), cheapest first.
std::vector<std::size_t> hull_of(const std::vector<std::pair<double, double>>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return points[a].first != points[b].first ? points[a].first < points[b].first
                                              : points[a].second > points[b].second;
  });
  std::vector<std::size_t> out;
  for (const auto i : order) {
    const auto& next = points[i];
    if (!out.empty() && next.second <= points[out.back()].second) continue;
    while (out.size() >= 2) {
      const auto& a = points[out[out.size() - 2]];
      const auto& b = points[out.back()];
      if ((b.second - a.second) * (next.first - b.first) > (next.second - b.second) * (b.first - a.first))
        break;
      out.pop_back();
    }
    out.push_back(i);
  }
  return out;
}

/// Mean quality over costs `low` to `high`, between neighbouring settings by chance.
double area_of(const Curve& curve, const std::vector<std::uint32_t>& weight, double weights, double low,
               double high) {
  std::vector<std::pair<double, double>> points;
  for (const auto& setting : curve) {
    double cost = 0, quality = 0;
    for (std::size_t q = 0; q < weight.size(); ++q) {
      if (weight[q] == 0) continue;
      cost += weight[q] * setting.cost[q];
      quality += weight[q] * static_cast<double>(setting.quality[q]);
    }
    points.emplace_back(cost / weights, quality / weights);
  }
  std::sort(points.begin(), points.end());
  double sum = 0;
  std::size_t k = 0;
  for (std::size_t s = 0; s < kCosts; ++s) {
    const double at = low + (high - low) * (static_cast<double>(s) + .5) / kCosts;
    while (k + 1 < points.size() && points[k + 1].first <= at) ++k;
    double q = points[k].second;
    if (k + 1 < points.size() && points[k].first <= at) {
      q += (points[k + 1].second - q) * (at - points[k].first) / (points[k + 1].first - points[k].first);
    }
    sum += q / kCosts;
  }
  return sum;
}

struct SplitResult {
  std::vector<std::uint32_t> test;
  std::vector<Curve> curves;  ///< [method]
};

class Study {
 public:
  Study(const CascadeData& data, const CascadeStudyOptions& options) : data_(data), options_(options) {
    const std::size_t m = data.configurations.size();
    logprobs_ = true;
    const auto lead = static_cast<std::size_t>(Signal::kMeanLogprob);
    for (std::size_t c = 0; c + 1 < m; ++c) {
      for (const auto& state : data.answers) logprobs_ &= std::isfinite(state.answers[c][lead]);
    }
    names_ = {"mixture", "frugal_cascade", "cascade_routing", "judge"};
    if (logprobs_) names_.push_back("threshold");
    out_.methods.resize(names_.size());
    for (std::size_t k = 0; k < names_.size(); ++k) {
      auto& method = out_.methods[k];
      method.name = names_[k];
      for (const double keep : options.keep) {
        method.bare.push_back({keep});
        method.margin.push_back({keep});
      }
    }
  }

  Result<> add(const CascadeSplit& split) {
    SplitResult result;
    result.test = split.test;
    result.curves.resize(names_.size());
    CascadeFitOptions fit;
    fit.fitting = split.fitting;
    fit.calibration = split.calibration;
    fit.question = options_.question;
    fit.seed = options_.seed + results_.size();
    add_mixture(split, result.curves[0]);
    // The same rows decide the same way for both kinds, so the first that is fitted decides for the others.
    const auto decided = [&](const CascadeMethod& method, std::size_t before) {
      if (fit.question == QuestionUse::kMeasure)
        fit.question = method.splits_with_question > before ? QuestionUse::kAlways : QuestionUse::kNever;
    };
    if (data_.configurations.size() <= kRoutingModelsMax) {
      const auto before = out_.methods[2].splits_with_question;
      fit.kind = kCascadeRouting;
      if (auto done = add_routing(split, fit, result.curves[2]); !done) return done;
      decided(out_.methods[2], before);
    }
    fit.kind = kFrugalCascade;
    if (auto done = add_frugal(split, fit, result.curves[1]); !done) return done;
    add_judge(split, result.curves[3]);
    if (logprobs_) add_threshold(split, result.curves[4]);
    results_.push_back(std::move(result));
    return {};
  }

  CascadeStudy finish() {
    const std::size_t m = data_.configurations.size(), n = data_.answers.size();
    for (std::size_t c = 0; c < m; ++c) {
      out_.model_quality.push_back(std::accumulate(data_.quality[c].begin(), data_.quality[c].end(), 0.0) /
                                   static_cast<double>(n));
      out_.model_cost.push_back(std::accumulate(data_.cost_usd[c].begin(), data_.cost_usd[c].end(), 0.0) /
                                static_cast<double>(n));
    }
    for (std::size_t i = 0; i < n; ++i) {
      float best = 0;
      for (std::size_t c = 0; c < m; ++c) best = std::max(best, data_.quality[c][i]);
      out_.oracle += best / static_cast<double>(n);
    }
    out_.questions = n;
    out_.splits = results_.size();
    const auto splits = static_cast<double>(results_.size());
    out_.accept_auroc /= splits;
    out_.accept_ece /= splits;
    for (auto& method : out_.methods) {
      method.calls /= splits;
      if (method.budgets_broken > 0) method.budget_overshoot /= static_cast<double>(method.budgets_broken);
      for (auto* promises : {&method.bare, &method.margin}) {
        for (auto& p : *promises) {
          // What no setting could promise is served by the reference.
          p.cost_rel = (p.cost_rel + splits - static_cast<double>(p.splits)) / splits;
          if (p.splits > 0) p.retained /= static_cast<double>(p.splits);
        }
      }
    }
    areas();
    return std::move(out_);
  }

 private:
  void add_mixture(const CascadeSplit& split, Curve& curve) {
    const std::size_t m = data_.configurations.size();
    std::vector<std::pair<double, double>> points;
    Curve all;
    for (std::size_t c = 0; c < m; ++c) {
      PlayedSetting setting;
      for (const auto i : split.calibration) {
        setting.chosen_cost += data_.cost_usd[c][i] / static_cast<double>(split.calibration.size());
        setting.chosen_quality += data_.quality[c][i] / static_cast<double>(split.calibration.size());
      }
      for (const auto i : split.test) {
        setting.quality.push_back(data_.quality[c][i]);
        setting.cost.push_back(data_.cost_usd[c][i]);
      }
      points.emplace_back(setting.chosen_cost, setting.chosen_quality);
      all.push_back(std::move(setting));
    }
    for (const auto k : hull_of(points)) curve.push_back(std::move(all[k]));
  }

  template <class Run>
  PlayedSetting played(const CascadeSplit& split, const Run& run, CascadeMethod& method, double share) const {
    PlayedSetting out;
    for (const auto i : split.test) {
      const CascadeRun one = run(i);
      out.quality.push_back(static_cast<float>(one.quality));
      out.cost.push_back(one.cost_usd);
      method.calls += static_cast<double>(one.calls) * share / static_cast<double>(split.test.size());
    }
    return out;
  }

  double reference_mean(const std::vector<std::uint32_t>& rows, const std::vector<float>& of) const {
    double sum = 0;
    for (const auto i : rows) sum += of[i];
    return sum / static_cast<double>(rows.size());
  }
  double reference_cost(const std::vector<std::uint32_t>& rows) const {
    double sum = 0;
    for (const auto i : rows) sum += data_.cost_usd.back()[i];
    return sum / static_cast<double>(rows.size());
  }

  void promise(const CascadeSplit& split, PromiseFigures& figures, const PlayedSetting& setting) const {
    const auto n = static_cast<double>(split.test.size());
    const double quality = std::accumulate(setting.quality.begin(), setting.quality.end(), 0.0) / n;
    const double cost = std::accumulate(setting.cost.begin(), setting.cost.end(), 0.0) / n;
    const double kept = quality / reference_mean(split.test, data_.quality.back());
    ++figures.splits;
    figures.broken += kept < figures.keep ? 1 : 0;
    figures.retained += kept;
    figures.retained_worst = std::min(figures.retained_worst, kept);
    figures.cost_rel += cost / reference_cost(split.test);
  }

  Result<> add_frugal(const CascadeSplit& split, CascadeFitOptions fit, Curve& curve) {
    auto& method = out_.methods[1];
    // Promises and budgets with their margin, and again without one.
    for (const double z : {1.645, 0.0}) {
      fit.z = z;
      const auto artefact = fit_cascade(data_, fit);
      if (!artefact) return fail(artefact.error());
      const auto model = CascadeModel::create(*artefact);
      if (!model) return fail(model.error());
      const auto& lists = (*model)->lists();
      const auto play = [&](const CascadeList& list, double share) {
        return played(
            split, [&](std::uint32_t i) { return run_list(**model, data_, i, list); }, method, share);
      };
      auto& promises = z > 0 ? method.margin : method.bare;
      for (auto& figures : promises) {
        const CascadeList* best = nullptr;
        for (const auto& list : lists) {
          // Stored as float32.
          if (list.retained_low >= figures.keep - 1e-6 && (!best || list.cost_usd < best->cost_usd))
            best = &list;
        }
        if (best) promise(split, figures, play(*best, 0));
      }
      if (z > 0) {
        for (const auto& [name, value] : (*artefact)->info.measured) {
          if (name == "accept_auroc") out_.accept_auroc += value;
          if (name == "accept_ece") out_.accept_ece += value;
          if (name == "reads_question") method.splits_with_question += value > 0 ? 1 : 0;
        }
        for (const auto& list : lists) {
          const auto setting = play(list, 0);
          const double cost = std::accumulate(setting.cost.begin(), setting.cost.end(), 0.0) /
                              static_cast<double>(setting.cost.size());
          ++method.budgets;
          if (cost <= list.budget_usd) continue;
          ++method.budgets_broken;
          method.budget_overshoot += cost / list.budget_usd - 1;
        }
        continue;
      }
      std::vector<std::pair<double, double>> points;
      for (const auto& list : lists) points.emplace_back(list.cost_usd, list.quality);
      const auto hull = hull_of(points);
      for (const auto k : hull) curve.push_back(play(lists[k], 1 / static_cast<double>(hull.size())));
    }
    return {};
  }

  Result<> add_routing(const CascadeSplit& split, const CascadeFitOptions& fit, Curve& curve) {
    auto& method = out_.methods[2];
    const auto artefact = fit_cascade(data_, fit);
    if (!artefact) return fail(artefact.error());
    const auto model = CascadeModel::create(*artefact);
    if (!model) return fail(model.error());
    for (const auto& [name, value] : (*artefact)->info.measured) {
      if (name == "reads_question") method.splits_with_question += value > 0 ? 1 : 0;
    }
    const auto& points = (*model)->points();
    const auto play = [&](std::size_t point, double share) {
      return played(
          split, [&](std::uint32_t i) { return run_routing(**model, data_, i, point); }, method, share);
    };
    const double reference = reference_mean(split.calibration, data_.quality.back());
    for (std::size_t k = 0; k < options_.keep.size(); ++k) {
      std::optional<std::size_t> bare, margin;
      for (std::size_t s = 0; s < points.size(); ++s) {
        const auto& p = points[s];
        if (p.quality >= options_.keep[k] * reference - 1e-6 &&
            (!bare || p.cost_usd < points[*bare].cost_usd))
          bare = s;
        if (p.retained_low >= options_.keep[k] && (!margin || p.cost_usd < points[*margin].cost_usd))
          margin = s;
      }
      if (bare) promise(split, method.bare[k], play(*bare, 0));
      if (margin) promise(split, method.margin[k], play(*margin, 0));
    }
    std::vector<std::pair<double, double>> chosen;
    for (const auto& p : points) chosen.emplace_back(p.cost_usd, p.quality);
    const auto hull = hull_of(chosen);
    for (const auto s : hull) curve.push_back(play(s, 1 / static_cast<double>(hull.size())));
    return {};
  }

  /// RouterBench's cascade (arXiv 2403.12031): a judge that knows the truth and errs at a rate decides after
  /// each model; the settings are how many models may be asked.
  void add_judge(const CascadeSplit& split, Curve& curve) {
    const std::size_t m = data_.configurations.size();
    for (std::size_t most = 1; most <= m; ++most) {
      PlayedSetting setting;
      for (const auto i : split.test) {
        double cost = 0;
        std::size_t c = 0;
        for (;; ++c) {
          cost += data_.cost_usd[c][i];
          if (c + 1 == most) break;
          const double coin = static_cast<double>(mix_bits(options_.seed * 1000 + c, i) >> 11) * 0x1p-53;
          const bool right = data_.quality[c][i] >= .5F;
          if (right != (coin < options_.judge_error)) break;
        }
        setting.quality.push_back(data_.quality[c][i]);
        setting.cost.push_back(cost);
        out_.methods[3].calls += static_cast<double>(c + 1) / static_cast<double>(split.test.size() * m);
      }
      curve.push_back(std::move(setting));
    }
  }

  /// Every model in turn, on by the log-probability alone; thresholds chosen on all questions that are not
  /// test, for it fits nothing.
  void add_threshold(const CascadeSplit& split, Curve& curve) {
    auto& method = out_.methods[4];
    const std::size_t m = data_.configurations.size();
    std::vector<std::size_t> stages(m);
    std::iota(stages.begin(), stages.end(), std::size_t{0});
    if (m > 3) stages = {0, m / 2, m - 1};
    const auto lead = static_cast<std::size_t>(Signal::kMeanLogprob);
    auto rows = split.fitting;
    rows.insert(rows.end(), split.calibration.begin(), split.calibration.end());
    StageTable table;
    for (std::size_t s = 0; s < stages.size(); ++s) {
      const auto c = stages[s];
      auto& reward = table.reward.emplace_back();
      auto& cost = table.cost.emplace_back();
      for (const auto i : rows) reward.push_back(data_.quality[c][i]), cost.push_back(data_.cost_usd[c][i]);
      if (s + 1 == stages.size()) break;
      auto& accept = table.accept.emplace_back();
      for (const auto i : rows) accept.push_back(data_.answers[i].answers[c][lead]);
    }
    for (const auto i : rows) table.reference.push_back(data_.quality.back()[i]);
    const auto play = [&](const ListSetting& setting, double share) {
      return played(
          split,
          [&](std::uint32_t i) {
            CascadeRun run;
            for (std::size_t s = 0; s < stages.size(); ++s) {
              const auto c = stages[s];
              run.cost_usd += data_.cost_usd[c][i];
              run.quality = data_.quality[c][i];
              ++run.calls;
              if (s < setting.thresholds.size() && data_.answers[i].answers[c][lead] >= setting.thresholds[s])
                break;
            }
            return run;
          },
          method, share);
    };
    for (std::size_t k = 0; k < options_.keep.size(); ++k) {
      const double keep[] = {options_.keep[k]};
      if (const auto bare = cheapest_that_keep(table, keep, 0)[0])
        promise(split, method.bare[k], play(*bare, 0));
      if (const auto margin = cheapest_that_keep(table, keep, 1.645)[0])
        promise(split, method.margin[k], play(*margin, 0));
    }
    std::vector<ListSetting> settings;
    std::vector<std::pair<double, double>> points;
    // The best of each narrow band of cost is enough for the hull.
    std::map<long, std::size_t> band;
    const double width = reference_cost(rows) / 400;
    for_each_setting(table, [&](const ListSetting& setting) {
      const auto at = std::lround(setting.cost / width);
      const auto found = band.find(at);
      if (found != band.end() && settings[found->second].reward >= setting.reward) return;
      if (found != band.end()) {
        settings[found->second] = setting;
        points[found->second] = {setting.cost, setting.reward};
        return;
      }
      band.emplace(at, settings.size());
      settings.push_back(setting);
      points.emplace_back(setting.cost, setting.reward);
    });
    const auto hull = hull_of(points);
    for (const auto k : hull) curve.push_back(play(settings[k], 1 / static_cast<double>(hull.size())));
  }

  void areas() {
    const std::size_t n = data_.answers.size(), methods = names_.size();
    const double low = *std::min_element(out_.model_cost.begin(), out_.model_cost.end());
    const double high = *std::max_element(out_.model_cost.begin(), out_.model_cost.end());
    const std::size_t threshold = logprobs_ ? methods - 1 : 0;
    // Areas, then differences to the threshold, then to the mixture.
    BootstrapOptions bootstrap;
    bootstrap.rounds = options_.bootstrap_rounds;
    bootstrap.seed = options_.seed;
    bootstrap.threads = 2;
    bootstrap.cluster = data_.cluster;
    const auto figures = bootstrap_weighted(
        n, results_.size(), 3 * methods,
        [&](std::span<const std::uint32_t> weights, std::span<const std::uint32_t> seeds,
            std::span<std::optional<double>> out) {
          std::vector<double> area(methods, 0);
          double splits = 0;
          std::map<std::uint32_t, double> drawn;
          for (const auto s : seeds) ++drawn[s];
          for (const auto& [s, times] : drawn) {
            const auto& result = results_[s];
            std::vector<std::uint32_t> weight;
            double total = 0;
            for (const auto i : result.test) weight.push_back(weights[i]), total += weights[i];
            if (!(total > 0)) continue;
            splits += times;
            for (std::size_t k = 0; k < methods; ++k) {
              if (!result.curves[k].empty())
                area[k] += times * area_of(result.curves[k], weight, total, low, high);
            }
          }
          if (!(splits > 0)) return;
          for (std::size_t k = 0; k < methods; ++k) {
            if (results_.front().curves[k].empty()) continue;
            out[k] = area[k] / splits;
            out[methods + k] = (area[k] - area[threshold]) / splits;
            out[2 * methods + k] = (area[k] - area[0]) / splits;
          }
        },
        bootstrap);
    for (std::size_t k = 0; k < methods; ++k) {
      auto& method = out_.methods[k];
      if (figures[k]) method.area = *figures[k];
      if (logprobs_ && k != threshold) method.over_threshold = figures[methods + k];
      if (k != 0) method.over_mixture = figures[2 * methods + k];
    }
  }

  const CascadeData& data_;
  const CascadeStudyOptions& options_;
  bool logprobs_ = false;
  std::vector<std::string> names_;
  std::vector<SplitResult> results_;
  CascadeStudy out_;
};

}  // namespace

Result<CascadeStudy> study_cascades(const CascadeData& data, const std::vector<CascadeSplit>& splits,
                                    const CascadeStudyOptions& options) {
  Study study(data, options);
  std::size_t done = 0;
  for (const auto& split : splits) {
    if (auto added = study.add(split); !added) return fail(added.error());
    if (options.progress && !options.progress(++done))
      return fail(ErrorKind::kCancelled, "interrupted", "The study was stopped before its end.");
  }
  return study.finish();
}

}  // namespace brevet
