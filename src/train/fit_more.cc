#include "train/fit_more.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"
#include "compare/vote.h"
#include "dataset/prompt_text.h"
#include "train/extra_trees.h"

namespace brevet {
namespace {

constexpr std::size_t kQuestionsMin = 60;

/// One question with an answer of every expert.
struct Asked {
  std::string id;
  std::vector<std::vector<float>> features;  ///< [experts]
  std::vector<double> scores;
  std::size_t agreed = 0;  ///< the expert whose answer is the first of the largest group
};

std::string answer_of(const RecordedOutcome& outcome) {
  if (outcome.response) return *outcome.response;
  return outcome.pred ? *outcome.pred : std::string();
}

std::optional<Asked> ask(const OutcomeRecord& record, const std::vector<std::string>& experts) {
  std::vector<Answer> answers;
  Asked out;
  out.id = record.id;
  std::vector<ExpertAnswer> seen;
  for (const auto& expert : experts) {
    const auto* outcome = record.outcome(expert);
    if (!outcome || (!outcome->response && !outcome->has_pred)) return std::nullopt;
    auto& answer = answers.emplace_back();
    answer.text = answer_of(*outcome);
    answer.finish_reason = "stop";
    out.scores.push_back(outcome->score);
    ExpertAnswer as;
    as.given = true;
    as.mean_logprob = outcome->logprob_conf;
    seen.push_back(as);
  }
  std::vector<const Answer*> pointers;
  for (const auto& answer : answers) pointers.push_back(&answer);
  const auto question = render_prompt(record);
  CompareContext context;
  context.question = question;
  const auto vote = count_votes(pointers, context);
  for (std::size_t i = 0; i < experts.size(); ++i) {
    seen[i].text = answers[i].text;
    seen[i].group = vote.group[i];
  }
  if (vote.leader >= 0) out.agreed = vote.first_of_leader();
  for (std::size_t i = 0; i < experts.size(); ++i) out.features.push_back(expert_features(question, seen, i));
  return out;
}

double mean(const std::vector<double>& values) {
  return values.empty()
             ? 0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

void write_forest(const Forest& forest, Artefact& artefact) {
  Tensor nodes{{static_cast<std::uint32_t>(forest.nodes.size()), 3}, {}};
  for (const auto& node : forest.nodes) {
    nodes.values.push_back(static_cast<float>(node.feature));
    nodes.values.push_back(node.threshold);
    nodes.values.push_back(static_cast<float>(node.next));
  }
  Tensor roots{{static_cast<std::uint32_t>(forest.roots.size())}, {}};
  for (const auto root : forest.roots) roots.values.push_back(static_cast<float>(root));
  artefact.tensors["forest.nodes"] = std::move(nodes);
  artefact.tensors["forest.roots"] = std::move(roots);
  artefact.tensors["forest.values"] = {{static_cast<std::uint32_t>(forest.values.size()), 1}, forest.values};
}

}  // namespace

Result<MoreFit> fit_more(const std::vector<OutcomeRecord>& records, const MoreOptions& options) {
  const auto experts = options.experts.size();
  if (experts < 2 || experts > kExpertsMax) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("'more' chooses among 2 to {} experts; {} were named.", kExpertsMax, experts),
                "models");
  }
  std::vector<Asked> fitting, held_out;
  std::uint64_t data = 0;
  for (const auto& record : records) {
    auto asked = ask(record, options.experts);
    if (!asked) continue;
    // By the text: a question that occurs twice is on one side.
    const auto key = hash_bytes(record.prompt, options.seed);
    data = hash_bytes(record.prompt, data);
    const double draw = static_cast<double>(mix_bits(key, 1) >> 11) * 0x1.0p-53;
    (draw < options.test_share ? held_out : fitting).push_back(*std::move(asked));
  }
  if (fitting.size() < kQuestionsMin) {
    return fail(ErrorKind::kCallerInvalid, "too_few_labels",
                fmt::format("{} questions have an answer of every expert; {} and more can teach.",
                            fitting.size(), kQuestionsMin),
                "data");
  }
  Matrix x(fitting.size() * experts, kExpertFeatures);
  Matrix y(fitting.size() * experts, 1);
  std::size_t at = 0;
  std::vector<double> taught(experts, 0);
  for (const auto& asked : fitting) {
    for (std::size_t i = 0; i < experts; ++i, ++at) {
      std::copy(asked.features[i].begin(), asked.features[i].end(), x.row(at));
      y.at(at, 0) = static_cast<float>(asked.scores[i]);
      taught[i] += asked.scores[i];
    }
  }
  ForestOptions growing;
  growing.trees = options.trees;
  growing.leaf_min = options.leaf_min;
  const auto forest = grow_forest(x, y, growing, options.seed, options.stop);
  if (!forest) return fail(ErrorKind::kCancelled, "interrupted", "The fit was interrupted.");

  MoreFit out;
  out.fitted = fitting.size();
  out.tested = held_out.size();
  auto& info = out.artefact.info;
  info.kind = kMore;
  info.configurations = options.experts;
  info.encoder_hash = "none";
  info.data_hash = fmt::format("{:016x}", data);
  info.command = options.command;
  info.created = options.created;
  info.fitted = fitting.size();
  info.seed = options.seed;
  info.mean_cost_usd.assign(experts, std::numeric_limits<double>::quiet_NaN());
  write_forest(*forest, out.artefact);
  const auto model = ExpertModel::create(std::make_shared<const Artefact>(out.artefact));
  if (!model) return fail(model.error());

  const auto best = static_cast<std::size_t>(std::max_element(taught.begin(), taught.end()) - taught.begin());
  out.single.assign(experts, 0);
  std::vector<std::pair<double, double>> confident;  // P of the chosen, its score
  for (const auto& asked : held_out) {
    std::size_t chosen = 0;
    double p_chosen = -1;
    for (std::size_t i = 0; i < experts; ++i) {
      out.single[i] += asked.scores[i] / static_cast<double>(held_out.size());
      const double p = (*model)->p_right(asked.features[i]);
      if (p > p_chosen) p_chosen = p, chosen = i;
    }
    confident.emplace_back(p_chosen, asked.scores[chosen]);
    out.held_out.push_back(asked.id);
    out.chosen.push_back(asked.scores[chosen]);
    out.agreed.push_back(asked.scores[asked.agreed]);
    out.best_single.push_back(asked.scores[best]);
    out.oracle.push_back(*std::max_element(asked.scores.begin(), asked.scores.end()));
  }
  std::sort(confident.begin(), confident.end(),
            [](const auto& a, const auto& b) { return a.first > b.first; });
  for (int tenth = 1; tenth <= 10 && !confident.empty(); ++tenth) {
    const auto n = std::max<std::size_t>(1, confident.size() * static_cast<std::size_t>(tenth) / 10);
    double right = 0;
    for (std::size_t i = 0; i < n; ++i) right += confident[i].second;
    out.coverage.push_back({confident[n - 1].first,
                            static_cast<double>(n) / static_cast<double>(confident.size()),
                            right / static_cast<double>(n)});
  }
  info.measured = {{"n", static_cast<double>(held_out.size())},
                   {"accuracy", mean(out.chosen)},
                   {"accuracy_of_agreement", mean(out.agreed)},
                   {"accuracy_of_best_expert", mean(out.best_single)},
                   {"accuracy_of_oracle", mean(out.oracle)}};
  return out;
}

}  // namespace brevet
