// Goal: memory and speed follow the stated formulas, and what is not known gives no number. Method: figures
// computed by hand (in the comments) for models and devices whose numbers are published.
#include "catalog/device.h"

#include <gtest/gtest.h>

#include "catalog/model_catalogue.h"

namespace brevet {
namespace {

const ModelFacts& model(const char* name) {
  return *ModelCatalogue::embedded().find(name);
}

Fit fit(const char* name, const char* device, const char* quantisation, FitAssumptions with = {}) {
  return estimate_fit(model(name), *find_device(device), *find_quantisation(quantisation), with);
}

TEST(Device, BitsAreThoseOfTheBlockLayout) {
  // A block's bytes x 8 / its weights: 34 x 8 / 32, 210 x 8 / 256, 176, 144, 110, 84.
  const double expected[] = {16, 8.5, 6.5625, 5.5, 4.5, 3.4375, 2.625};
  ASSERT_EQ(quantisations().size(), std::size(expected));
  for (std::size_t i = 0; i < std::size(expected); ++i)
    EXPECT_DOUBLE_EQ(quantisations()[i].bits, expected[i]);
}

TEST(Device, MemoryOfLlama8bByHand) {
  // Cache of a token: 2 x 32 layers x 8 heads x 128 x 2 bytes = 131,072; of 4,096 tokens 512 MiB.
  EXPECT_DOUBLE_EQ(*cache_bytes_per_token(model("llama-3.1-8b-instruct"), 2), 131'072);
  const auto f16 = fit("llama-3.1-8b-instruct", "a100-80gb", "f16");
  EXPECT_DOUBLE_EQ(*f16.weight_bytes, 16'060'522'496.0);
  EXPECT_DOUBLE_EQ(*f16.cache_bytes, 536'870'912.0);
  // 5% of the weights and 256 MiB.
  EXPECT_NEAR(*f16.overhead_bytes, 1'071'461'580.8, 1);
  EXPECT_NEAR(*f16.memory_bytes, 17'668'854'988.8, 1);
  EXPECT_EQ(f16.fits, Fits::kYes);
  const auto q4 = fit("llama-3.1-8b-instruct", "iphone-16", "q4_k");
  EXPECT_DOUBLE_EQ(*q4.weight_bytes, 4'517'021'952.0);
  EXPECT_NEAR(*q4.memory_bytes, 5'548'179'417.6, 1);
  EXPECT_EQ(q4.fits, Fits::kNo) << "half of 8 GB is 4 GB";
}

TEST(Device, SpeedOfLlama8bOnAnA100ByHand) {
  const auto f16 = fit("llama-3.1-8b-instruct", "a100-80gb", "f16");
  // Prompt: 312e12 x .4 / (2 x 8.030e9) = 7,770.6 tokens/s.
  EXPECT_NEAR(*f16.prompt_tokens_per_second, 7'770.60647, 1e-4);
  // Answer: 2,039e9 x .7 / (16.06e9 + 131,072 x (1,000 + 125)) = 88.06 tokens/s, bound by bandwidth.
  EXPECT_NEAR(*f16.answer_tokens_per_second, 88.061568, 1e-5);
  EXPECT_FALSE(f16.answer_is_compute_bound);
  // 1,000 / 7,770.6 + 250 / 88.06.
  EXPECT_NEAR(*f16.request_seconds, 2.967613, 1e-5);
}

TEST(Device, AMixtureReadsItsActivePartAndHoldsTheWhole) {
  const auto q4 = fit("mixtral-8x7b-instruct-v0.1", "desktop-cpu", "q4_k");
  EXPECT_DOUBLE_EQ(*q4.weight_bytes, 26'270'320'896.0) << "46.7e9 x 4.5 / 8";
  // 89.6e9 x .7 / (12.9e9 x 4.5 / 8 + 131,072 x 1,125).
  EXPECT_NEAR(*q4.answer_tokens_per_second, 8.471433, 1e-5);
  EXPECT_NEAR(*q4.prompt_tokens_per_second, 15.875969, 1e-5);
  EXPECT_EQ(q4.fits, Fits::kNo) << "28.4 GB of 24";
}

TEST(Device, TheSlowerOfComputeAndBandwidthBinds) {
  auto device = *find_device("desktop-cpu");
  device.bytes_per_second = 1e15;
  const auto out =
      estimate_fit(model("llama-3.1-8b-instruct"), device, *find_quantisation("q4_k"), FitAssumptions{});
  EXPECT_TRUE(out.answer_is_compute_bound);
  EXPECT_DOUBLE_EQ(*out.answer_tokens_per_second, *out.prompt_tokens_per_second);
}

TEST(Device, ACacheIsReadNoFurtherThanItsRoom) {
  FitAssumptions with;
  with.context_tokens = 512;
  const auto out = fit("llama-3.1-8b-instruct", "a100-80gb", "f16", with);
  EXPECT_NEAR(*out.answer_tokens_per_second, 2039e9 * .7 / (16'060'522'496.0 + 131'072.0 * 512), 1e-9);
}

TEST(Device, WhatIsNotKnownGivesNoNumber) {
  const auto& known = model("llama-3.1-8b-instruct");
  const auto& q4 = *find_quantisation("q4_k");
  ModelFacts nothing;
  const auto none = estimate_fit(nothing, *find_device("a100-80gb"), q4, {});
  EXPECT_FALSE(none.weight_bytes || none.memory_bytes || none.prompt_tokens_per_second ||
               none.answer_tokens_per_second || none.request_seconds);
  EXPECT_EQ(none.fits, Fits::kUnknown);
  auto no_cache = known;
  no_cache.architecture.reset();
  const auto lower = estimate_fit(no_cache, *find_device("a100-80gb"), q4, {});
  EXPECT_TRUE(lower.memory_is_lower_bound);
  EXPECT_EQ(lower.fits, Fits::kUnknown) << "the weights fit, the cache may not";
  EXPECT_FALSE(lower.answer_tokens_per_second) << "the cache is read too";
  EXPECT_TRUE(lower.prompt_tokens_per_second);
  EXPECT_EQ(estimate_fit(no_cache, *find_device("iphone-16"), q4, {}).fits, Fits::kNo) << "without any cache";
  auto no_active = known;
  no_active.active_parameters.reset();
  EXPECT_FALSE(estimate_fit(no_active, *find_device("a100-80gb"), q4, {}).prompt_tokens_per_second);
  Device bare;
  EXPECT_EQ(estimate_fit(known, bare, q4, {}).fits, Fits::kUnknown);
  EXPECT_FALSE(estimate_fit(known, bare, q4, {}).answer_tokens_per_second);
  EXPECT_EQ(find_device("toaster"), nullptr);
  EXPECT_EQ(find_quantisation("q1"), nullptr);
}

}  // namespace
}  // namespace brevet
