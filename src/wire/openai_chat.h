// The OpenAI chat-completions dialect <-> domain, both directions. Pure and fuzzed; throws nothing.
//
// Used by upstream (requests out, answers in), by server (requests in, answers out) and by the recorded and
// simulated upstreams. Pass-through is byte-stable: only edited spans change.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "domain/answer.h"
#include "domain/chat_request.h"

namespace brevet::wire {

/// When the two hashes of a request are computed. Later saves some microseconds for requests that are not
/// routed: call add_request_hash() before the request is shared.
enum class HashWhen { kNow, kLater };

/// Bounds on what is accepted (each has its own error code).
struct ChatLimits {
  std::size_t messages_max = 4096;
  std::size_t depth_max = 128;  ///< nesting of JSON (an empty list or object may sit one deeper)
  HashWhen hash = HashWhen::kNow;
};

/// Errors (kCallerInvalid, `param` names the field): bad_json (with the byte offset), missing_field,
/// wrong_type, bad_value, too_many_messages, json_too_deep. The whole body must be well-formed JSON in UTF-8
/// whose numbers fit 64 bits. Unknown fields are kept as they are. Duplicate keys in an object that we read
/// (body, message, content part, stream_options): bad_json, because two readers could disagree on them.
Result<ChatRequest> parse_chat_request(std::string body, const ChatLimits& limits = {});

/// Fills `hash` and `system_hash` when they are empty.
void add_request_hash(ChatRequest& request);
/// SHA-256 hex of the canonical body: keys sorted, no white space, strings unescaped and escaped again in one
/// way, numbers by value (1, 1.0 and 1e0 are equal), top level without the fields that do not change what is
/// asked: model, stream, stream_options, user, safety_identifier, prompt_cache_key, metadata, store,
/// service_tier. Empty only if `request` was not made by parse_chat_request.
std::string request_hash(const ChatRequest& request);
/// The bytes that request_hash() hashes, for tests and for explaining why two requests differ.
std::string canonical_request(const ChatRequest& request);

struct RenderOptions {
  std::string model_id;  ///< replaces `model`; empty keeps it
  MessageEdits edits;
  bool stream = false;        ///< sets `stream` when it differs from the request
  bool add_usage = false;     ///< stream_options.include_usage, merged with the client's stream_options
  bool add_logprobs = false;  ///< logprobs: true, unless the client already asks
  int top_logprobs = 0;       ///< alternatives of each token; in requests of our own, with add_logprobs
  std::optional<double> temperature = {};  ///< replaces the client's
  std::optional<std::int64_t> seed = {};   ///< replaces the client's
  std::int64_t more_tokens = 0;            ///< added to the client's limit of tokens, where it has one
};
/// The client's request as it goes upstream. Without edits, and with an equal model id, the bytes are the
/// client's own. Edits are put in as they are, no separator is added. A list content is edited in its first
/// or last text part, or gets a text part of its own when it has none; without a system or developer message
/// the system prefix becomes a system message at the start; without a user message the user edits do nothing.
/// stream_options goes when `stream` is false, since providers refuse it there.
std::string render_chat_request(const ChatRequest& request, const RenderOptions& options);
/// The same, nullopt when that is request.raw as it came.
std::optional<std::string> edited_chat_request(const ChatRequest& request, const RenderOptions& options);
/// A request of our own. `metadata_from` gives its `metadata` object (if any), so that recorded upstreams can
/// match it. `options.edits` is not read.
std::string render_plain_request(const std::vector<PlainMessage>& messages, const RenderOptions& options,
                                 std::optional<int> max_tokens, const ChatRequest* metadata_from);

/// What upstream added to a request and must take out of the answer again.
struct Hide {
  bool logprobs = false;
  bool usage = false;  ///< streamed usage that the client did not ask for
};

/// A whole answer. Answer::body is `body`, less what `hide` names, else byte for byte. Errors
/// (kProviderGarbage): upstream_bad_json, upstream_bad_answer. Usage may be missing; choices must not.
Result<Answer> parse_chat_completion(std::string body, const Hide& hide);

/// Collects a streamed answer chunk by chunk. One per stream, not thread-safe.
class ChunkCollector {
 public:
  explicit ChunkCollector(Hide hide) : hide_(hide) {}
  /// Takes the data of one event (not [DONE]) and returns what the client may see: the same bytes, edited
  /// bytes, or nothing when the chunk existed only for us. Edits: what Hide names is taken out, a missing or
  /// reused tool call index is repaired, a second finish_reason of one choice becomes null. An in-band error
  /// object gives kProviderUnavailable upstream_stream_error with the provider's message; a JSON that cannot
  /// be read is passed on as it is and counted in bad_events(). Over kCollectedBytesMax of text and
  /// arguments: kProviderGarbage upstream_answer_too_large.
  Result<std::optional<std::string>> take(std::string data);
  /// The answer so far: text, tool calls (indices repaired), usage, finish_reason, logprobs of choice 0.
  /// Answer::body is empty.
  Answer answer() const;
  bool finished() const { return !answer_.finish_reason.empty(); }
  bool has_usage() const { return answer_.usage.output_tokens.has_value(); }
  int bad_events() const { return bad_events_; }

  static constexpr std::size_t kCollectedBytesMax = 32 * 1024 * 1024;
  static constexpr std::size_t kChoicesMax = 128;    ///< choices whose state is kept
  static constexpr std::size_t kToolCallsMax = 256;  ///< calls per choice whose state is kept

 private:
  friend class ChunkReader;
  struct ToolState {
    std::int64_t given_index = 0;  ///< as the provider numbered it, or as shown when it did not
    std::int64_t shown_index = 0;  ///< as the client sees it
    std::string id;
  };
  struct ChoiceState {
    std::int64_t index = 0;
    bool finished = false;
    std::vector<ToolState> tools;  ///< in the order of Answer::tool_calls
  };

  Hide hide_;
  Answer answer_;
  std::vector<ChoiceState> choices_;
  std::size_t collected_bytes_ = 0;
  double logprob_sum_ = 0;
  int logprob_count_ = 0;
  int bad_events_ = 0;
};

/// A chat.completion object made by us (recorded and simulated upstreams, fused answers). With a mean_logprob
/// it carries a logprobs list whose mean and minimum are the answer's: one entry holds the whole text,
/// further ones (at most 1,000) are empty tokens; the first carries the answer's alternatives.
std::string completion_json(const Answer& answer, std::string_view id, std::string_view model,
                            std::int64_t created_s);
/// The same answer as chat.completion.chunk objects: role first, content in pieces of about `piece_bytes` cut
/// at UTF-8 boundaries, finish_reason exactly once, usage chunk (choices: []) when include_usage.
std::vector<std::string> completion_chunks(const Answer& answer, std::string_view id, std::string_view model,
                                           std::int64_t created_s, bool include_usage,
                                           std::size_t piece_bytes = 16);
/// Chunks for a held answer whose whole body came from upstream: id, model, created, every choice and unknown
/// message fields are taken from the body; an answer without a body (it was streamed to us) from its fields.
std::vector<std::string> body_to_chunks(const Answer& answer, bool include_usage);

/// The status of an error of this kind where nothing more is known of it: 400 caller's, 401, 404, 413, 403,
/// 429 budgets and limits, 502 and 504 provider's, 503 overloaded, 499 cancelled, 500 ours.
int http_status_of(ErrorKind kind);

/// {"error":{"message","type","param","code"}}; type from the kind (invalid_request_error,
/// authentication_error, permission_error, not_found_error, rate_limit_error, insufficient_quota,
/// server_error).
std::string error_json(const Error& error);
/// Reads a provider's error body into (code, message); empty strings when it has none.
struct ProviderError {
  std::string code, type, message;
};
ProviderError parse_error_body(std::string_view body);

struct ModelListing {
  std::string id;
  std::string owned_by;
  std::int64_t created_s = 0;
};
std::string models_json(const std::vector<ModelListing>& models);
std::string model_json(const ModelListing& model);

/// Feedback body {"decision_id", "score"?: 0..1, "comment"?}: at least one of the two. Errors as
/// parse_chat_request, and unknown_field.
struct FeedbackBody {
  std::string decision_id;
  std::optional<double> score;
  std::string comment;
};
Result<FeedbackBody> parse_feedback(std::string_view body);

/// Body of POST /v1/contract.
struct ContractSwitchBody {
  std::string route;
  bool on = true;
};
/// {"route": NAME, "on": BOOL}. Errors: bad_json, json_too_deep, wrong_type, missing_field, unknown_field.
Result<ContractSwitchBody> parse_contract_switch(std::string_view body);

}  // namespace brevet::wire
