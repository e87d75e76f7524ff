// A router whose predictions a test writes down. For tests only.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "router/router.h"

namespace brevet {

class FakeRouter final : public Router {
 public:
  explicit FakeRouter(std::string kind) {
    info_.kind = std::move(kind);
    info_.configurations = {"weak", "strong"};
    info_.encoder_hash = "none";
    info_.mean_cost_usd = {.0001, .001};
    prediction = RouterPrediction{{.6F, .8F}, .2, 1};
  }
  const RouterInfo& info() const override { return info_; }
  std::optional<RouterPrediction> predict(const RequestFeatures& features) const override {
    // Odd statistics stand for a request of which nothing is known, so that one router shows every way.
    if (features.statistics.words == kUnknownWords) return std::nullopt;
    return prediction;
  }

  static constexpr std::uint32_t kUnknownWords = 77;
  RouterInfo info_;
  std::optional<RouterPrediction> prediction;
};

}  // namespace brevet
