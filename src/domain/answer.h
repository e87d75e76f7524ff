// What a model answered, and one attempt at a request. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "domain/configuration.h"
#include "domain/money.h"
#include "domain/reason.h"

namespace brevet {

struct ToolCall {
  std::string name;
  std::string arguments;  ///< JSON text as the model wrote it
  std::string id = {};    ///< as the provider named the call; empty when it did not
};

/// One of the tokens that might have come, as the provider lists them.
struct TokenAlternative {
  std::string token;
  double logprob = 0;  ///< natural log, <= 0
};

struct Answer {
  std::string
      body;  ///< the completion as JSON as it came (edited only to hide what we added); empty when streamed
  std::string text;  ///< content of choice 0
  std::vector<ToolCall> tool_calls;
  std::string finish_reason;
  std::string returned_model;  ///< model id that the provider really returned; empty when it named none
  Usage usage;
  std::optional<double> mean_logprob;  ///< mean token log-probability of choice 0, natural log, <= 0
  std::optional<double> min_logprob;
  /// Likeliest first tokens of choice 0, where they were asked for and the provider gives them.
  std::vector<TokenAlternative> first_token = {};
  /// What a prompt transform had the model say before its answer, taken out of `text`; shown only to a client
  /// that asks for it.
  std::string reasoning;
};

enum class Purpose { kServe, kJudge, kFuse, kGuide, kLearn };
const char* name_of(Purpose purpose);

enum class AttemptState { kPending, kDone, kFailed, kCancelled };
const char* name_of(AttemptState state);

/// One model call made for a request. It never carries a score: truth is not known when serving.
struct Attempt {
  int id = 0;       ///< position in the decision's list, from 0
  std::string tag;  ///< by which its strategy finds it again, such as "judge 0 1"; empty for most
  Configuration configuration;
  Purpose purpose = Purpose::kServe;
  AttemptState state = AttemptState::kPending;
  std::optional<Answer> answer;  ///< set when done; may be partial when cancelled or cut
  std::optional<Error> error;    ///< set when failed
  Cost cost;
  Microseconds latency{0};
  std::optional<Microseconds> first_token;
  int tries = 1;  ///< transport tries, retries included
  /// That a guide or a transform added to the client's prompt; its tokens are in the usage.
  std::size_t prompt_bytes_added = 0;
  /// Of a composed candidate: the calls that it made and why, in the order of their start. Their costs are
  /// added up in `cost`; `answer` is the one that it accepted.
  std::vector<Attempt> parts;
  std::vector<Reason> steps;
};

}  // namespace brevet
