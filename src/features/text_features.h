// The feature source of the product: embedding through the pool, words and counts computed in place.
//
// Made by app, called by gateway on the request path. Thread-safe. Without a pool it gives words and counts
// only.
#pragma once

#include <memory>

#include "features/embedding_pool.h"
#include "features/feature_source.h"
#include "features/lexical.h"

namespace brevet {

/// `pool` may be null ("no_encoder") and must outlive the source otherwise. The words are those of the
/// embedded text, the statistics those of the last user message. Reasons for a missing embedding: no_encoder,
/// no_text, encoder_overloaded, encoder_failed, encoder_stopped, cancelled.
std::unique_ptr<FeatureSource> make_text_features(EmbeddingPool* pool, const LexicalOptions& options = {});

}  // namespace brevet
