// The inside of a router: one kind's own arithmetic, before calibration.
//
// Implemented by one file per kind in this folder, wrapped by router.cc, which adds calibration and
// familiarity. Used inside src/router, and by src/train to make out-of-fold predictions. Immutable.
#pragma once

#include <memory>
#include <span>

#include "base/result.h"
#include "router/artefact.h"

namespace brevet {

enum class Predicts {
  kQuality,  ///< one number per configuration, its expected quality on any increasing scale near 0..1
  kNeed,     ///< one number, increasing in the need for the strong configuration
};

class Predictor {
 public:
  virtual ~Predictor() = default;
  virtual Predicts predicts() const = 0;
  virtual bool reads_embedding() const { return true; }
  /// The answer of a model beside the encoder is read, and is not empty.
  virtual bool reads_classified() const { return false; }
  /// `out` has as many places as configurations (kQuality) or one (kNeed). The embedding is there if
  /// reads_embedding().
  virtual void predict(const RequestFeatures& features, std::span<float> out) const = 0;
};

/// Errors as make_router.
Result<std::unique_ptr<const Predictor>> make_predictor(std::shared_ptr<const Artefact> artefact);

/// What make_router does with a predictor: the artefact's calibration and familiarity around it (router.cc
/// says in which tensors they are). Errors as make_router.
Result<RouterPtr> make_calibrated_router(std::shared_ptr<const Artefact> artefact,
                                         std::unique_ptr<const Predictor> predictor);

}  // namespace brevet
