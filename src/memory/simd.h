// The few inner loops that everything in memory waits for, with the widest vectors that this machine has.
//
// Pure, thread-safe. All widths add in one fixed order of lanes, so equal machines give equal bits; machines
// with and without fused multiply-add may differ in the last bit.
#pragma once

#include <cstddef>
#include <cstdint>

namespace brevet {

float dot(const float* a, const float* b, std::size_t count);
double dot(const double* a, const double* b, std::size_t count);
/// y += scale * x
void add_scaled(double* y, double scale, const double* x, std::size_t count);
/// out[i] = number of bits in which sketch i (of `words` words each) differs from the query.
void hamming(const std::uint64_t* sketches, std::size_t count, const std::uint64_t* query, std::size_t words,
             std::uint16_t* out);

}  // namespace brevet
