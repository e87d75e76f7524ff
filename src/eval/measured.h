// A measured figure: its mean and, where one can be had, its 95% interval. Plain value.
//
// Used by bootstrap.h and report_model.h. A figure that does not apply is an empty std::optional<Measured>,
// never a zero.
#pragma once

#include <cstdint>
#include <optional>

namespace brevet {

struct Range {
  double low = 0;
  double high = 0;
};

struct Measured {
  double mean = 0;
  std::optional<Range> ci95;  ///< empty where no interval can be given
  std::uint64_t n = 0;        ///< observations (questions) behind it
};

}  // namespace brevet
