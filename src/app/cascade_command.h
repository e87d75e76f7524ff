// `brevet cascade`: what cascades of recorded models would have cost and given, over many splits; and the
// part of `brevet train` that fits one.
#pragma once

#include <cstdint>
#include <string>

namespace CLI {
class App;
}

namespace brevet {

void add_cascade_command(CLI::App& app, int& status);
/// `brevet tuning`: fine-tuning data out of recorded answers.
void add_tuning_command(CLI::App& app, int& status);

struct CascadeTrainFlags {
  std::string kind;  ///< frugal_cascade or cascade_routing
  std::string data, models, responses, prices, out, typed;
  std::size_t labels = 0;  ///< for fitting; as many more choose thresholds. 0 = half each
  std::uint64_t seed = 1;
};
int train_cascade(const CascadeTrainFlags& flags);

}  // namespace brevet
