// Lines of battle files: whatever the bytes are, a battle that is read is written and reads back the same.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "dataset/battle_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto battle = brevet::parse_battle({reinterpret_cast<const char*>(data), size}, "fuzz:1");
  if (!battle) return 0;
  battle->weight = 1;  // the last digit of a number may change when it is written
  const auto text = brevet::battle_json(*battle);
  const auto again = brevet::parse_battle(text, "fuzz:2");
  if (!again || brevet::battle_json(*again) != text) std::abort();
  return 0;
}
