// A linear layer and softmax on features, taught by soft labels: what bert_head, the Hybrid-LLM routers and
// Zooter end in.
//
// Used inside src/train. Pure. Convex, so the answer does not depend on a seed.
#pragma once

#include <functional>
#include <optional>
#include <span>

#include "train/matrix.h"

namespace brevet {

struct SoftmaxOptions {
  double ridge = 1;     ///< half of it times the squared weights is added to the summed loss; not the bias
  int steps_max = 300;  ///< of L-BFGS
  double tolerance = 1e-4;  ///< on the largest gradient entry, per unit of weight
};

/// Minimises sum_i weight_i cross_entropy(target_i, softmax(W x_i + b)) + ridge/2 |W|^2 by L-BFGS (Liu and
/// Nocedal 1989, memory 10). x [n,d]; targets [n,c], rows sum to 1; weights [n]. -> [c, d+1], bias last.
/// Empty when `stop` said so.
std::optional<Matrix> fit_softmax(const Matrix& x, const Matrix& targets, std::span<const float> weights,
                                  const SoftmaxOptions& options, const std::function<bool()>& stop = {});

}  // namespace brevet
