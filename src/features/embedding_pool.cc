#include "features/embedding_pool.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/bounded_queue.h"
#include "base/random.h"

namespace brevet {
namespace {

using EmbeddingResult = Result<std::shared_ptr<const Embedding>>;
/// Texts are told apart by 256 bits, so that nobody can make two of them meet in the cache.
using Key = std::string;

/// One suspended caller; completes once, by the result or by cancellation, on the caller's executor.
struct Waiter {
  std::atomic<bool> done = false;
  std::function<void(EmbeddingResult)> resume;  // posts; called by whoever sets `done`

  void complete(EmbeddingResult result) {
    if (done.exchange(true)) return;
    // Moved out, so that the caller's io_context is released with this call and not with the flight.
    const auto once = std::move(resume);
    once(std::move(result));
  }
};

struct Flight {
  Key key;
  std::string text;
  std::vector<std::shared_ptr<Waiter>> waiters;  // guarded by the shard's mutex
};

/// Least recently used goes first. Not thread-safe.
class Recent {
 public:
  std::shared_ptr<const Embedding> find(const Key& key) {
    const auto found = index_.find(key);
    if (found == index_.end()) return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return found->second->second;
  }

  void put(const Key& key, std::shared_ptr<const Embedding> embedding, std::size_t most) {
    if (most == 0 || index_.contains(key)) return;
    if (order_.size() >= most) {
      index_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, std::move(embedding));
    index_.emplace(key, order_.begin());
  }

 private:
  std::list<std::pair<Key, std::shared_ptr<const Embedding>>> order_;
  std::unordered_map<Key, decltype(order_)::iterator> index_;
};

struct Shard {
  std::mutex mutex;
  Recent recent;                                             // guarded by mutex
  std::unordered_map<Key, std::shared_ptr<Flight>> flights;  // guarded by mutex
};

class Pool : public EmbeddingPool {
 public:
  Pool(std::shared_ptr<const SentenceEncoder> encoder, const EmbeddingPoolOptions& options)
      : encoder_(std::move(encoder)), options_(options), queue_(options.queue_max) {
    assert(encoder_ != nullptr);
    for (int i = 0; i < std::max(1, options.threads); ++i) workers_.emplace_back([this] { work(); });
  }

  ~Pool() override {
    stopping_ = true;
    queue_.close();
    for (auto& worker : workers_) worker.join();
  }

  Task<EmbeddingResult> embed(std::string text) override {
    Key key = sha256_hex(text);
    if (auto hit = recall(key)) co_return hit;
    co_return co_await asio::async_initiate<const asio::use_awaitable_t<>, void(EmbeddingResult)>(
        [this, &key, &text](auto handler) {
          enter(std::move(key), std::move(text), make_waiter(std::move(handler)));
        },
        asio::use_awaitable);
  }

  const SentenceEncoder& encoder() const override { return *encoder_; }

  EmbeddingPoolCounts counts() const override {
    EmbeddingPoolCounts out;
    out.computed = computed_;
    out.cached = cached_;
    out.joined = joined_;
    out.refused = refused_;
    out.failed = failed_;
    out.abandoned = abandoned_;
    out.queued = queue_.size();
    return out;
  }

 private:
  Shard& shard_of(const Key& key) { return shards_[hash_bytes(key) % kShards]; }

  std::shared_ptr<const Embedding> recall(const Key& key) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    auto hit = shard.recent.find(key);
    if (hit) ++cached_;
    return hit;
  }

  template <class Handler>
  static std::shared_ptr<Waiter> make_waiter(Handler&& handler) {
    auto kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler));
    auto slot = asio::get_associated_cancellation_slot(*kept);
    // Tracked, so that the caller's io_context stays alive while its only work is this wait.
    auto tracked =
        asio::prefer(asio::get_associated_executor(*kept), asio::execution::outstanding_work.tracked);
    auto waiter = std::make_shared<Waiter>();
    // Called once. The handler goes along with the post and the work ends with the call: neither may be left
    // for a pool thread to destroy, for the caller's io_context may have ended by then.
    waiter->resume = [kept = std::move(kept), slot,
                      tracked = std::move(tracked)](EmbeddingResult result) mutable {
      const auto executor = std::move(tracked);
      asio::post(executor, [kept = std::move(kept), slot, result = std::move(result)]() mutable {
        if (slot.is_connected()) slot.clear();
        (*kept)(std::move(result));
      });
    };
    if (slot.is_connected()) {
      slot.assign([weak = std::weak_ptr<Waiter>(waiter)](asio::cancellation_type) {
        if (auto alive = weak.lock()) {
          alive->complete(
              fail(ErrorKind::kCancelled, "cancelled", "The caller went away while its text was embedded."));
        }
      });
    }
    return waiter;
  }

  void enter(Key key, std::string text, std::shared_ptr<Waiter> waiter) {
    Shard& shard = shard_of(key);
    EmbeddingResult now;
    {
      std::lock_guard lock(shard.mutex);
      if (const auto at = shard.flights.find(key); at != shard.flights.end()) {
        if (at->second->waiters.size() < options_.waiters_max) {
          at->second->waiters.push_back(std::move(waiter));
          ++joined_;
          return;
        }
        now = refused();
      } else if (auto hit = shard.recent.find(key)) {
        ++cached_;
        now = std::move(hit);
      } else {
        auto flight = std::make_shared<Flight>(Flight{key, std::move(text), {waiter}});
        if (queue_.try_push(std::shared_ptr<Flight>(flight))) {
          shard.flights.emplace(std::move(key), std::move(flight));
          return;
        }
        now = refused();
      }
    }
    waiter->complete(std::move(now));
  }

  EmbeddingResult refused() {
    ++refused_;
    return fail(ErrorKind::kOverloaded, "encoder_overloaded",
                "The sentence encoder has its bound of texts waiting; give it more threads or send less.");
  }

  void work() {
    for (auto batch = queue_.pop_batch(1); !batch.empty(); batch = queue_.pop_batch(1)) {
      const std::shared_ptr<Flight>& flight = batch.front();
      Shard& shard = shard_of(flight->key);
      if (abandon(shard, *flight)) continue;
      EmbeddingResult result = compute(*flight);
      std::vector<std::shared_ptr<Waiter>> waiters;
      {
        std::lock_guard lock(shard.mutex);
        if (result) shard.recent.put(flight->key, *result, options_.cache_max / kShards);
        waiters.swap(flight->waiters);
        shard.flights.erase(flight->key);
      }
      for (auto& waiter : waiters) waiter->complete(result);
    }
  }

  /// True when nobody waits for the text any more; the flight is then gone.
  bool abandon(Shard& shard, const Flight& flight) {
    std::lock_guard lock(shard.mutex);
    for (const auto& waiter : flight.waiters) {
      if (!waiter->done) return false;
    }
    shard.flights.erase(flight.key);
    ++abandoned_;
    return true;
  }

  EmbeddingResult compute(const Flight& flight) {
    if (stopping_) return fail(ErrorKind::kInternal, "encoder_stopped", "The gateway is shutting down.");
    auto embedding = encoder_->embed(flight.text);
    if (!embedding) {
      ++failed_;
      return fail(embedding.error());
    }
    ++computed_;
    return std::make_shared<const Embedding>(std::move(*embedding));
  }

  static constexpr std::size_t kShards = 16;
  const std::shared_ptr<const SentenceEncoder> encoder_;
  const EmbeddingPoolOptions options_;

  std::array<Shard, kShards> shards_;
  BoundedQueue<std::shared_ptr<Flight>> queue_;
  std::atomic<bool> stopping_ = false;
  std::atomic<std::uint64_t> computed_ = 0, cached_ = 0, joined_ = 0, refused_ = 0, failed_ = 0,
                             abandoned_ = 0;
  std::vector<std::thread> workers_;
};

class Inline final : public EmbeddingPool {
 public:
  explicit Inline(std::shared_ptr<const SentenceEncoder> encoder) : encoder_(std::move(encoder)) {}

  Task<EmbeddingResult> embed(std::string text) override {
    auto embedding = encoder_->embed(text);
    if (!embedding) {
      ++failed_;
      co_return fail(embedding.error());
    }
    ++computed_;
    co_return std::make_shared<const Embedding>(std::move(*embedding));
  }
  const SentenceEncoder& encoder() const override { return *encoder_; }
  EmbeddingPoolCounts counts() const override {
    EmbeddingPoolCounts out;
    out.computed = computed_;
    out.failed = failed_;
    return out;
  }

 private:
  const std::shared_ptr<const SentenceEncoder> encoder_;
  std::atomic<std::uint64_t> computed_ = 0, failed_ = 0;
};

}  // namespace

std::unique_ptr<EmbeddingPool> make_embedding_pool(std::shared_ptr<const SentenceEncoder> encoder,
                                                   const EmbeddingPoolOptions& options) {
  return std::make_unique<Pool>(std::move(encoder), options);
}

std::unique_ptr<EmbeddingPool> make_inline_embedding(std::shared_ptr<const SentenceEncoder> encoder) {
  return std::make_unique<Inline>(std::move(encoder));
}

}  // namespace brevet
