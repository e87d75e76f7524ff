// Goal: no bytes make the readers of model tables misbehave, and whatever they accept is written, read back
// and merged without loss. Method: libFuzzer on a whole file, read both as a catalogue and as LiteLLM's
// table.
#include <cstdint>
#include <cstdlib>

#include "catalog/litellm_import.h"
#include "catalog/model_catalogue.h"
#include "catalog/model_choice.h"

namespace {

using namespace brevet;

void round_trip(const ModelCatalogue& catalogue) {
  const auto again = ModelCatalogue::parse(catalogue.json(), "again");
  if (!again || again->models() != catalogue.models()) std::abort();
  auto merged = *again;
  merged.merge(catalogue);
  for (const auto& [name, model] : catalogue.models()) {
    if (!merged.models().contains(name)) std::abort();
    ModelWish wish;
    wish.capabilities = {Capability::kTools};
    wish.price_max = Money::from_usd(1);
    wish.device = DeviceWish{*find_device("iphone-16"), {}};
    (void)judge_model(merged.resolved(model), wish);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto catalogue = ModelCatalogue::parse(text, "fuzz")) round_trip(*catalogue);
  if (const auto table = import_litellm(text, "fuzz", "2026-11-24", BrokenRows::kSkip))
    round_trip(table->catalogue);
  return 0;
}
