// Goal: the pool is bounded, computes a text once, resumes callers where they were, and lets cancelled ones
// go. Method: an encoder whose computations the test holds at a gate, driven by real coroutines on one
// io_context.
#include "features/embedding_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "features/text_features.h"

namespace brevet {
namespace {

class GatedEncoder : public SentenceEncoder {
 public:
  GatedEncoder()
      : tokenizer_(*WordPiece::create("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" + std::string("a\n"))) {}

  Result<Embedding> embed(std::string_view text) const override {
    std::unique_lock lock(mutex_);
    ++entered_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    if (text == "bad") return fail(ErrorKind::kInternal, "encoder_failed", "no");
    return Embedding{static_cast<float>(text.size()), 0.0F};
  }
  std::vector<std::int32_t> encode(std::string_view text) const override { return tokenizer_->encode(text); }
  std::size_t dimension() const override { return 2; }
  const std::string& hash() const override { return hash_; }
  const WordPiece& tokenizer() const override { return *tokenizer_; }

  void open() {
    std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait_until_entered(int times) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return entered_ >= times; });
  }
  int entered() const {
    std::lock_guard lock(mutex_);
    return entered_;
  }

 private:
  const std::shared_ptr<const WordPiece> tokenizer_;
  const std::string hash_ = "fake";
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  mutable int entered_ = 0;  // guarded by mutex_
  bool open_ = false;        // guarded by mutex_
};

struct Answer {
  std::string code = "pending";  // empty after success
  float first = -1;
  std::thread::id resumed_on;
};

Task<void> ask(EmbeddingPool& pool, std::string text, Answer& answer) {
  co_await asio::this_coro::throw_if_cancelled(false);
  auto result = co_await pool.embed(std::move(text));
  answer.resumed_on = std::this_thread::get_id();
  answer.code = result ? "" : result.error().code;
  if (result) answer.first = (**result)[0];
}

struct EmbeddingPoolTest : testing::Test {
  std::unique_ptr<EmbeddingPool> pool(EmbeddingPoolOptions options = {}) {
    return make_embedding_pool(encoder, options);
  }
  void spawn(EmbeddingPool& to, std::string text, Answer& answer) {
    asio::co_spawn(io, ask(to, std::move(text), answer), asio::detached);
  }
  std::shared_ptr<GatedEncoder> encoder = std::make_shared<GatedEncoder>();
  asio::io_context io;
};

TEST_F(EmbeddingPoolTest, computes_resumes_on_the_callers_thread_and_remembers) {
  encoder->open();
  const auto pool = this->pool();
  Answer first, second;
  spawn(*pool, "abc", first);
  io.run();
  EXPECT_EQ(first.code, "");
  EXPECT_EQ(first.first, 3);
  EXPECT_EQ(first.resumed_on, std::this_thread::get_id());
  io.restart();
  spawn(*pool, "abc", second);
  io.run();
  EXPECT_EQ(second.first, 3);
  EXPECT_EQ(pool->counts().computed, 1u);
  EXPECT_EQ(pool->counts().cached, 1u);
}

TEST_F(EmbeddingPoolTest, identical_texts_at_the_same_time_are_computed_once) {
  const auto pool = this->pool({.threads = 2});
  std::vector<Answer> answers(5);
  for (auto& answer : answers) spawn(*pool, "same", answer);
  io.poll();
  encoder->wait_until_entered(1);
  encoder->open();
  io.run();
  for (const auto& answer : answers) EXPECT_EQ(answer.first, 4);
  EXPECT_EQ(encoder->entered(), 1);
  EXPECT_EQ(pool->counts().joined, 4u);
}

TEST_F(EmbeddingPoolTest, a_full_queue_refuses_at_once_and_counts) {
  const auto pool = this->pool({.queue_max = 1});
  Answer running, queued, refused;
  spawn(*pool, "1", running);
  io.poll();
  encoder->wait_until_entered(1);
  spawn(*pool, "22", queued);
  spawn(*pool, "333", refused);
  io.poll();
  EXPECT_EQ(refused.code, "encoder_overloaded");
  EXPECT_EQ(queued.code, "pending");
  EXPECT_EQ(pool->counts().refused, 1u);
  EXPECT_EQ(pool->counts().queued, 1u);
  encoder->open();
  io.run();
  EXPECT_EQ(running.first, 1);
  EXPECT_EQ(queued.first, 2);
}

TEST_F(EmbeddingPoolTest, too_many_callers_of_one_text_are_refused) {
  const auto pool = this->pool({.waiters_max = 2});
  std::vector<Answer> answers(3);
  for (auto& answer : answers) spawn(*pool, "same", answer);
  io.poll();
  EXPECT_EQ(answers[2].code, "encoder_overloaded");
  encoder->open();
  io.run();
  EXPECT_EQ(answers[1].first, 4);
}

TEST_F(EmbeddingPoolTest, a_cancelled_caller_resumes_and_its_text_is_not_computed) {
  const auto pool = this->pool();
  Answer running, gone;
  asio::cancellation_signal hang_up;
  spawn(*pool, "1", running);
  io.poll();
  encoder->wait_until_entered(1);
  asio::co_spawn(io, ask(*pool, "22", gone), asio::bind_cancellation_slot(hang_up.slot(), asio::detached));
  io.poll();
  EXPECT_EQ(gone.code, "pending");
  hang_up.emit(asio::cancellation_type::terminal);
  io.poll();
  EXPECT_EQ(gone.code, "cancelled");
  encoder->open();
  io.run();
  EXPECT_EQ(running.first, 1);
  // A third text passes the abandoned one in the queue.
  Answer last;
  io.restart();
  spawn(*pool, "333", last);
  io.run();
  EXPECT_EQ(last.first, 3);
  EXPECT_EQ(pool->counts().abandoned, 1u);
  EXPECT_EQ(encoder->entered(), 2);
}

TEST_F(EmbeddingPoolTest, failures_reach_every_caller_and_are_not_remembered) {
  encoder->open();
  const auto pool = this->pool();
  for (int i = 0; i < 2; ++i) {
    Answer answer;
    spawn(*pool, "bad", answer);
    io.run();
    io.restart();
    EXPECT_EQ(answer.code, "encoder_failed");
  }
  EXPECT_EQ(pool->counts().failed, 2u);
  EXPECT_EQ(pool->counts().cached, 0u);
}

TEST_F(EmbeddingPoolTest, the_cache_forgets_the_least_recently_used) {
  encoder->open();
  const auto pool = this->pool({.cache_max = 64});
  for (int i = 0; i < 400; ++i) {
    Answer answer;
    spawn(*pool, std::to_string(i), answer);
    io.run();
    io.restart();
  }
  EXPECT_EQ(pool->counts().computed, 400u);
  int remembered = 0;
  for (int i = 399; i >= 0; --i) {
    const auto before = pool->counts().cached;
    Answer answer;
    spawn(*pool, std::to_string(i), answer);
    io.run();
    io.restart();
    if (pool->counts().cached == before) break;
    ++remembered;
  }
  EXPECT_GT(remembered, 0);
  EXPECT_LE(remembered, 64);
}

TEST_F(EmbeddingPoolTest, destruction_answers_those_who_wait) {
  auto pool = this->pool();
  Answer running, queued;
  spawn(*pool, "1", running);
  spawn(*pool, "22", queued);
  io.poll();
  encoder->wait_until_entered(1);
  std::thread end([&] { pool.reset(); });
  encoder->open();
  end.join();
  io.run();
  EXPECT_NE(running.code, "pending");
  EXPECT_TRUE(queued.code == "encoder_stopped" || queued.code.empty()) << queued.code;
}

Task<void> look(FeatureSource& source, std::shared_ptr<const ChatRequest> request, FeatureResult& out) {
  out = co_await source.features(std::move(request));
}

TEST_F(EmbeddingPoolTest, features_of_a_request_say_why_the_embedding_is_missing) {
  encoder->open();
  const auto pool = this->pool();
  const auto request = std::make_shared<ChatRequest>();
  ChatMessage message;
  message.role = "user";
  message.text = "hello 42 world";
  request->messages.push_back(message);
  const auto empty = std::make_shared<ChatRequest>();

  FeatureResult with, without, no_text;
  const auto source = make_text_features(pool.get()), plain = make_text_features(nullptr);
  asio::co_spawn(io, look(*source, request, with), asio::detached);
  asio::co_spawn(io, look(*plain, request, without), asio::detached);
  asio::co_spawn(io, look(*source, empty, no_text), asio::detached);
  io.run();
  ASSERT_TRUE(with.features.embedding);
  EXPECT_EQ(with.degraded, "");
  EXPECT_EQ(with.features.statistics.words, 3u);
  EXPECT_EQ(with.features.words.index.size(), 5u);
  EXPECT_EQ(source->encoder_hash(), "fake");
  EXPECT_FALSE(without.features.embedding);
  EXPECT_EQ(without.degraded, "no_encoder");
  EXPECT_EQ(plain->encoder_hash(), "none");
  EXPECT_EQ(without.features.words.index, with.features.words.index);
  EXPECT_EQ(no_text.degraded, "no_text");
}

}  // namespace
}  // namespace brevet
