// Goal: no bytes make the reader of router files misbehave, and what it accepts is written back as it came.
// Method: libFuzzer on a whole file; a second attempt seals the bytes with right hashes first, so that what
// stands behind them is reached.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/random.h"
#include "router/artefact.h"
#include "router/router.h"

namespace {

void check(std::string_view bytes) {
  using namespace brevet;
  const auto read = parse_artefact(bytes, "fuzz");
  if (!read) {
    const auto& code = read.error().code;
    if (code != "router_corrupt" && code != "router_version") std::abort();
    return;
  }
  const auto& artefact = **read;
  if (artefact.hash.size() != 64 || artefact.info.configurations.size() < 2) std::abort();
  for (const auto& [name, tensor] : artefact.tensors) {
    std::size_t count = 1;
    for (const auto length : tensor.shape) count *= length;
    if (count != tensor.values.size()) std::abort();
  }
  // What stands behind the hashes: a predictor that accepts the numbers has to work with them.
  if (const auto router = make_router(*read)) {
    RequestFeatures features;
    features.embedding = std::make_shared<const Embedding>(384, .05F);
    features.words = {{1, 7}, {.6F, .8F}};
    (void)(*router)->predict(features);
  }
  const auto again = parse_artefact(artefact_bytes(artefact), "again");
  if (!again || (*again)->tensors.size() != artefact.tensors.size()) std::abort();
}

/// `line` with the hashes that fit it and `numbers`; "@" stands for the hash of the numbers.
std::string sealed(std::string_view line, std::string_view numbers) {
  std::string open(line);
  const auto mark = open.find('@');
  if (mark != std::string::npos) open.replace(mark, 1, brevet::sha256_hex(numbers));
  if (open.empty() || open.back() != '}') open += '}';
  const auto seal = brevet::sha256_hex(open);
  open.pop_back();
  return "brevet-router 1\n" + open + R"(,"line_sha256":")" + seal + "\"}\n" + std::string(numbers);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check(bytes);
  const auto end = bytes.find('\n');
  if (end != std::string_view::npos) check(sealed(bytes.substr(0, end), bytes.substr(end + 1)));
  return 0;
}
