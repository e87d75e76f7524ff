#include "upstream/completion_cache.h"

#include <fmt/format.h>

#include <list>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/random.h"
#include "upstream/played_model.h"

namespace brevet {
namespace {

void add(std::string& key, std::string_view part) {
  key += std::to_string(part.size());
  key += ':';
  key += part;
}

/// SHA-256 over everything that could change the answer. Empty where the call is not to be kept.
std::string key_of(const ModelCall& call, bool sampled) {
  if (!call.may_store || call.tenant.empty()) return {};
  const bool own = !call.messages.empty();
  std::string parts;
  add(parts, call.tenant);
  add(parts, call.configuration.key());
  std::optional<double> temperature = call.temperature;
  if (own) {
    for (const auto& message : call.messages) add(parts, message.role), add(parts, message.text);
  } else {
    // Without a hash nothing says that two requests are equal.
    if (!call.request || call.request->hash.empty() || call.request->n != 1) return {};
    // Token by token they are not kept, and a client that asks for them gets what it asks for.
    if (call.request->wants_logprobs) return {};
    add(parts, call.request->hash);
    add(parts, call.edits.system_prefix);
    add(parts, call.edits.last_user_prefix);
    add(parts, call.edits.last_user_suffix);
    if (!temperature) temperature = call.request->temperature;
  }
  if (!sampled && temperature.value_or(1) != 0) return {};
  add(parts, temperature ? fmt::format("{}", *temperature) : "");
  add(parts, fmt::format("{} {} {} {}", call.max_tokens.value_or(-1), call.more_tokens,
                         call.sample.value_or(-1), call.want_logprobs));
  return sha256_hex(parts);
}

bool keeps(const Answer& answer) {
  return answer.tool_calls.empty() && answer.finish_reason == "stop" && !answer.text.empty();
}

class CachingClient final : public PlayedModel {
 public:
  CachingClient(ModelClientPtr inner, CompletionCacheOptions options, Clock& clock)
      : inner_(std::move(inner)), options_(options), clock_(clock) {}

  Task<ModelOutcome> call(ModelCall call, StreamSink* sink) override {
    const auto key = key_of(call, options_.sampled);
    if (!key.empty()) {
      if (auto found = find(key)) {
        PlayedAnswer played;
        played.answer = std::move(*found);
        played.cost = {Money{}, CostBasis::kRecorded};
        played.id = hash_bytes(key);
        auto outcome = co_await play(std::move(played), std::move(call), sink);
        if (outcome) outcome->from_cache = true;
        co_return outcome;
      }
    }
    const bool streamed = call.stream && sink;
    auto outcome = co_await inner_->call(std::move(call), sink);
    if (!key.empty() && !streamed && outcome && keeps(outcome->answer)) keep(key, outcome->answer);
    co_return outcome;
  }
  ModelStatus status() const override {
    auto out = inner_->status();
    std::lock_guard lock(mutex_);
    out.cache_hits = hits_;
    out.cache_entries = entries_.size();
    out.cache_evicted = evicted_;
    return out;
  }
  Cost price(const Usage& usage) const override { return inner_->price(usage); }
  bool simulated() const override { return inner_->simulated(); }
  std::optional<Money> recorded_cost(const ChatRequest& request) const override {
    return inner_->recorded_cost(request);
  }

 private:
  struct Entry {
    std::string key;
    Answer answer;
    std::chrono::nanoseconds made{0};
    std::size_t bytes = 0;
  };

  std::optional<Answer> find(const std::string& key) {
    const auto now = clock_.steady();
    std::lock_guard lock(mutex_);
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return std::nullopt;
    if (now - found->second->made > options_.lifetime) {
      drop(found->second);
      return std::nullopt;
    }
    entries_.splice(entries_.begin(), entries_, found->second);
    ++hits_;
    return found->second->answer;
  }

  void keep(const std::string& key, Answer answer) {
    // The body is written anew, with an id and a time of its own.
    answer.body = {};
    const std::size_t bytes = sizeof(Entry) + 2 * key.size() + answer.text.size() + answer.reasoning.size();
    if (bytes > options_.answer_bytes_max || options_.entries_max == 0) return;
    const auto now = clock_.steady();
    std::lock_guard lock(mutex_);
    if (const auto found = by_key_.find(key); found != by_key_.end()) drop(found->second);
    entries_.push_front({key, std::move(answer), now, bytes});
    by_key_[key] = entries_.begin();
    bytes_ += bytes;
    while (entries_.size() > options_.entries_max || bytes_ > options_.bytes_max) {
      drop(std::prev(entries_.end()));
      ++evicted_;
    }
  }

  void drop(std::list<Entry>::iterator entry) {
    bytes_ -= entry->bytes;
    by_key_.erase(entry->key);
    entries_.erase(entry);
  }

  const ModelClientPtr inner_;
  const CompletionCacheOptions options_;
  Clock& clock_;
  mutable std::mutex mutex_;
  // guarded by mutex_
  std::list<Entry> entries_;  // newest use first
  std::unordered_map<std::string, std::list<Entry>::iterator> by_key_;
  std::size_t bytes_ = 0;
  std::uint64_t hits_ = 0, evicted_ = 0;
};

}  // namespace

ModelClientPtr make_caching_client(ModelClientPtr inner, CompletionCacheOptions options, Clock& clock) {
  return std::make_shared<CachingClient>(std::move(inner), options, clock);
}

}  // namespace brevet
