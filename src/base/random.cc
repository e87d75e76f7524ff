#include "base/random.h"

#define XXH_INLINE_ALL
#include <openssl/evp.h>
#include <xxhash.h>

#include <algorithm>
#include <string>

namespace brevet {

std::uint64_t mix_bits(std::uint64_t key, std::uint64_t counter) {
  std::uint64_t z = key + 0x9E3779B97F4A7C15ull * (counter + 1);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  z ^= z >> 31;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
  return z ^ (z >> 31);
}

std::uint64_t hash_bytes(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

std::string sha256_hex(std::string_view bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(length * 2);
  for (unsigned int i = 0; i < length; ++i) {
    out.push_back(kHex[digest[i] >> 4]);
    out.push_back(kHex[digest[i] & 15]);
  }
  return out;
}

double Draws::uniform() {
  return static_cast<double>(mix_bits(key_, counter_++) >> 11) * 0x1.0p-53;
}

bool Draws::coin(const char* what, double p) {
  p = std::clamp(p, 0.0, 1.0);
  const bool heads = uniform() < p;
  log_.push_back({what, heads ? p : 1.0 - p, heads ? 1u : 0u});
  return heads;
}

std::uint32_t Draws::choose(const char* what, std::uint32_t count) {
  const auto pick = std::min(count - 1, static_cast<std::uint32_t>(uniform() * count));
  log_.push_back({what, 1.0 / count, pick});
  return pick;
}

}  // namespace brevet
