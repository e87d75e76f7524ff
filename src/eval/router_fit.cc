#include "eval/router_fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <limits>

#include "strategy/checked_options.h"

namespace brevet {
namespace {

bool knows(const std::vector<OptionSpec>& options, const std::string& name) {
  return std::any_of(options.begin(), options.end(), [&](const OptionSpec& one) { return one.name == name; });
}

/// One of the names that an option may have; empty = another one.
template <class Value>
std::optional<Value> one_of(const OptionValue& told,
                            std::initializer_list<std::pair<const char*, Value>> known) {
  const auto* text = std::get_if<std::string>(&told);
  if (!text) return std::nullopt;
  for (const auto& [name, value] : known) {
    if (*text == name) return value;
  }
  return std::nullopt;
}

/// Takes `labels` and `inputs` out of the options.
Result<> take_study_options(EvalStrategy& strategy) {
  const auto bad = [&](const char* option, const char* known) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("Option '{}' of strategy '{}' is one of {}.", option, strategy.name, known),
                option);
  };
  if (const auto told = strategy.options.find("labels"); told != strategy.options.end()) {
    const auto rule = one_of<LabelRule>(told->second, {{"gain", LabelRule::kGain},
                                                       {"weak_fails", LabelRule::kWeakFails},
                                                       {"wins", LabelRule::kWins},
                                                       {"decided", LabelRule::kDecided}});
    if (!rule) return bad("labels", "gain, weak_fails, wins, decided");
    strategy.labels = *rule;
    strategy.trained = true;
    strategy.options.erase(told);
  }
  if (const auto told = strategy.options.find("inputs"); told != strategy.options.end()) {
    const auto inputs = one_of<RouterInputs>(told->second, {{"embedding", RouterInputs::kEmbedding},
                                                            {"shape", RouterInputs::kShape},
                                                            {"static", RouterInputs::kStatic}});
    if (!inputs) return bad("inputs", "embedding, shape, static");
    strategy.inputs = *inputs;
    strategy.trained = true;
    strategy.options.erase(told);
  }
  return {};
}

FitData labelled(const QuestionSet& set, const std::vector<std::uint32_t>& questions,
                 const std::vector<std::size_t>& candidates) {
  FitData out;
  out.encoder_hash = set.encoder_hash();
  out.data_hash = fmt::format("{:016x}", set.content_hash());
  out.quality.resize(candidates.size());
  out.cost_usd.resize(candidates.size());
  for (const auto question : questions) {
    out.features.push_back(set.prepared(question, 0).features);
    out.cluster.push_back(set.clusters().of[question]);
  }
  bool sampled = false;
  for (std::size_t c = 0; c < candidates.size(); ++c) {
    const auto& model = set.models()[candidates[c]];
    out.configurations.push_back(model);
    auto& samples = out.samples.emplace_back();
    for (const auto question : questions) {
      out.quality[c].push_back(static_cast<float>(set.score(question, candidates[c])));
      const auto cost = set.cost(question, candidates[c]).amount;
      out.cost_usd[c].push_back(cost ? cost->usd() : kNaN);
      const auto* outcome = set.record(question).outcome(model);
      auto& of_question = samples.emplace_back();
      for (const double score : outcome->sample_scores) of_question.push_back(static_cast<float>(score));
      sampled = sampled || !of_question.empty();
    }
  }
  if (!sampled) out.samples.clear();
  return out;
}

/// What all labels cost together; empty when one cost is unknown.
std::optional<double> labels_cost(const FitData& data) {
  double sum = 0;
  for (const auto& model : data.cost_usd) sum += sum_of(model);
  if (std::isnan(sum)) return std::nullopt;
  return sum;
}

}  // namespace

const FitKind* fit_kind_of(const std::string& name) {
  for (const auto& kind : fit_kinds()) {
    if (kind.name == name) return &kind;
  }
  return nullptr;
}

Result<> take_router_options(EvalStrategy& strategy) {
  constexpr const char* kTrained = "trained";
  const auto* kind = kind_of(strategy.name);
  const auto* fit = fit_kind_of(strategy.name);
  if (!kind || !fit || !kind->make_trained) return {};
  strategy.trained = !kind->make;
  if (kind->make) {
    for (const auto& [name, value] : strategy.options) {
      if (knows(fit->options, name) && !knows(kind->options, name)) strategy.trained = true;
    }
    if (const auto told = strategy.options.find(kTrained); told != strategy.options.end()) {
      const auto* wanted = std::get_if<bool>(&told->second);
      if (!wanted) {
        return fail(ErrorKind::kCallerInvalid, "bad_option",
                    fmt::format("Option 'trained' of strategy '{}' is true or false.", strategy.name),
                    kTrained);
      }
      strategy.trained = *wanted;
      strategy.options.erase(told);
    }
  }
  if (auto done = take_study_options(strategy); !done) return done;
  if (!strategy.trained) return {};
  const auto& of_strategy = kind->trained_options.empty() ? kind->options : kind->trained_options;
  auto both = fit->options;
  both.insert(both.end(), of_strategy.begin(), of_strategy.end());
  if (auto checked = checked_options(strategy.name, both, strategy.options); !checked)
    return fail(checked.error());
  for (const auto& option : fit->options) {
    const auto given = strategy.options.find(option.name);
    if (given == strategy.options.end()) continue;
    strategy.router_options.insert(*given);
    strategy.options.erase(given);
  }
  return {};
}

RouterData router_data(const QuestionSet& set, const std::vector<std::uint32_t>& questions) {
  RouterData out;
  std::vector<std::size_t> all(set.models().size());
  for (std::size_t m = 0; m < all.size(); ++m) all[m] = m;
  out.all = labelled(set, questions, all);
  if (all.size() > 2) out.pair = labelled(set, questions, {0, all.size() - 1});
  return out;
}

RouterData seen_as(RouterData data, const QuestionSet& set, const std::vector<std::uint32_t>& questions,
                   RouterInputs inputs) {
  for (auto* fit : {&data.all, &data.pair}) {
    for (std::size_t i = 0; i < fit->features.size(); ++i) fit->features[i] = set.seen(questions[i], inputs);
  }
  return data;
}

FitData labelled_by(FitData data, LabelRule rule) {
  if (rule == LabelRule::kGain || data.quality.empty()) return data;
  data.samples.clear();
  auto& weak = data.quality.front();
  auto& strong = data.quality.back();
  for (std::size_t i = 0; i < weak.size(); ++i) {
    if (std::isnan(weak[i]) || std::isnan(strong[i])) continue;
    const bool tie = weak[i] == strong[i];
    const bool better = strong[i] > weak[i];
    switch (rule) {
      case LabelRule::kGain:
        break;
      case LabelRule::kWeakFails:
        strong[i] = 1;
        break;
      case LabelRule::kWins:
        weak[i] = better ? 0 : 1;
        strong[i] = better ? 1 : 0;
        break;
      case LabelRule::kDecided:
        weak[i] = tie ? std::numeric_limits<float>::quiet_NaN() : better ? 0 : 1;
        strong[i] = tie ? std::numeric_limits<float>::quiet_NaN() : better ? 1 : 0;
        break;
    }
  }
  return data;
}

Result<FittedStrategy> fit_strategy(const RouterData& data, const EvalStrategy& strategy, std::uint64_t seed,
                                    const std::function<bool()>& stop) {
  FittedStrategy out;
  const bool pair = !fit_kind_of(strategy.name)->many && !data.pair.configurations.empty();
  const auto& labels = pair ? data.pair : data.all;
  out.labels = labels.features.size();
  out.cost_usd = labels_cost(labels);
  FitOptions options;
  options.kind = strategy.name;
  options.options = strategy.router_options;
  options.seed = seed;
  options.stop = stop;
  auto artefact = strategy.labels == LabelRule::kGain
                      ? fit_router(labels, options)
                      : fit_router(labelled_by(labels, strategy.labels), options);
  if (!artefact) {
    const auto& error = artefact.error();
    for (const char* of_data : {"too_few_labels", "one_sided_labels", "no_embeddings", "wrong_candidates"}) {
      if (error.code == of_data) {
        out.failure = error.message;
        return out;
      }
    }
    return fail(error.code == "interrupted" ? interrupted_error() : error);
  }
  auto router = make_router(std::move(*artefact));
  if (!router) return fail(router.error());
  out.router = std::move(*router);
  auto made = make_serving_strategy(strategy.name, strategy.options, out.router);
  if (!made) return fail(made.error());
  out.strategy = std::move(*made);
  return out;
}

double familiarity_min_of(const EvalStrategy& strategy) {
  constexpr const char* kFamiliarity = "familiarity_min";
  const auto* kind = kind_of(strategy.name);
  const auto complete = checked_options(
      strategy.name, kind->trained_options.empty() ? kind->options : kind->trained_options, strategy.options);
  return complete ? std::get<double>(complete->at(kFamiliarity)) : 0;
}

SweptScores router_scores(const QuestionSet& set, const EvalStrategy& strategy, const Router& router,
                          const std::vector<std::uint32_t>& calibration,
                          const std::vector<std::uint32_t>& test) {
  const double familiarity_min = familiarity_min_of(strategy);
  SweptScores out;
  const auto score = [&](std::uint32_t question) {
    const auto said = router.predict(set.seen(question, strategy.inputs));
    // Without a score nothing is known of the request, and strong serves.
    return said && said->familiarity >= familiarity_min ? 1 - said->need_strong : kNaN;
  };
  for (const auto question : calibration) {
    const double agreement = score(question);
    out.calibration.push_back(std::isnan(agreement) ? kNothingKnown : -agreement);
  }
  for (const auto question : test) {
    out.agreement.push_back(score(question));
    out.test.push_back(std::isnan(out.agreement.back()) ? kNothingKnown : -out.agreement.back());
  }
  return out;
}

}  // namespace brevet
