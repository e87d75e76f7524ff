// Hashing trick with sublinear term frequency (K. Weinberger et al., 2009): no dictionary to keep, new words
// cost nothing. Weakness: words that share a slot are one word to the model; at 2^18 slots and a few hundred
// words that is rare.
#include "features/lexical.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <limits>

#include "base/random.h"
#include "features/text_shape.h"

namespace brevet {
namespace {

bool digit(unsigned char c) {
  return c >= '0' && c <= '9';
}
bool word_byte(unsigned char c) {
  return c >= 0x80 || digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Calls `emit(word)` for each word in lower case; the view is valid during the call.
template <class Emit>
void for_each_word(std::string_view text, Emit&& emit) {
  constexpr std::size_t kWordBytesMax = 256;  // the rest of a longer one is dropped
  std::array<char, kWordBytesMax> word{};
  for (std::size_t at = 0; at < text.size();) {
    if (!word_byte(static_cast<unsigned char>(text[at]))) {
      ++at;
      continue;
    }
    std::size_t length = 0;
    bool digits = true;
    for (; at < text.size() && word_byte(static_cast<unsigned char>(text[at])); ++at) {
      const auto c = static_cast<unsigned char>(text[at]);
      digits = digits && digit(c);
      if (length < kWordBytesMax) word[length++] = static_cast<char>(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    emit(std::string_view(word.data(), length), digits);
  }
}

std::uint32_t clamp_count(std::size_t count) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(count, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

SparseVector lexical_features(std::string_view text, const LexicalOptions& options) {
  assert(options.dimension > 0 && (options.dimension & (options.dimension - 1)) == 0);
  const std::uint64_t mask = options.dimension - 1;
  std::vector<std::uint32_t> slots;
  std::uint64_t previous = 0;
  const auto take = [&](std::string_view word, bool digits) {
    // Which number it is hardly ever matters, how long it is may.
    const std::uint64_t hash =
        digits ? mix_bits(kLexicalVersion, word.size()) : hash_bytes(word, kLexicalVersion);
    slots.push_back(static_cast<std::uint32_t>(hash & mask));
    if (options.bigrams && previous != 0) {
      slots.push_back(static_cast<std::uint32_t>(mix_bits(previous, hash) & mask));
    }
    previous = hash;
  };
  if (text.size() <= options.bytes_max) {
    for_each_word(text, take);
  } else {
    for_each_word(text.substr(0, options.bytes_max / 2), take);
    previous = 0;
    for_each_word(text.substr(text.size() - options.bytes_max / 2), take);
  }
  std::sort(slots.begin(), slots.end());
  SparseVector out;
  double squares = 0;
  for (std::size_t begin = 0; begin < slots.size();) {
    std::size_t end = begin;
    while (end < slots.size() && slots[end] == slots[begin]) ++end;
    const double weight = 1.0 + std::log(static_cast<double>(end - begin));
    out.index.push_back(slots[begin]);
    out.value.push_back(static_cast<float>(weight));
    squares += weight * weight;
    begin = end;
  }
  const auto scale = squares > 0 ? static_cast<float>(1.0 / std::sqrt(squares)) : 0.0F;
  for (float& value : out.value) value *= scale;
  return out;
}

TextStatistics text_statistics(std::string_view text) {
  std::size_t words = 0, numbers = 0, lines = text.empty() ? 0 : 1, code_points = 0, non_ascii = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto c = static_cast<unsigned char>(text[at]);
    if (c == '\n' && at + 1 < text.size()) ++lines;
    if ((c & 0xC0) == 0x80) continue;
    ++code_points;
    if (c >= 0x80) ++non_ascii;
  }
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : '\0';
  };
  for (std::size_t at = 0; at < text.size();) {
    if (!word_byte(byte(at))) {
      ++at;
      continue;
    }
    bool number = true;
    while (word_byte(byte(at)) || ((byte(at) == '.' || byte(at) == ',') && number && digit(byte(at + 1)))) {
      number = number && (digit(byte(at)) || byte(at) == '.' || byte(at) == ',');
      ++at;
    }
    ++words;
    if (number) ++numbers;
  }
  TextStatistics out;
  out.bytes = clamp_count(text.size());
  out.words = clamp_count(words);
  out.numbers = clamp_count(numbers);
  out.lines = clamp_count(lines);
  out.code_points = clamp_count(code_points);
  if (code_points > 0) out.non_ascii_share = static_cast<float>(non_ascii) / static_cast<float>(code_points);
  out.shape = text_shape(text);
  return out;
}

}  // namespace brevet
