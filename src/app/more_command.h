// `brevet train more`: the selector among experts, from recorded outcomes.
#pragma once

#include <cstdint>
#include <string>

namespace brevet {

struct TrainMoreFlags {
  std::string data;    ///< FILE or FILE@EXPERTS
  std::string models;  ///< the experts, with commas between; empty: those of `data`
  std::string out;
  std::string typed;    ///< the command, for the file
  std::string created;  ///< UTC, RFC 3339
  std::uint64_t seed = 1;
};
int train_more(const TrainMoreFlags& flags);

}  // namespace brevet
