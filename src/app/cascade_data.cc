#include "app/cascade_data.h"

#include <fmt/format.h>

#include <cmath>

#include "app/data_argument.h"
#include "dataset/prompt_text.h"
#include "dataset/split.h"
#include "features/lexical.h"

namespace brevet {
namespace {

/// What was recorded of an answer, as an answer; empty text where none was.
Answer answer_of(const RecordedOutcome& outcome) {
  Answer out;
  if (outcome.response) {
    out.text = *outcome.response;
  } else if (outcome.pred) {
    out.text = "The answer is (" + *outcome.pred + ").";
  }
  out.finish_reason = "stop";
  out.mean_logprob = outcome.logprob_conf;
  return out;
}

AnswerSignals recorded_signals(const RecordedOutcome& outcome, const Answer& answer,
                               const std::string& question) {
  auto out = signals_of(answer, question, false);
  // A prediction alone says what was answered and nothing of how.
  if (!outcome.response) {
    for (const auto shape : {Signal::kDeclines, Signal::kLength, Signal::kDigits, Signal::kHedges})
      out[static_cast<std::size_t>(shape)] = std::nanf("");
  }
  if (!outcome.response && !outcome.has_pred)
    for (const auto shape : {Signal::kStated, Signal::kFinished})
      out[static_cast<std::size_t>(shape)] = std::nanf("");
  if (outcome.vote_fraction)
    out[static_cast<std::size_t>(Signal::kAgreement)] = static_cast<float>(*outcome.vote_fraction);
  if (!outcome.samples.empty()) {
    std::vector<Answer> samples(outcome.samples.size());
    for (std::size_t s = 0; s < samples.size(); ++s) samples[s].text = outcome.samples[s];
    if (const auto drawn = sample_signals(meanings_of(samples, question, false)))
      out[static_cast<std::size_t>(Signal::kEntropy)] = drawn->entropy;
  }
  return out;
}

}  // namespace

Result<CascadeQuestions> load_cascade_questions(const CascadeSource& source) {
  const auto argument = parse_data(source.data);
  QuestionSetOptions options;
  options.file = argument.file;
  options.models = argument.models.empty() ? source.models : argument.models;
  options.responses_file = source.responses;
  options.questions_max = source.questions_max;
  options.seed = source.seed;
  if (options.models.size() < 2) {
    return fail(ErrorKind::kCallerInvalid, "models_needed",
                fmt::format("Say which models of {} make the cascade, cheapest first and the reference last: "
                            "--data {}@CHEAP,...,REFERENCE.",
                            argument.file, argument.file),
                "--data");
  }
  if (!source.prices.empty()) {
    auto prices = PriceTable::load(source.prices);
    if (!prices) return fail(prices.error());
    options.prices = std::make_shared<const PriceTable>(std::move(*prices));
  }
  auto loaded = QuestionSet::load(options);
  if (!loaded) return fail(loaded.error());
  CascadeQuestions out;
  out.set = *loaded;
  const auto& set = *out.set;
  auto& data = out.data;
  data.configurations = options.models;
  const std::size_t m = options.models.size();
  if (m > kCascadeModelsMax) {
    return fail(ErrorKind::kCallerInvalid, "too_many_models",
                fmt::format("A cascade takes at most {} models, and {} were named. Choose fewer.",
                            kCascadeModelsMax, m),
                "--data");
  }
  data.quality.resize(m);
  data.cost_usd.resize(m);
  data.answers.resize(set.size());
  std::vector<std::string> texts;
  std::string hashed;
  for (std::uint32_t i = 0; i < set.size(); ++i) {
    const auto& record = set.record(i);
    texts.push_back(render_prompt(record));
    hashed += fmt::format("{:016x}", set.text_key(i));
    data.cluster.push_back(set.clusters().of[i]);
    std::vector<Answer> answers;
    std::vector<bool> has_text;
    for (std::size_t c = 0; c < m; ++c) {
      const auto& outcome = *record.outcome(options.models[c]);
      const auto cost = set.cost(i, c);
      data.quality[c].push_back(static_cast<float>(outcome.score));
      data.cost_usd[c].push_back(cost.amount ? cost.amount->usd() : std::nan(""));
      hashed += fmt::format(" {:.6g}", outcome.score);
      answers.push_back(answer_of(outcome));
      has_text.push_back(outcome.response.has_value() || outcome.pred.has_value());
      data.answers[i].answers[c] = recorded_signals(outcome, answers.back(), texts.back());
    }
    hashed += '\n';
    for (std::size_t c = 0; c < m; ++c) {
      for (std::size_t d = c + 1; d < m; ++d) {
        if (has_text[c] && has_text[d])
          data.answers[i].agreement[c][d] = agreement_of(answers[c], answers[d], texts.back(), false);
      }
    }
  }
  data.data_hash = sha256_hex(hashed);
  data.lexical_version = kLexicalVersion;
  if (source.embed) {
    auto embedder = make_text_embedder(0, {});
    if (!embedder) return fail(embedder.error());
    auto features = (*embedder)->embed(texts);
    if (!features) return fail(features.error());
    data.features = std::move(*features);
    data.encoder_hash = (*embedder)->encoder_hash();
  } else {
    data.features.resize(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) data.features[i].statistics = text_statistics(texts[i]);
  }
  for (std::size_t k = 0; k < kSignals; ++k) {
    std::size_t known = 0;
    for (const auto& state : data.answers) known += std::isnan(state.answers[0][k]) ? 0 : 1;
    if (known * 2 > set.size())
      out.signals += (out.signals.empty() ? "" : ", ") + std::string(name_of(static_cast<Signal>(k)));
  }
  out.cost_basis = name_of(set.cost_basis());
  return out;
}

CascadeRows split_cascade(const CascadeQuestions& questions, std::size_t fit_labels,
                          std::size_t calibration_labels, std::uint64_t seed) {
  const auto& set = *questions.set;
  const std::size_t third = set.size() / 3;
  SplitOptions options;
  options.fitting_max = fit_labels > 0 ? fit_labels : third;
  options.calibration_max = calibration_labels > 0 ? calibration_labels : third;
  options.test_share_min = .25;
  options.seed = seed;
  for (std::uint32_t i = 0; i < set.size(); ++i) options.key.push_back(set.text_key(i));
  auto split = split_by_cluster(set.clusters().of, {}, options);
  return {std::move(split.fitting), std::move(split.calibration), std::move(split.test)};
}

}  // namespace brevet
