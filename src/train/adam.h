// Adam (Kingma and Ba 2015, algorithm 1) for one block of parameters, with the penalty inside the gradient.
// Used inside src/train.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

namespace brevet {

class Adam {
 public:
  Adam(std::size_t count, double rate, double decay)
      : rate_(rate), decay_(static_cast<float>(decay)), first_(count, 0), second_(count, 0) {}

  void step(std::vector<float>& parameters, const std::vector<float>& gradient) {
    constexpr float kFirst = .9F;
    constexpr float kSecond = .999F;
    constexpr float kTiny = 1e-8F;
    ++steps_;
    const double unbias_first = 1 - std::pow(.9, steps_);
    const double unbias_second = 1 - std::pow(.999, steps_);
    const auto rate = static_cast<float>(rate_ / unbias_first);
    const auto scale = static_cast<float>(1 / std::sqrt(unbias_second));
    for (std::size_t k = 0; k < parameters.size(); ++k) {
      const float g = gradient[k] + decay_ * parameters[k];
      first_[k] = kFirst * first_[k] + (1 - kFirst) * g;
      second_[k] = kSecond * second_[k] + (1 - kSecond) * g * g;
      parameters[k] -= rate * first_[k] / (std::sqrt(second_[k]) * scale + kTiny);
    }
  }

 private:
  double rate_;
  float decay_;
  int steps_ = 0;
  std::vector<float> first_;
  std::vector<float> second_;
};

}  // namespace brevet
