#include "features/text_features.h"

#include <string>

namespace brevet {
namespace {

class TextFeatures : public FeatureSource {
 public:
  TextFeatures(EmbeddingPool* pool, const LexicalOptions& options)
      : pool_(pool), options_(options), hash_(pool != nullptr ? pool->encoder().hash() : "none") {}

  Task<FeatureResult> features(std::shared_ptr<const ChatRequest> request) override {
    FeatureResult out;
    const std::string_view last = request->last_user_text();
    out.features.statistics = text_statistics(last);
    std::string text = pool_ != nullptr
                           ? embedding_text(pool_->encoder().tokenizer(), last, request->previous_user_text())
                           : std::string(last);
    out.features.words = lexical_features(text, options_);
    if (pool_ == nullptr) {
      out.degraded = "no_encoder";
    } else if (text.empty()) {
      out.degraded = "no_text";
    } else {
      auto embedding = co_await pool_->embed(std::move(text));
      if (embedding) {
        out.features.embedding = std::move(*embedding);
      } else {
        out.degraded = embedding.error().code;
      }
    }
    co_return out;
  }

  const std::string& encoder_hash() const override { return hash_; }

 private:
  EmbeddingPool* const pool_;
  const LexicalOptions options_;
  const std::string hash_;
};

}  // namespace

std::unique_ptr<FeatureSource> make_text_features(EmbeddingPool* pool, const LexicalOptions& options) {
  return std::make_unique<TextFeatures>(pool, options);
}

}  // namespace brevet
