// What is asked of whom, what it may cost at most, and what it did cost: the pure parts of the recorder.
//
// Inside record only. Pure, but for reading prices off the clients.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "prompt/judge.h"
#include "record/recorder.h"

namespace brevet::record {

/// One call to be made.
struct Ask {
  Configuration configuration;
  std::string record;
  std::string body;  ///< a chat request without a model's name
  MessageEdits edits;
  bool judge = false;
  std::int64_t tokens_max = 0;
  std::string key;  ///< of all of it, and of the sample
};
Ask answer_ask(const Question& question, const Configuration& configuration, int sample,
               const RecordOptions& options);
Ask judge_ask(const Question& question, const JudgedPair& pair, const RecordOptions& options);

struct PreparedCall {
  ModelCall call;
  std::optional<Money> worst_try;  ///< of one try; empty: the price is not known
  std::optional<Money> worst;      ///< of all tries
};
/// Errors: those of wire::parse_chat_request.
Result<PreparedCall> prepare_call(const Ask& ask, const RecordModel& model);

/// What came of a call, without its number.
CallResult result_of(const ModelOutcome& outcome, const PreparedCall& call, const RecordModel& model);

/// Errors: see record().
Result<> check_plan(const std::vector<Question>& questions, const RecordOptions& options);

}  // namespace brevet::record
