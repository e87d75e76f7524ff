// What is really routed to: a model with a prompt transform, a guide, a number of samples and an effort.
// Its text form `model|t=cot|g=<guide>|s=3|e=high` is the key in memory, files, training and evaluation
// alike.
#pragma once

#include <compare>
#include <string>
#include <string_view>

#include "base/result.h"

namespace brevet {

struct Configuration {
  std::string model;      ///< name in the catalogue (may contain '/', ':', '.', never '|')
  std::string transform;  ///< named prompt transform, empty = none
  std::string guide;      ///< guide id, empty = none
  int samples = 1;
  std::string effort;

  std::string key() const;
  /// Errors: bad_configuration (empty model, unknown letter, samples not in 1..64).
  static Result<Configuration> parse(std::string_view text);
  bool plain() const { return transform.empty() && guide.empty() && samples == 1 && effort.empty(); }
  friend auto operator<=>(const Configuration&, const Configuration&) = default;
};

}  // namespace brevet
