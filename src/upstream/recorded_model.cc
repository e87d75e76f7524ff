#include "upstream/recorded_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <unordered_set>

#include "base/random.h"
#include "dataset/prompt_text.h"
#include "domain/markers.h"
#include "upstream/played_model.h"
#include "wire/openai_chat.h"

namespace brevet {
namespace {

constexpr double kFirstTokenShare = 0.25;  ///< files know only whole latencies
constexpr std::int64_t kMadeAnswerTokens =
    5;  ///< an answer text that we had to make stands for a bare letter

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const auto& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

tl::unexpected<Error> unknown_model(const std::string& name, const std::vector<std::string>& names) {
  return fail(ErrorKind::kCallerInvalid, "unknown_model",
              "The data file has no outcomes of \"" + name + "\"; it has " + listed(names) + ".", "model");
}

std::string record_id_of(const ChatRequest& request) {
  const auto span = request.metadata_value;
  if (span.empty()) return {};
  boost::system::error_code error;
  std::array<unsigned char, 1024> space;  // of the usual few members, so that nothing is allocated
  boost::json::monotonic_resource memory(space.data(), space.size());
  const auto value = boost::json::parse(
      std::string_view(*request.raw).substr(span.begin, span.end - span.begin), error, &memory);
  const auto* object = error ? nullptr : value.if_object();
  const auto* id = object ? object->if_contains("brevet_record_id") : nullptr;
  return id && id->is_string() ? std::string(id->get_string()) : std::string();
}

bool is_own_prompt(std::string_view system) {
  return system.starts_with(kGuideMarker) || system.starts_with(kJudgeMarker) ||
         system.starts_with(kLabelMarker) || system.starts_with(kCheckMarker);
}

Error not_recorded(const std::string& what) {
  Error error;
  error.kind = ErrorKind::kProviderRejected;
  error.code = "no_recorded_answer";
  error.message =
      what +
      " A recorded model only plays its file: the last user message must be a prompt of the file "
      "with its choices as rendered by Brevet, or metadata.brevet_record_id must name the record.";
  error.upstream_status = 404;
  error.upstream_body = wire::error_json(error);
  return error;
}

class RecordedModel final : public PlayedModel {
 public:
  RecordedModel(std::shared_ptr<const RecordedAnswers> answers, RecordedModelOptions options)
      : answers_(std::move(answers)), options_(std::move(options)) {}

  Task<ModelOutcome> call(ModelCall call, StreamSink* sink) override {
    if (!call.messages.empty() || !call.request) {
      co_return refuse(not_recorded("This prompt is one of Brevet's own and in no file."));
    }
    const auto& request = *call.request;
    if (is_own_prompt(request.system_text())) {
      co_return refuse(not_recorded("This prompt is one of Brevet's own and in no file."));
    }
    const auto* record = find(request);
    if (!record) {
      const auto id = record_id_of(request);
      co_return refuse(not_recorded(id.empty() ? "The question is not in the data file."
                                               : "The data file has no record \"" + id + "\"."));
    }
    const auto* outcome = record->outcome(options_.model);
    if (!outcome) {
      co_return refuse(
          not_recorded("The model \"" + options_.model + "\" was not run on record \"" + record->id + "\"."));
    }
    co_return co_await play(played(*record, *outcome), std::move(call), sink);
  }

  Cost price(const Usage& usage) const override {
    if (!options_.prices) return {};
    return options_.prices->price(options_.price_name.empty() ? options_.model : options_.price_name, usage);
  }

  std::optional<Money> recorded_cost(const ChatRequest& request) const override {
    const auto* record = find(request);
    const auto* outcome =
        record && !is_own_prompt(request.system_text()) ? record->outcome(options_.model) : nullptr;
    return outcome ? outcome->cost : std::nullopt;
  }

 private:
  const OutcomeRecord* find(const ChatRequest& request) const {
    const auto id = record_id_of(request);
    return id.empty() ? answers_->find_prompt(request.last_user_text()) : answers_->find_id(id);
  }

  PlayedAnswer played(const OutcomeRecord& record, const RecordedOutcome& outcome) const {
    PlayedAnswer out;
    auto& answer = out.answer;
    answer.returned_model = options_.model;
    answer.finish_reason = "stop";
    answer.mean_logprob = outcome.logprob_conf;
    if (answer.mean_logprob) answer.mean_logprob = std::min(*answer.mean_logprob, 0.0);
    if (options_.scores_only) {
      answer.text = score_only_answer(outcome.score, options_.model);
    } else if (outcome.response) {
      answer.text = *outcome.response;
    } else if (outcome.pred) {
      const bool letter = outcome.pred->size() == 1 && !record.choices.empty();
      answer.text =
          letter ? "The answer is (" + *outcome.pred + ")." : "The answer is " + *outcome.pred + ".";
    } else if (outcome.has_pred) {
      answer.text = "I could not settle on an answer.";
    } else {
      answer.text = score_only_answer(outcome.score, options_.model);
    }
    auto& usage = answer.usage;
    usage.input_tokens = outcome.input_tokens;
    usage.output_tokens = outcome.output_tokens;
    if (!usage.input_tokens) {
      usage.input_tokens = answers_->prompt_tokens(record);
      usage.estimated = true;
    }
    if (!usage.output_tokens) {
      usage.output_tokens = outcome.response         ? estimated_tokens(*outcome.response)
                            : outcome.response_chars ? (*outcome.response_chars + 3) / 4
                                                     : kMadeAnswerTokens;
      usage.estimated = true;
    }
    out.cost = outcome.cost ? Cost{outcome.cost, CostBasis::kRecorded} : price(usage);
    const Microseconds latency =
        outcome.latency_ms
            ? Microseconds{static_cast<std::int64_t>(std::clamp(*outcome.latency_ms, 0.0, 3.6e6) * 1000)}
            : Microseconds{options_.latency_default};
    out.latency = latency;
    out.first_token =
        Microseconds{static_cast<std::int64_t>(static_cast<double>(latency.count()) * kFirstTokenShare)};
    out.speed = options_.speed;
    out.body = options_.bodies;
    out.fingerprint = "recorded";
    out.id = hash_bytes(record.id, hash_bytes(options_.model));
    return out;
  }

  const std::shared_ptr<const RecordedAnswers> answers_;
  const RecordedModelOptions options_;
};

}  // namespace

Result<std::shared_ptr<const RecordedAnswers>> RecordedAnswers::load(const Options& options) {
  OutcomeReadOptions read;
  read.models = options.models;
  auto records = read_outcome_file(options.file, read);
  if (!records) return fail(records.error());
  if (!options.responses_file.empty()) {
    auto joined = join_responses(*records, options.responses_file, read);
    if (!joined) return fail(joined.error());
  }
  return from_records(std::move(*records), options.models);
}

Result<std::shared_ptr<const RecordedAnswers>> RecordedAnswers::from_records(
    std::vector<OutcomeRecord> records, const std::vector<std::string>& models) {
  std::shared_ptr<RecordedAnswers> out(new RecordedAnswers());
  out->records_ = std::move(records);
  std::unordered_set<std::string> seen;
  for (std::size_t i = 0; i < out->records_.size(); ++i) {
    auto& record = out->records_[i];
    if (!models.empty()) {
      std::erase_if(record.models, [&](const auto& pair) {
        return std::find(models.begin(), models.end(), pair.first) == models.end();
      });
    }
    for (const auto& [name, outcome] : record.models) {
      if (seen.insert(name).second) out->models_.push_back(name);
    }
    out->by_id_.try_emplace(record.id, i);
    const auto rendered = render_prompt(record);
    out->prompt_tokens_.push_back(estimated_tokens(record.system_prompt) + estimated_tokens(rendered));
    out->by_prompt_.try_emplace(prompt_key(rendered), i);
  }
  for (const auto& wanted : models) {
    if (!seen.contains(wanted)) return unknown_model(wanted, out->models_);
  }
  return std::shared_ptr<const RecordedAnswers>(std::move(out));
}

const OutcomeRecord* RecordedAnswers::find_id(std::string_view id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &records_[found->second];
}

const OutcomeRecord* RecordedAnswers::find_prompt(std::string_view rendered) const {
  const auto found = by_prompt_.find(prompt_key(rendered));
  return found == by_prompt_.end() ? nullptr : &records_[found->second];
}

Result<ModelClientPtr> make_recorded_model(std::shared_ptr<const RecordedAnswers> answers,
                                           RecordedModelOptions options) {
  const auto& names = answers->models();
  if (std::find(names.begin(), names.end(), options.model) == names.end()) {
    return unknown_model(options.model, names);
  }
  return std::make_shared<RecordedModel>(std::move(answers), std::move(options));
}

std::string score_only_answer(double score, std::string_view model) {
  if (score >= 1) return "The answer is (A).";
  // JSON is compared by value whatever the question asks for, so that graded scores are equal or not to the
  // last digit; the letter is there for comparisons with a plain answer to a question that lists options.
  if (score >= 0.5) return fmt::format(R"(["B", {}])", score);
  // The word differs from model to model, so that two wrong answers are never equal, and is made of small
  // letters alone, so that it holds neither an option nor a number.
  std::string word;
  auto bits = hash_bytes(model);
  for (int i = 0; i < 8; ++i, bits /= 26) word += static_cast<char>('a' + bits % 26);
  return "Unrecorded reply " + word;
}

}  // namespace brevet
