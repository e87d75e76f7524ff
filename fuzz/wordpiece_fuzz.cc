// Tokenizer on any bytes: no crash, numbers within the vocabulary, and a text in two halves at white space
// gives the same pieces as whole.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "features/lexical.h"
#include "features/wordpiece.h"

namespace {

const brevet::WordPiece& tokenizer() {
  static const auto made = [] {
    std::string vocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\n##ing\n中\n한\n";
    for (char c = '!'; c <= '~'; ++c) {
      if (c >= 'A' && c <= 'Z') continue;
      vocabulary += std::string(1, c) + "\n##" + std::string(1, c) + "\n";
    }
    auto result = brevet::WordPiece::create(std::move(vocabulary));
    if (!result) std::abort();
    return *result;
  }();
  return *made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto whole = tokenizer().pieces(text);
  for (const auto number : whole) {
    if (number < 0 || static_cast<std::size_t>(number) >= tokenizer().size()) std::abort();
  }
  if (tokenizer().pieces(text, 3).size() > 3) std::abort();
  if (const auto space = text.find(' '); space != std::string_view::npos) {
    auto halves = tokenizer().pieces(text.substr(0, space));
    const auto rest = tokenizer().pieces(text.substr(space));
    halves.insert(halves.end(), rest.begin(), rest.end());
    if (halves != whole) std::abort();
  }
  const auto words = brevet::lexical_features(text, {.dimension = 1024, .bytes_max = 512});
  for (const auto index : words.index) {
    if (index >= 1024) std::abort();
  }
  if (brevet::text_statistics(text).code_points > size) std::abort();
  return 0;
}
