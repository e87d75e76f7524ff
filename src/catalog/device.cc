#include "catalog/device.h"

#include <algorithm>

namespace brevet {

const std::vector<Device>& device_profiles() {
  constexpr double kTera = 1e12, kGiga = 1e9;
  static const std::vector<Device> profiles = {
      {"iphone-16", "iPhone 16 (A18)", 35 * kTera, 8 * kGiga, 60 * kGiga, 0.5,
       "35 TOPS: 8-bit operations of the neural engine, as Apple states; 8 GB and 60 GB/s: "
       "64-bit LPDDR5X-7500; a program gets about half of the memory (assumed)"},
      {"a100-80gb", "NVIDIA A100 SXM 80 GB", 312 * kTera, 80 * kGiga, 2039 * kGiga, 0.9,
       "NVIDIA A100 data sheet: 312 TFLOPS dense in bfloat16, 2,039 GB/s; nine tenths of the memory "
       "(assumed)"},
      {"a100-40gb", "NVIDIA A100 40 GB", 312 * kTera, 40 * kGiga, 1555 * kGiga, 0.9,
       "NVIDIA A100 data sheet: 312 TFLOPS dense in bfloat16, 1,555 GB/s; nine tenths of the memory "
       "(assumed)"},
      {"desktop-cpu", "Desktop, 8 cores with AVX2, 32 GB DDR5-5600", 1.024 * kTera, 32 * kGiga, 89.6 * kGiga,
       0.75,
       "derived: 8 cores x 4 GHz x 32 operations a cycle (two 256-bit multiply-adds); 2 channels x 8 bytes x "
       "5.6 GT/s; three quarters of the memory (assumed)"},
  };
  return profiles;
}

const Device* find_device(std::string_view name) {
  for (const auto& device : device_profiles()) {
    if (device.name == name) return &device;
  }
  return nullptr;
}

const std::vector<Quantisation>& quantisations() {
  static const std::vector<Quantisation> list = {
      {"f16", 16, "two bytes a weight"},
      {"q8_0", 8.5, "32 weights in 34 bytes"},
      {"q6_k", 6.5625, "256 weights in 210 bytes"},
      {"q5_k", 5.5, "256 weights in 176 bytes"},
      {"q4_k", 4.5, "256 weights in 144 bytes"},
      {"q3_k", 3.4375, "256 weights in 110 bytes"},
      {"q2_k", 2.625, "256 weights in 84 bytes"},
  };
  return list;
}

const Quantisation* find_quantisation(std::string_view name) {
  for (const auto& row : quantisations()) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

std::optional<double> cache_bytes_per_token(const ModelFacts& model, double bytes_per_element) {
  if (!model.architecture) return std::nullopt;
  const auto& shape = *model.architecture;
  return 2.0 * shape.layers * shape.kv_heads * shape.head_size * bytes_per_element;
}

Fit estimate_fit(const ModelFacts& model, const Device& device, const Quantisation& quantisation,
                 const FitAssumptions& with) {
  Fit out{quantisation};
  const auto per_token = cache_bytes_per_token(model, with.cache_bytes);
  if (per_token) out.cache_bytes = *per_token * static_cast<double>(with.context_tokens);
  if (model.parameters) {
    out.weight_bytes = static_cast<double>(*model.parameters) * quantisation.bits / 8;
    out.overhead_bytes = *out.weight_bytes * with.overhead_share + with.overhead_bytes;
    out.memory_bytes = *out.weight_bytes + *out.overhead_bytes + out.cache_bytes.value_or(0);
    out.memory_is_lower_bound = !out.cache_bytes;
  }
  if (out.memory_bytes && device.memory_bytes) {
    const bool too_much = *out.memory_bytes > *device.memory_bytes * device.memory_share;
    out.fits = too_much ? Fits::kNo : out.memory_is_lower_bound ? Fits::kUnknown : Fits::kYes;
  }
  // A model whose active part is not known may be a mixture of experts, and far faster than its size.
  if (!model.active_parameters) return out;
  const auto active = static_cast<double>(*model.active_parameters);
  std::optional<double> by_compute, by_bandwidth;
  if (device.ops_per_second) by_compute = *device.ops_per_second * with.compute_share / (2 * active);
  if (device.bytes_per_second && per_token) {
    const auto read_tokens =
        std::min(static_cast<double>(with.context_tokens),
                 static_cast<double>(with.prompt_tokens) + static_cast<double>(with.answer_tokens) / 2);
    const double bytes = active * quantisation.bits / 8 + *per_token * read_tokens;
    by_bandwidth = *device.bytes_per_second * with.bandwidth_share / bytes;
  }
  out.prompt_tokens_per_second = by_compute;
  if (by_compute && by_bandwidth) {
    out.answer_is_compute_bound = *by_compute < *by_bandwidth;
    out.answer_tokens_per_second = std::min(*by_compute, *by_bandwidth);
    out.request_seconds = static_cast<double>(with.prompt_tokens) / *by_compute +
                          static_cast<double>(with.answer_tokens) / *out.answer_tokens_per_second;
  }
  return out;
}

std::vector<Fit> estimate_fits(const ModelFacts& model, const Device& device, const FitAssumptions& with) {
  std::vector<Fit> out;
  for (const auto& quantisation : quantisations())
    out.push_back(estimate_fit(model, device, quantisation, with));
  return out;
}

}  // namespace brevet
