#include "memory/simd.h"

namespace brevet {
namespace {

using Floats = float __attribute__((vector_size(64), aligned(4), may_alias));
using Doubles = double __attribute__((vector_size(64), aligned(8), may_alias));

// One body for every width: the compiler splits the 64 bytes into what the target has, so the order of
// additions is the same for all of them.
template <class Lanes, class T>
inline __attribute__((always_inline)) T dot_body(const T* a, const T* b, std::size_t count) {
  constexpr std::size_t kLanes = sizeof(Lanes) / sizeof(T);
  Lanes sum0{};
  Lanes sum1{};
  std::size_t i = 0;
  for (; i + 2 * kLanes <= count; i += 2 * kLanes) {
    sum0 += *reinterpret_cast<const Lanes*>(a + i) * *reinterpret_cast<const Lanes*>(b + i);
    sum1 += *reinterpret_cast<const Lanes*>(a + i + kLanes) * *reinterpret_cast<const Lanes*>(b + i + kLanes);
  }
  sum0 += sum1;
  T total = 0;
  for (std::size_t lane = 0; lane < kLanes; ++lane) total += sum0[lane];
  for (; i < count; ++i) total += a[i] * b[i];
  return total;
}

inline __attribute__((always_inline)) void add_scaled_body(double* y, double scale, const double* x,
                                                           std::size_t count) {
  constexpr std::size_t kLanes = sizeof(Doubles) / sizeof(double);
  std::size_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    *reinterpret_cast<Doubles*>(y + i) += scale * *reinterpret_cast<const Doubles*>(x + i);
  }
  for (; i < count; ++i) y[i] += scale * x[i];
}

inline __attribute__((always_inline)) void hamming_body(const std::uint64_t* sketches, std::size_t count,
                                                        const std::uint64_t* query, std::size_t words,
                                                        std::uint16_t* out) {
  for (std::size_t v = 0; v < count; ++v, sketches += words) {
    int different = 0;
    for (std::size_t w = 0; w < words; ++w) different += __builtin_popcountll(sketches[w] ^ query[w]);
    out[v] = static_cast<std::uint16_t>(different);
  }
}

/// The loops as compiled for one kind of machine.
struct Kernels {
  float (*dot_float)(const float*, const float*, std::size_t);
  double (*dot_double)(const double*, const double*, std::size_t);
  void (*add_scaled)(double*, double, const double*, std::size_t);
  void (*hamming)(const std::uint64_t*, std::size_t, const std::uint64_t*, std::size_t, std::uint16_t*);
};

#define BREVET_KERNELS(name, attributes)                                                                \
  attributes float dot_float_##name(const float* a, const float* b, std::size_t n) {                    \
    return dot_body<Floats>(a, b, n);                                                                   \
  }                                                                                                     \
  attributes double dot_double_##name(const double* a, const double* b, std::size_t n) {                \
    return dot_body<Doubles>(a, b, n);                                                                  \
  }                                                                                                     \
  attributes void add_scaled_##name(double* y, double s, const double* x, std::size_t n) {              \
    add_scaled_body(y, s, x, n);                                                                        \
  }                                                                                                     \
  attributes void hamming_##name(const std::uint64_t* s, std::size_t n, const std::uint64_t* q,         \
                                 std::size_t w, std::uint16_t* out) {                                   \
    w == 6 ? hamming_body(s, n, q, 6, out) : hamming_body(s, n, q, w, out); /* 384 dimensions unroll */ \
  }                                                                                                     \
  constexpr Kernels k##name {                                                                           \
    dot_float_##name, dot_double_##name, add_scaled_##name, hamming_##name                              \
  }

BREVET_KERNELS(Plain, );

#if defined(__x86_64__)
BREVET_KERNELS(Avx2, __attribute__((target("avx2,fma,popcnt"))));
BREVET_KERNELS(Avx512, __attribute__((target("avx512f,fma,popcnt"))));

// Chosen by hand and not by target_clones: the resolvers of those run before the sanitizers are ready.
const Kernels& choose() {
  if (__builtin_cpu_supports("avx512f")) return kAvx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return kAvx2;
  return kPlain;
}
#else
const Kernels& choose() {
  return kPlain;
}
#endif
#undef BREVET_KERNELS

const Kernels& kernels() {
  static const Kernels& chosen = choose();
  return chosen;
}

}  // namespace

float dot(const float* a, const float* b, std::size_t count) {
  return kernels().dot_float(a, b, count);
}
double dot(const double* a, const double* b, std::size_t count) {
  return kernels().dot_double(a, b, count);
}
void add_scaled(double* y, double scale, const double* x, std::size_t count) {
  kernels().add_scaled(y, scale, x, count);
}
void hamming(const std::uint64_t* sketches, std::size_t count, const std::uint64_t* query, std::size_t words,
             std::uint16_t* out) {
  kernels().hamming(sketches, count, query, words, out);
}

}  // namespace brevet
