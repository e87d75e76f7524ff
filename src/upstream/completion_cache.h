// An exact completion cache in front of one model: the same call of the same tenant is answered from memory.
//
// Wrapped around a client by app where a model's configuration has `cache_entries`. Thread-safe. After
// FrugalGPT's completion cache (arXiv 2305.05176, section 3), which is exact as well: similar is not the
// same. What is kept: whole answers of calls that repeat themselves by their own word (temperature 0), or all
// where the operator says so. A call matches when tenant, messages, tools, parameters and everything that we
// added are equal. Not kept: answers with tool calls, cut or filtered ones, of tenants or routes that store
// nothing, and what was streamed. A hit costs nothing, is known to cost nothing, and is counted. In memory
// only; a restart or reload begins anew. Does not look at meanings.
#pragma once

#include <chrono>
#include <cstddef>

#include "base/clock.h"
#include "upstream/model_client.h"

namespace brevet {

struct CompletionCacheOptions {
  std::size_t entries_max = 1000;             ///< least recently used ones go first
  std::size_t bytes_max = 64U * 1024 * 1024;  ///< of keys and answers together
  std::size_t answer_bytes_max = 256U * 1024;
  std::chrono::seconds lifetime{3600};
  bool sampled = false;  ///< keep answers to calls with a temperature over 0 too: every client gets the first
};

ModelClientPtr make_caching_client(ModelClientPtr inner, CompletionCacheOptions options, Clock& clock);

}  // namespace brevet
