// A router whose predictions a test writes down. For tests only.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "prompt/label_prompt.h"
#include "router/expert_model.h"
#include "router/router.h"

namespace brevet {

class FakeRouter final : public Router {
 public:
  explicit FakeRouter(std::string kind) {
    info_.kind = std::move(kind);
    info_.configurations = {"weak", "strong"};
    info_.encoder_hash = "none";
    info_.mean_cost_usd = {.0001, .001};
    if (info_.kind == "causal_llm") {
      info_.model = "asked";
      info_.model_hash = label_prompt_hash(info_.model);
    }
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

/// Experts weak and strong; an answer is right with .9 where both say the same, with .4 where they do not.
inline RouterPtr expert_router() {
  auto artefact = std::make_shared<Artefact>();
  artefact->info.kind = kMore;
  artefact->info.configurations = {"weak", "strong"};
  artefact->info.encoder_hash = "none";
  // Feature 25 counts the experts that say the same.
  artefact->tensors["forest.nodes"] = {{3, 3}, {25, 1.5F, 1, -1, 0, 0, -1, 0, 1}};
  artefact->tensors["forest.roots"] = {{1}, {0}};
  artefact->tensors["forest.values"] = {{2, 1}, {.4F, .9F}};
  return *make_expert_router(std::move(artefact));
}

}  // namespace brevet
