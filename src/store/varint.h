// Whole numbers and texts as few bytes, for the store's own compact forms.
//
// Used by passed_record.cc and passed_block.cc. Pure. Bytes that are cut make good() false, never a bad read.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace brevet::varint {

inline void put(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}
inline void put(std::string& out, std::string_view text) {
  put(out, text.size());
  out += text;
}
inline void put_signed(std::string& out, std::int64_t value) {
  put(out, (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

/// Reads in the order of the writes; after the first lack everything is empty and good() is false.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  bool at_end() const { return bytes_.empty(); }
  bool good() const { return good_; }

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(character());
      value |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    good_ = false;
    return 0;
  }
  std::int64_t whole() {
    const auto value = number();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
  }
  /// A view into the bytes that were given.
  std::string_view view() {
    const auto size = number();
    if (size > bytes_.size()) good_ = false;
    if (!good_) return {};
    const auto out = bytes_.substr(0, size);
    bytes_.remove_prefix(size);
    return out;
  }
  std::string text() { return std::string(view()); }
  char character() {
    if (bytes_.empty()) good_ = false;
    if (!good_) return 0;
    const char out = bytes_.front();
    bytes_.remove_prefix(1);
    return out;
  }

 private:
  std::string_view bytes_;
  bool good_ = true;
};

}  // namespace brevet::varint
