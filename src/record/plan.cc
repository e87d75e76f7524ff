#include "record/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/random.h"
#include "prompt/guide.h"
#include "record/json_out.h"
#include "wire/openai_chat.h"

namespace brevet::record {
namespace {

/// What providers put around messages, in tokens, beyond the bytes that the JSON around them has anyway.
constexpr std::int64_t kTokensAround = 64;
constexpr std::size_t kKeyDigits = 40;

std::string key_of(const Ask& ask, int sample) {
  const auto plain = [](const Configuration& from) {
    Configuration out;
    out.model = from.model;
    return out.key();
  };
  // The guide and the effort are in the edits and in the body, so configurations that ask the same share it.
  return sha256_hex(std::string(ask.judge ? "judge" : "answer") + '\0' + plain(ask.configuration) + '\0' +
                    ask.record + '\0' + ask.body + '\0' + ask.edits.system_prefix + '\0' +
                    ask.edits.last_user_prefix + '\0' + ask.edits.last_user_suffix + '\0' +
                    std::to_string(sample))
      .substr(0, kKeyDigits);
}

std::size_t size_of(const MessageEdits& edits) {
  return edits.system_prefix.size() + edits.last_user_prefix.size() + edits.last_user_suffix.size();
}

MessageEdits edits_for(const Configuration& configuration, const RecordOptions& options) {
  MessageEdits out;
  if (const auto transform = options.transforms.find(configuration.transform);
      transform != options.transforms.end())
    out = transform->second;
  const auto guide = options.guides.find(configuration.guide);
  if (configuration.guide.empty() || guide == options.guides.end()) return out;
  const auto around = guide_edits(guide->second);
  out.system_prefix += around.system_prefix;
  out.last_user_prefix = around.last_user_prefix + out.last_user_prefix;
  out.last_user_suffix += around.last_user_suffix;
  return out;
}

std::optional<Money> worst_price(const ModelClient& client, std::int64_t input, std::int64_t output) {
  Usage plain;
  plain.input_tokens = input;
  plain.output_tokens = output;
  Usage cached = plain;
  cached.cached_input_tokens = input;
  const auto a = client.price(plain).amount;
  const auto b = client.price(cached).amount;
  if (!a || !b) return std::nullopt;
  return std::max(*a, *b);
}

/// Of so many tries; empty when the price is not known.
std::optional<Money> worst_of(const PreparedCall& call, int tries) {
  if (!call.worst_try) return std::nullopt;
  return std::min(times(*call.worst_try, std::max(tries, 1)), *call.worst);
}

tl::unexpected<Error> wrong(const char* code, std::string message, const char* param) {
  return fail(ErrorKind::kCallerInvalid, code, std::move(message), param);
}

Result<> check_configuration(const Configuration& configuration, const RecordOptions& options) {
  if (!options.models.contains(configuration.model)) {
    std::string names;
    for (const auto& [name, model] : options.models) names += (names.empty() ? "" : ", ") + name;
    return wrong("unknown_model",
                 fmt::format("There is no model '{}'; there are {}.", configuration.model,
                             names.empty() ? "none" : names),
                 "--models");
  }
  if (!configuration.transform.empty() && !options.transforms.contains(configuration.transform)) {
    return wrong("unknown_transform",
                 fmt::format("'{}' asks for the prompt transform '{}', which is not there; leave t= out.",
                             configuration.key(), configuration.transform),
                 "--models");
  }
  if (!configuration.guide.empty() && !options.guides.contains(configuration.guide)) {
    return wrong(
        "unknown_guide",
        fmt::format("'{}' asks for the guide '{}'; say --guide {}=FILE, or name one of the store as g3 with "
                    "--data-dir.",
                    configuration.key(), configuration.guide, configuration.guide),
        "--guide");
  }
  return {};
}

Result<> check_scorer(const RecordOptions& options) {
  if (options.scorer == ScorerKind::kJsonSchema && options.schema == nullptr)
    return wrong("missing_scorer_option", "The scorer json_schema needs --schema FILE.", "--schema");
  if (options.scorer == ScorerKind::kCommand && options.command.command.empty())
    return wrong("missing_scorer_option", "The scorer command needs --command 'PROGRAM ARGUMENTS'.",
                 "--command");
  if (options.scorer == ScorerKind::kJudge && !options.judge)
    return wrong("missing_scorer_option", "The scorer judge needs --judge MODEL.", "--judge");
  return {};
}

}  // namespace

Ask answer_ask(const Question& question, const Configuration& configuration, int sample,
               const RecordOptions& options) {
  Ask out;
  out.configuration = configuration;
  out.record = question.record.id;
  out.edits = edits_for(configuration, options);
  out.tokens_max = options.tokens_max;
  AskOptions how;
  how.tokens_max = options.tokens_max;
  how.limit_field = options.limit_field;
  how.temperature =
      configuration.samples > 1 ? std::optional(options.sample_temperature) : options.temperature;
  how.effort = configuration.effort;
  const auto model = options.models.find(configuration.model);
  how.name_record = model != options.models.end() && model->second.names_record;
  out.body = ask_body(question, how);
  out.key = key_of(out, sample);
  return out;
}

Ask judge_ask(const Question& question, const JudgedPair& pair, const RecordOptions& options) {
  Ask out;
  out.configuration = *options.judge;
  out.record = question.record.id;
  out.judge = true;
  out.tokens_max = std::max<std::int64_t>(kJudgeTokensMax, 1);
  std::string messages;
  for (const auto& message : judge_messages(pair)) {
    messages +=
        (messages.empty() ? "" : ",") +
        fmt::format(R"({{"role":{},"content":{}}})", json_string(message.role), json_string(message.text));
  }
  out.body = fmt::format(R"({{"model":"-","messages":[{}],"{}":{}{}{}}})", messages, options.limit_field,
                         out.tokens_max, options.temperature ? ",\"temperature\":0" : "",
                         out.configuration.effort.empty()
                             ? ""
                             : ",\"reasoning_effort\":" + json_string(out.configuration.effort));
  out.key = key_of(out, 0);
  return out;
}

Result<PreparedCall> prepare_call(const Ask& ask, const RecordModel& model) {
  auto request = wire::parse_chat_request(ask.body);
  if (!request) return fail(request.error());
  PreparedCall out;
  const auto bytes = static_cast<std::int64_t>(ask.body.size() + size_of(ask.edits)) + kTokensAround;
  out.worst_try = worst_price(*model.client, bytes, ask.tokens_max);
  if (out.worst_try) out.worst = times(*out.worst_try, std::max(model.tries_max, 1));
  out.call.configuration = ask.configuration;
  out.call.request = std::make_shared<const ChatRequest>(std::move(*request));
  out.call.edits = ask.edits;
  out.call.want_logprobs = model.logprobs && !ask.judge;
  out.call.purpose = ask.judge ? Purpose::kJudge : Purpose::kServe;
  return out;
}

CallResult result_of(const ModelOutcome& outcome, const PreparedCall& call, const RecordModel& model) {
  CallResult out;
  if (!outcome) {
    const auto& failure = outcome.error();
    bool nothing = failure.cost.amount && failure.cost.amount->pico_usd == 0 &&
                   failure.cost.basis == CostBasis::kRecorded;
    // A gateway's failure says nothing of what it has paid for before.
    if (model.is_gateway && failure.error.upstream_status >= 500) nothing = false;
    const int tries = model.is_gateway ? model.tries_max : failure.tries;
    // An estimate is no bill: where the provider may have worked, each try is charged at its worst.
    out.charged = nothing ? std::optional(Money{}) : worst_of(call, tries);
    out.code = failure.error.code;
    out.message = clean_text(failure.error.message);
    out.latency_ms = static_cast<double>(failure.latency.count()) / 1000;
    out.tries = failure.tries;
    return out;
  }
  const auto& answer = outcome->answer;
  out.answered = true;
  out.response = clean_text(answer.text);
  out.input_tokens = answer.usage.input_tokens;
  out.output_tokens = answer.usage.output_tokens;
  out.latency_ms = static_cast<double>(outcome->latency.count()) / 1000;
  out.logprob = answer.mean_logprob;
  out.finish_reason = answer.finish_reason;
  out.tries = outcome->tries;
  const bool counted = out.input_tokens && out.output_tokens && !answer.usage.estimated;
  const auto own = model.client->price(answer.usage).amount;
  const auto total = outcome->cost.amount;
  out.cost = outcome->tries > 1 && outcome->cost.basis != CostBasis::kRecorded ? own : total;
  if (!counted && outcome->cost.basis != CostBasis::kRecorded) {
    out.charged = worst_of(call, model.is_gateway ? model.tries_max : outcome->tries);
  } else if (outcome->tries > 1 && own && total && *total != *own && call.worst_try) {
    // An earlier try went out and its cost is only an estimate: each is charged whole.
    out.charged = std::max(*total, *own + times(*call.worst_try, outcome->tries - 1));
  } else {
    out.charged = total ? total : worst_of(call, model.is_gateway ? model.tries_max : outcome->tries);
  }
  return out;
}

Result<> check_plan(const std::vector<Question>& questions, const RecordOptions& options) {
  if (options.configurations.empty())
    return wrong("missing_models", "Say --models A,B: the models or configurations to ask.", "--models");
  std::vector<Configuration> asked = options.configurations;
  if (options.judge) asked.push_back(*options.judge);
  for (const auto& configuration : asked) {
    if (auto good = check_configuration(configuration, options); !good) return good;
  }
  if (auto good = check_scorer(options); !good) return good;
  bool priced = false;
  for (const auto& configuration : asked) {
    const auto price = worst_price(*options.models.at(configuration.model).client, 1'000'000, 1'000'000);
    if (price) {
      priced = priced || price->pico_usd > 0;
    } else if (options.limits.unpriced_max == 0) {
      return wrong(
          "unknown_price",
          fmt::format(
              "The price of model '{}' is not known, so no budget can be kept. Give its price in the "
              "configuration or with --prices, or allow a number of calls with --allow-unknown-cost N.",
              configuration.model),
          "--allow-unknown-cost");
    }
  }
  if (priced && options.limits.usd.pico_usd <= 0)
    return wrong("missing_budget", "Say --budget-usd X: the most that all runs with this output may spend.",
                 "--budget-usd");
  for (const auto& question : questions) {
    if (auto good = check_question(options.scorer, question); !good) return good;
    if (options.scorer == ScorerKind::kJudge && !options.against && question.record.answer.empty()) {
      return wrong(
          "missing_answer",
          fmt::format(
              "The judge compares with the right answer, and question {} has none; say --against MODEL to "
              "compare with a model's answers.",
              question.record.id),
          "answer");
    }
  }
  if (options.scorer == ScorerKind::kJudge && options.against) {
    const bool asked_too = std::find(options.configurations.begin(), options.configurations.end(),
                                     *options.against) != options.configurations.end();
    for (const auto& question : questions) {
      const auto* known = question.record.outcome(options.against->key());
      if (known != nullptr ? known->response.has_value() : asked_too) continue;
      return wrong(
          "missing_answer",
          fmt::format(
              "The judge compares with the answers of '{}', which question {} has not and which is not "
              "among --models.",
              options.against->key(), question.record.id),
          "--against");
    }
  }
  return {};
}

}  // namespace brevet::record
