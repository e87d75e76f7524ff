// A router from its file: one kind's arithmetic, then calibration, then how near the request is to what was
// seen. calibration.need and calibration.quality.<i> are [2, k]: x and y of the knots of a non-decreasing
// piecewise-linear map, constant beyond its ends. familiarity.centroids is [c, d], unit length;
// familiarity.quantiles is [q], the similarities of the fitting requests to their nearest centroid at even
// quantiles from the smallest to the largest.
#include "router/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "memory/simd.h"
#include "router/artefact.h"
#include "router/cascade_model.h"
#include "router/expert_model.h"
#include "router/predictor.h"

namespace brevet {
namespace {

tl::unexpected<Error> corrupt(const std::string& kind, const std::string& name, const char* what) {
  return fail(ErrorKind::kCallerInvalid, "router_corrupt",
              fmt::format("The router of kind '{}' has '{}' whose numbers {}. Make it again with `brevet "
                          "train`.",
                          kind, name, what),
              "router");
}

/// A non-decreasing piecewise-linear map onto 0..1.
class Calibration {
 public:
  static Result<Calibration> from(const Artefact& artefact, const std::string& name) {
    const auto tensor = artefact.tensor(name, {2, 0});
    if (!tensor) return fail(tensor.error());
    const auto& values = (*tensor)->values;
    const std::size_t knots = values.size() / 2;
    if (knots == 0) return corrupt(artefact.info.kind, name, "are none");
    Calibration out;
    out.x_.assign(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(knots));
    out.y_.assign(values.begin() + static_cast<std::ptrdiff_t>(knots), values.end());
    for (std::size_t i = 0; i < knots; ++i) {
      if (!std::isfinite(out.x_[i]) || !(out.y_[i] >= -1e-5F && out.y_[i] <= 1 + 1e-5F))
        return corrupt(artefact.info.kind, name, "are no probabilities");
      out.y_[i] = std::clamp(out.y_[i], 0.0F, 1.0F);
    }
    if (!std::is_sorted(out.x_.begin(), out.x_.end()) || !std::is_sorted(out.y_.begin(), out.y_.end()))
      return corrupt(artefact.info.kind, name, "do not increase");
    return out;
  }

  float at(float x) const {
    const auto right = std::upper_bound(x_.begin(), x_.end(), x);
    if (right == x_.begin()) return y_.front();
    if (right == x_.end()) return y_.back();
    const auto i = static_cast<std::size_t>(right - x_.begin());
    // x_[i - 1] <= x < x_[i], so the two differ.
    const float share = (x - x_[i - 1]) / (x_[i] - x_[i - 1]);
    return y_[i - 1] + share * (y_[i] - y_[i - 1]);
  }

 private:
  std::vector<float> x_, y_;
};

class Familiarity {
 public:
  static Result<Familiarity> from(const Artefact& artefact) {
    Familiarity out;
    if (!artefact.tensors.contains("familiarity.centroids")) return out;
    const auto centroids = artefact.tensor("familiarity.centroids", {0, 0});
    if (!centroids) return fail(centroids.error());
    const auto quantiles = artefact.tensor("familiarity.quantiles", {0});
    if (!quantiles) return fail(quantiles.error());
    out.quantiles_ = (*quantiles)->values;
    out.dimension_ = (*centroids)->shape[1];
    out.centroids_ = (*centroids)->values;
    const auto& q = out.quantiles_;
    const auto finite = [](float value) { return std::isfinite(value); };
    if (q.size() < 2 || !std::all_of(q.begin(), q.end(), finite) || !std::is_sorted(q.begin(), q.end()))
      return corrupt(artefact.info.kind, "familiarity.quantiles", "do not increase");
    if (out.centroids_.empty() || !std::all_of(out.centroids_.begin(), out.centroids_.end(), finite))
      return corrupt(artefact.info.kind, "familiarity.centroids", "are none");
    return out;
  }

  bool measured() const { return dimension_ > 0; }
  std::size_t dimension() const { return dimension_; }

  /// Share of the fitting requests that were no nearer to their centroid than this one.
  double of(const Embedding& embedding) const {
    float nearest = -std::numeric_limits<float>::infinity();
    for (std::size_t at = 0; at < centroids_.size(); at += dimension_) {
      nearest = std::max(nearest, dot(centroids_.data() + at, embedding.data(), dimension_));
    }
    const auto right = std::upper_bound(quantiles_.begin(), quantiles_.end(), nearest);
    if (right == quantiles_.begin()) return 0;
    if (right == quantiles_.end()) return 1;
    const auto i = static_cast<std::size_t>(right - quantiles_.begin());
    const double within = (nearest - quantiles_[i - 1]) / (quantiles_[i] - quantiles_[i - 1]);
    return (static_cast<double>(i - 1) + within) / static_cast<double>(quantiles_.size() - 1);
  }

 private:
  std::vector<float> centroids_, quantiles_;
  std::size_t dimension_ = 0;
};

class FittedRouter final : public Router {
 public:
  FittedRouter(std::shared_ptr<const Artefact> artefact, std::unique_ptr<const Predictor> predictor,
               Calibration need, std::vector<Calibration> quality, Familiarity familiarity)
      : artefact_(std::move(artefact)),
        predictor_(std::move(predictor)),
        need_(std::move(need)),
        quality_(std::move(quality)),
        familiarity_(std::move(familiarity)) {}

  const RouterInfo& info() const override { return artefact_->info; }

  std::optional<RouterPrediction> predict(const RequestFeatures& features) const override {
    const auto* embedding = features.embedding.get();
    if (predictor_->reads_embedding()) {
      if (!embedding) return std::nullopt;
      if (familiarity_.measured() && embedding->size() != familiarity_.dimension()) return std::nullopt;
    }
    if (predictor_->reads_classified() && (!features.classified || features.classified->empty()))
      return std::nullopt;
    std::vector<float> raw(quality_.empty() ? 1 : quality_.size());
    predictor_->predict(features, raw);
    for (const float value : raw) {
      if (!std::isfinite(value)) return std::nullopt;
    }
    RouterPrediction out;
    for (std::size_t i = 0; i < quality_.size(); ++i) out.quality.push_back(quality_[i].at(raw[i]));
    out.need_strong = need_.at(quality_.empty() ? raw[0] : raw.back() - raw.front());
    if (familiarity_.measured() && embedding && embedding->size() == familiarity_.dimension())
      out.familiarity = familiarity_.of(*embedding);
    return out;
  }

 private:
  const std::shared_ptr<const Artefact> artefact_;
  const std::unique_ptr<const Predictor> predictor_;
  const Calibration need_;
  const std::vector<Calibration> quality_;  ///< empty where need alone is predicted
  const Familiarity familiarity_;
};

/// A cascade as a router: before any answer it knows what the question alone tells, if it reads it.
class CascadeRouter final : public Router {
 public:
  explicit CascadeRouter(std::shared_ptr<const CascadeModel> model) : model_(std::move(model)) {}
  const RouterInfo& info() const override { return model_->info(); }
  const CascadeModel* cascade() const override { return model_.get(); }
  std::optional<RouterPrediction> predict(const RequestFeatures& features) const override {
    CascadeState state;
    state.question = &features;
    auto quality = model_->quality(state);
    if (!quality) return std::nullopt;
    RouterPrediction out;
    for (auto& q : *quality) q = std::clamp(q, 0.0F, 1.0F);
    // Expected gain; nothing here was calibrated to say more.
    out.need_strong = std::clamp(static_cast<double>(quality->back() - quality->front()), 0.0, 1.0);
    out.quality = std::move(*quality);
    return out;
  }

 private:
  const std::shared_ptr<const CascadeModel> model_;
};

}  // namespace

Result<RouterPtr> make_router(std::shared_ptr<const Artefact> artefact) {
  if (artefact->info.kind == kMore) return make_expert_router(std::move(artefact));
  if (is_cascade(artefact->info)) {
    auto model = CascadeModel::create(std::move(artefact));
    if (!model) return fail(model.error());
    return std::make_shared<const CascadeRouter>(std::move(*model));
  }
  auto predictor = make_predictor(artefact);
  if (!predictor) return fail(predictor.error());
  return make_calibrated_router(std::move(artefact), std::move(*predictor));
}

Result<RouterPtr> make_calibrated_router(std::shared_ptr<const Artefact> artefact,
                                         std::unique_ptr<const Predictor> predictor) {
  const auto& info = artefact->info;
  auto need = Calibration::from(*artefact, "calibration.need");
  if (!need) return fail(need.error());
  std::vector<Calibration> quality;
  if (predictor->predicts() == Predicts::kQuality) {
    for (std::size_t i = 0; i < info.configurations.size(); ++i) {
      auto one = Calibration::from(*artefact, fmt::format("calibration.quality.{}", i));
      if (!one) return fail(one.error());
      quality.push_back(std::move(*one));
    }
  }
  auto familiarity = Familiarity::from(*artefact);
  if (!familiarity) return fail(familiarity.error());
  return std::make_shared<const FittedRouter>(std::move(artefact), std::move(predictor), std::move(*need),
                                              std::move(quality), std::move(*familiarity));
}

}  // namespace brevet
