// Goal: no bytes make the reader of price files misbehave, and no usage priced by what it accepts is
// negative. Method: libFuzzer on a whole file; every accepted model prices a small and a large usage.
#include <cstdint>
#include <cstdlib>

#include "catalog/prices.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  const auto table = PriceTable::parse({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!table) return 0;
  for (const auto& model : table->models()) {
    for (const std::int64_t tokens : {std::int64_t{7}, std::int64_t{1} << 62}) {
      Usage usage;
      usage.input_tokens = usage.output_tokens = tokens;
      usage.cached_input_tokens = tokens / 2;
      const auto cost = table->price(model, usage);
      if (cost.amount && *cost.amount < Money{}) std::abort();
    }
  }
  if (table->version().size() != 16) std::abort();
  return 0;
}
