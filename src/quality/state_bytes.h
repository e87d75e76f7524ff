// State as bytes: little-endian, fixed width, in one order. Used by the files of this folder that keep state.
// Pure.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "quality/fixed_point.h"

namespace brevet {

inline void put_bytes(std::string& bytes, std::uint64_t value, int width = 8) {
  for (int i = 0; i < width; ++i) bytes.push_back(static_cast<char>(value >> (8 * i)));
}
inline void put_bytes(std::string& bytes, Fixed value) {
  put_bytes(bytes, static_cast<std::uint64_t>(value.raw));
}
inline void put_bytes(std::string& bytes, double value) {
  put_bytes(bytes, std::bit_cast<std::uint64_t>(value));
}

/// Takes values off the front; once something is missing, everything is 0 and ok() is false.
class StateReader {
 public:
  explicit StateReader(std::string_view& bytes) : bytes_(bytes) {}
  std::uint64_t number(int width = 8) {
    if (bytes_.size() < static_cast<std::size_t>(width)) {
      ok_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (int i = 0; i < width; ++i)
      value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes_[static_cast<std::size_t>(i)]))
               << (8 * i);
    bytes_.remove_prefix(static_cast<std::size_t>(width));
    return value;
  }
  Fixed fixed() { return {static_cast<std::int64_t>(number())}; }
  double real() { return std::bit_cast<double>(number()); }
  bool ok() const { return ok_; }

 private:
  std::string_view& bytes_;
  bool ok_ = true;
};

}  // namespace brevet
