#include "record/cell.h"

#include <fmt/format.h>

#include <algorithm>

#include "record/json_out.h"

namespace brevet::record {
namespace {

/// Empty as soon as one of them is.
template <class T, class Get>
std::optional<T> sum(const std::vector<ScoredCall>& calls, Get&& get) {
  std::optional<T> out = T{};
  for (const auto& one : calls) {
    const auto value = get(*one.call);
    if (!value) return std::nullopt;
    *out += *value;
  }
  return out;
}

/// The commonest prediction, the first of those that are equally common, and its share.
struct Vote {
  std::optional<std::string> pred;
  double share = 0;
};
Vote vote_of(const std::vector<ScoredCall>& calls) {
  Vote out;
  std::ptrdiff_t most = 0;
  for (const auto& one : calls) {
    const auto count = std::count_if(calls.begin(), calls.end(), [&](const ScoredCall& other) {
      return other.score.pred == one.score.pred;
    });
    if (count <= most) continue;
    most = count;
    out.pred = one.score.pred;
  }
  out.share = static_cast<double>(most) / static_cast<double>(calls.size());
  return out;
}

std::string list_of(const std::vector<ScoredCall>& calls, std::string (*text)(const ScoredCall&)) {
  std::string out;
  for (const auto& one : calls) out += (out.empty() ? "" : ",") + text(one);
  return "[" + out + "]";
}

}  // namespace

std::string cell_json(const std::vector<ScoredCall>& calls) {
  double score = 0;
  double latency = 0;
  bool has_pred = true;
  for (const auto& one : calls) {
    score += *one.score.value;
    latency = std::max(latency, one.call->latency_ms);
    has_pred = has_pred && one.score.has_pred;
  }
  std::string out = "{\"score\":" + json_number(score / static_cast<double>(calls.size()));
  if (const auto cost = sum<Money>(calls, [](const CallResult& call) { return call.cost; }))
    out += ",\"cost_usd\":" + cost->to_string();
  if (const auto tokens = sum<std::int64_t>(calls, [](const CallResult& call) { return call.input_tokens; }))
    out += fmt::format(",\"input_tokens\":{}", *tokens);
  if (const auto tokens = sum<std::int64_t>(calls, [](const CallResult& call) { return call.output_tokens; }))
    out += fmt::format(",\"output_tokens\":{}", *tokens);
  out += ",\"latency_ms\":" + json_number(latency);
  const auto& first = calls.front();
  if (calls.size() == 1 && first.call->logprob)
    out += ",\"logprob_conf\":" + json_number(*first.call->logprob);
  if (has_pred) {
    const auto vote = vote_of(calls);
    out += ",\"pred\":" + (vote.pred ? json_string(*vote.pred) : "null");
    if (calls.size() > 1) out += ",\"vote_fraction\":" + json_number(vote.share);
  }
  out += ",\"response\":" + json_string(first.call->response);
  if (calls.size() > 1) {
    out += ",\"samples\":" +
           list_of(calls, [](const ScoredCall& one) { return json_string(one.call->response); });
    out += ",\"sample_scores\":" +
           list_of(calls, [](const ScoredCall& one) { return json_number(*one.score.value); });
  }
  return out + "}";
}

}  // namespace brevet::record
