#include "app/embed_texts.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "app/commands.h"
#include "app/open_encoder.h"
#include "app/paths.h"
#include "base/async.h"
#include "features/embedding_pool.h"
#include "features/encoder.h"
#include "features/lexical.h"

namespace brevet {
namespace {

constexpr std::size_t kInFlight = 256;

Task<void> embed_one(EmbeddingPool* pool, EmbeddingPool* classifier, std::string text, RequestFeatures* into,
                     std::size_t* failed) {
  if (classifier) {
    auto copy = text;
    auto classes = co_await classifier->embed(std::move(copy));
    if (classes) {
      into->classified = std::move(*classes);
    } else {
      ++*failed;
    }
  }
  auto embedded = co_await pool->embed(std::move(text));
  if (embedded) {
    into->embedding = std::move(*embedded);
  } else {
    ++*failed;
  }
}

class Embedder final : public TextEmbedder {
 public:
  Embedder(KeptEmbedding embedding, std::unique_ptr<EmbeddingPool> classifier)
      : embedding_(std::move(embedding)),
        classifier_(std::move(classifier)),
        classifier_hash_(classifier_ ? classifier_->encoder().hash() : "") {}
  const std::string& classifier_hash() const override { return classifier_hash_; }
  const std::string& encoder_hash() const override { return embedding_.pool->encoder().hash(); }

  Result<std::vector<RequestFeatures>> embed(const std::vector<std::string>& texts) override {
    std::vector<RequestFeatures> out(texts.size());
    std::size_t failed = 0;
    asio::io_context context(1);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      auto text = embedding_text(embedding_.pool->encoder().tokenizer(), texts[i], {});
      out[i].statistics = text_statistics(texts[i]);
      out[i].words = lexical_features(text);
      // An empty text has no embedding, here as in serving.
      if (!text.empty())
        asio::co_spawn(context,
                       embed_one(&embedding_.use(), classifier_.get(), std::move(text), &out[i], &failed),
                       asio::detached);
      if (i % kInFlight != kInFlight - 1 && i + 1 < texts.size()) continue;
      context.run();
      context.restart();
      tell(i + 1, texts.size());
      if (interrupted()) {
        end_line();
        return fail(ErrorKind::kCancelled, "interrupted",
                    "Interrupted while texts were embedded; those that are done are kept.");
      }
    }
    end_line();
    if (failed > 0) {
      return fail(ErrorKind::kInternal, "encoder_failed",
                  fmt::format("{} of {} texts could not be embedded.", failed, texts.size()));
    }
    return out;
  }

 private:
  void tell(std::size_t done, std::size_t all) {
    const auto now = std::chrono::steady_clock::now();
    const bool terminal = isatty(STDERR_FILENO) != 0;
    if (now - last_ < (terminal ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000))) return;
    last_ = now;
    fmt::print(stderr, "{}embedded {} of {} texts{}", terminal ? "\r\033[K" : "", done, all,
               terminal ? "" : "\n");
    drawn_ = terminal;
    std::fflush(stderr);
  }
  void end_line() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
    drawn_ = false;
  }

  KeptEmbedding embedding_;
  const std::unique_ptr<EmbeddingPool> classifier_;  ///< or null
  const std::string classifier_hash_;
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  bool drawn_ = false;
};

}  // namespace

Result<std::unique_ptr<TextEmbedder>> make_text_embedder(int threads, const std::string& static_encoder,
                                                         const std::string& classifier) {
  EmbeddingPoolOptions options;
  options.threads =
      threads > 0 ? threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  auto embedding = open_kept_embedding(static_encoder, options, eval_cache_folder());
  if (!embedding) return fail(embedding.error());
  std::unique_ptr<EmbeddingPool> classes;
  if (!classifier.empty()) {
    auto opened = open_classifier(classifier, options);
    if (!opened) return fail(opened.error());
    classes = std::move(*opened);
  }
  return std::make_unique<Embedder>(std::move(*embedding), std::move(classes));
}

}  // namespace brevet
