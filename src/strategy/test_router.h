// A router whose predictions a test writes down. For tests only.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "prompt/label_prompt.h"
#include "router/cascade_model.h"
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

  const CascadeModel* cascade() const override { return is_cascade(info_) ? cascade_model().get() : nullptr; }

  /// Weak, then strong where the weak answer's log-probability is low; reads nothing else.
  static const std::shared_ptr<const CascadeModel>& cascade_model() {
    static const auto model = [] {
      auto artefact = std::make_shared<Artefact>();
      artefact->info.kind = kCascadeRouting;
      artefact->info.configurations = {"weak", "strong"};
      CascadeShape shape;
      shape.models = 2;
      shape.used.resize(2);
      shape.ranks.resize(2);
      shape.used[0][0] = true;
      for (std::size_t q = 0; q < kCascadeRanks; ++q)
        shape.ranks[0][0].push_back(static_cast<float>(q) / 100 - 1);
      shape.write(*artefact);
      artefact->tensors["cascade.cost"] = {{2}, {.1F, .4F}};
      // One setting and one list, which both keep .99.
      artefact->tensors["cascade.points"] = {{1, 5}, {.5F, .2F, .2F, .8F, .99F}};
      artefact->tensors["cascade.lists"] = {{1, 9}, {0, 1, -1, .5F, 0, .3F, .2F, .8F, .99F}};
      artefact->tensors["quality.0"] = {{2, 1}, {.5F, .8F}};
      artefact->tensors["worth.0"] = {{1, 2, 1}, {.75F, .8F}};
      // rank, three hinges, offset: the weak answer's quality is the rank of its log-probability.
      artefact->tensors["quality.1"] = {{2, 5}, {1, 0, 0, 0, 0, 0, 0, 0, 0, .8F}};
      artefact->tensors["worth.1"] = {{1, 2, 5}, {0, 0, 0, 0, 0, 0, 0, 0, 0, .8F}};
      artefact->tensors["quality.3"] = {{2, 5}, {1, 0, 0, 0, 0, 0, 0, 0, 0, .8F}};
      artefact->tensors["accept.1.1"] = {{2, 2}, {-1, 1, 0, 1}};
      return *CascadeModel::create(std::move(artefact));
    }();
    return model;
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
