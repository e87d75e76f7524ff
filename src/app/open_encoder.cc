#include "app/open_encoder.h"

#include <filesystem>

#include "app/paths.h"
#include "features/embedding_file.h"
#include "features/encoder.h"
#include "features/static_encoder.h"

namespace brevet {

Result<std::unique_ptr<EmbeddingPool>> open_embedding(const std::string& static_file,
                                                      const EmbeddingPoolOptions& options) {
  if (!static_file.empty()) {
    auto encoder = read_static_encoder(static_file);
    if (!encoder) return fail(encoder.error());
    return make_inline_embedding(std::move(*encoder));
  }
  EncoderOptions encoder_options;
  encoder_options.folder = encoder_folder();
  auto encoder = make_encoder(encoder_options);
  if (!encoder) return fail(encoder.error());
  return make_embedding_pool(std::move(*encoder), options);
}

Result<std::unique_ptr<EmbeddingPool>> open_classifier(const std::string& folder,
                                                       const EmbeddingPoolOptions& options) {
  EncoderOptions encoder_options;
  encoder_options.folder = folder;
  auto classifier = make_classifier(encoder_options);
  if (!classifier) return fail(classifier.error());
  return make_embedding_pool(std::move(*classifier), options);
}

std::string classifier_folder(const std::string& router_path, const RouterInfo& info) {
  if (info.kind != "bert") return {};
  return (std::filesystem::path(router_path).parent_path() / info.model).lexically_normal().string();
}

Result<KeptEmbedding> open_kept_embedding(const std::string& static_file, const EmbeddingPoolOptions& options,
                                          const std::string& cache_folder) {
  auto pool = open_embedding(static_file, options);
  if (!pool) return fail(pool.error());
  KeptEmbedding out{std::move(*pool), nullptr};
  if (!static_file.empty()) return out;
  std::error_code ignored;
  std::filesystem::create_directories(cache_folder, ignored);
  auto file = make_embedding_file(
      *out.pool, {cache_folder + "/embeddings-" + out.pool->encoder().hash().substr(0, 16) + ".bin"});
  if (!file) return fail(file.error());
  out.file = std::move(*file);
  return out;
}

}  // namespace brevet
