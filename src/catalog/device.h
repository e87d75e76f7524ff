// Can a model run on a device, and how fast? Memory and speed from a few published numbers, by formulas that
// docs/choosing-a-model.md states with their assumptions.
//
// Used by the choice of models and `brevet models show`. Pure. An estimate to choose by, not a measurement:
// it knows no kernels, no heat and no batch.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/model_facts.h"

namespace brevet {

struct Device {
  std::string name;
  std::string title;
  std::optional<double> ops_per_second;    ///< peak, a multiply and an add being two
  std::optional<double> memory_bytes;      ///< of the device
  std::optional<double> bytes_per_second;  ///< peak of its memory
  double memory_share = 0.9;               ///< of the memory that a model may have
  std::string source;                      ///< where each number is from
};
/// iphone-16, a100-80gb, a100-40gb, desktop-cpu.
const std::vector<Device>& device_profiles();
const Device* find_device(std::string_view name);

/// Bits per weight that a block format really takes, its scales included.
struct Quantisation {
  const char* name;
  double bits;
  const char* layout;  ///< where the number is from
};
/// From the largest to the smallest.
const std::vector<Quantisation>& quantisations();
const Quantisation* find_quantisation(std::string_view name);

/// Assumptions, each of which a user may replace.
struct FitAssumptions {
  std::int64_t context_tokens = 4096;  ///< that the cache has room for
  std::int64_t prompt_tokens = 1000;   ///< of the request whose time is estimated
  std::int64_t answer_tokens = 250;
  double compute_share = 0.4;                   ///< of the peak operations that a prompt reaches
  double bandwidth_share = 0.7;                 ///< of the peak bandwidth that generation reaches
  double cache_bytes = 2;                       ///< per element of the cache (f16)
  double overhead_share = 0.05;                 ///< of the weights, for buffers
  double overhead_bytes = 256.0 * 1024 * 1024;  ///< and as much beside, for the program
};

enum class Fits { kYes, kNo, kUnknown };

/// Empty = not known, because a number that it needs is not.
struct Fit {
  Quantisation quantisation;
  std::optional<double> weight_bytes;
  std::optional<double> cache_bytes;  ///< at context_tokens
  std::optional<double> overhead_bytes;
  /// Weights, cache and overhead; without a known cache the sum of the rest, which is too small.
  std::optional<double> memory_bytes;
  bool memory_is_lower_bound = false;
  Fits fits = Fits::kUnknown;  ///< kNo also where the lower bound alone is too much
  std::optional<double> prompt_tokens_per_second;
  std::optional<double> answer_tokens_per_second;
  bool answer_is_compute_bound = false;  ///< else bound by bandwidth
  std::optional<double> request_seconds;
};

/// 2 x layers x kv_heads x head_size x bytes: keys and values of one token.
std::optional<double> cache_bytes_per_token(const ModelFacts& model, double bytes_per_element);

/// weights = parameters x bits / 8
/// memory  = weights + cache bytes per token x context + overhead
/// prompt  : tokens/s = ops x compute_share / (2 x active parameters)
/// answer  : tokens/s = the smaller of that and bandwidth x bandwidth_share / bytes read per token, which are
///           the active weights and the cache of prompt_tokens + answer_tokens / 2 (not more than the
///           context)
/// request = prompt_tokens / prompt speed + answer_tokens / answer speed
Fit estimate_fit(const ModelFacts& model, const Device& device, const Quantisation& quantisation,
                 const FitAssumptions& assumptions);

/// One for each quantisation, from the largest to the smallest.
std::vector<Fit> estimate_fits(const ModelFacts& model, const Device& device,
                               const FitAssumptions& assumptions);

}  // namespace brevet
