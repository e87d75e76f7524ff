// Steps of the reference, in its order: split off special tokens; drop control characters and turn every kind
// of white space into ' '; put spaces around CJK ideographs; canonical decomposition without non-spacing
// marks, then lower case; split at white space and around punctuation; greedy longest match inside each word.
//
// Example: "Café-Tables" -> cafe - tables -> [cafe] [-] [tables]; "unaffable" -> [una] [##ffa] [##ble].
// J. Devlin et al., "BERT", 2019; Y. Wu et al., "Google's Neural Machine Translation System", 2016.
// Decomposition here leaves marks in the order they came: tools/gen_unicode_tables.py shows that no piece can
// tell. Weakness: a word of which one part is not in the vocabulary is [UNK] as a whole.
#include "features/wordpiece.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>

namespace brevet {
namespace {

struct CodePointRange {
  std::uint32_t low, high;
};
/// Code points low, low + step, ... high map to themselves + delta.
struct FoldRun {
  std::uint32_t low, high;
  std::uint8_t step;
  std::int32_t delta;
};
struct FoldLong {
  std::uint32_t from;
  std::array<std::uint32_t, 3> to;  // ends at the first 0
};

#include "features/unicode_tables.inc"

constexpr std::size_t kWordCharsMax = 100;  // longer words are [UNK], as in the reference
constexpr char32_t kReplacement = 0xFFFD;
constexpr std::string_view kSpecials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};

template <std::size_t n>
bool in(const CodePointRange (&ranges)[n], char32_t c) {
  const auto* at =
      std::upper_bound(std::begin(ranges), std::end(ranges), c,
                       [](char32_t value, const CodePointRange& range) { return value < range.low; });
  return at != std::begin(ranges) && c <= std::prev(at)->high;
}

/// Next code point at `at`, which moves on by at least one byte (`at` < bytes.size()).
char32_t next_code_point(std::string_view bytes, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = byte(at++);
  if (first < 0x80) return first;
  int more = 0;
  unsigned char low = 0x80, high = 0xBF;
  char32_t value = 0;
  if (first >= 0xC2 && first <= 0xDF) {
    more = 1;
    value = first & 0x1Fu;
  } else if (first >= 0xE0 && first <= 0xEF) {
    more = 2;
    value = first & 0x0Fu;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    more = 3;
    value = first & 0x07u;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return kReplacement;
  }
  for (; more > 0; --more) {
    if (at >= bytes.size() || byte(at) < low || byte(at) > high) return kReplacement;
    value = (value << 6) | (byte(at++) & 0x3Fu);
    low = 0x80;
    high = 0xBF;
  }
  return value;
}

void append_utf8(char32_t c, std::string& out) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

/// Calls `emit` with what `c` (not removed, not white space) becomes, if anything.
template <class Emit>
void fold(char32_t c, Emit&& emit) {
  constexpr char32_t kHangul = 0xAC00, kHangulEnd = 0xD7A4, kLead = 0x1100, kVowel = 0x1161, kTrail = 0x11A7;
  if (c >= kHangul && c < kHangulEnd) {
    const char32_t s = c - kHangul;
    emit(kLead + s / 588);
    emit(kVowel + s % 588 / 28);
    if (s % 28 != 0) emit(kTrail + s % 28);
    return;
  }
  if (in(kStripped, c)) return;
  // Runs of step 2 interleave with others, so the two runs that begin last before `c` are looked at.
  const auto* at = std::upper_bound(std::begin(kFoldRuns), std::end(kFoldRuns), c,
                                    [](char32_t value, const FoldRun& run) { return value < run.low; });
  for (int back = 0; back < 2 && at != std::begin(kFoldRuns); ++back) {
    --at;
    if (c > at->high || (c - at->low) % at->step != 0) continue;
    emit(static_cast<char32_t>(static_cast<std::int64_t>(c) + at->delta));
    return;
  }
  const auto* longer =
      std::lower_bound(std::begin(kFoldLong), std::end(kFoldLong), c,
                       [](const FoldLong& entry, char32_t value) { return entry.from < value; });
  if (longer != std::end(kFoldLong) && longer->from == c) {
    for (const auto to : longer->to) {
      if (to != 0) emit(static_cast<char32_t>(to));
    }
    return;
  }
  emit(c);
}

bool ascii_punctuation(char32_t c) {
  return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) || (c >= 123 && c <= 126);
}

}  // namespace

std::u32string decode_utf8(std::string_view bytes) {
  std::u32string out;
  for (std::size_t at = 0; at < bytes.size();) out += next_code_point(bytes, at);
  return out;
}

void cut_in_the_middle(std::vector<std::int32_t>& content, std::size_t most) {
  if (content.size() <= most) return;
  const std::size_t tail = most / 2, head = most - tail;
  content.erase(content.begin() + static_cast<std::ptrdiff_t>(head),
                content.end() - static_cast<std::ptrdiff_t>(tail));
}

Result<std::shared_ptr<const WordPiece>> WordPiece::load(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (!in || text.empty()) {
    return fail(ErrorKind::kInternal, "vocabulary_unreadable",
                "The encoder's vocabulary " + path + " cannot be read; scripts/lib/deps.sh fetches it.",
                path);
  }
  return create(std::move(text));
}

Result<std::shared_ptr<const WordPiece>> WordPiece::create(std::string vocabulary) {
  std::shared_ptr<WordPiece> self(new WordPiece());
  self->text_ = std::move(vocabulary);
  const std::string_view text = self->text_;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view piece = text.substr(begin, end - begin);
    begin = end + 1;
    const auto number = static_cast<std::int32_t>(self->by_number_.size());
    self->by_number_.push_back(piece);
    auto& table = piece.starts_with("##") ? self->continues_ : self->starts_;
    // "##" alone continues nothing, but '#' '#' of a text must not find it as a start either: punctuation is
    // split.
    if (piece.starts_with("##")) piece.remove_prefix(2);
    if (!table.emplace(piece, number).second) {
      return fail(ErrorKind::kInternal, "vocabulary_invalid",
                  "The encoder's vocabulary names '" + std::string(piece) + "' twice; fetch it again.");
    }
    self->piece_chars_max_ = std::max(self->piece_chars_max_, decode_utf8(piece).size());
  }
  for (const auto name : kSpecials) {
    if (!self->starts_.contains(name)) {
      return fail(ErrorKind::kInternal, "vocabulary_invalid",
                  "The encoder's vocabulary lacks " + std::string(name) + "; fetch it again.");
    }
  }
  self->cls_ = self->starts_.at("[CLS]");
  self->sep_ = self->starts_.at("[SEP]");
  self->unknown_ = self->starts_.at("[UNK]");
  return std::shared_ptr<const WordPiece>(std::move(self));
}

void WordPiece::word(const std::vector<char32_t>& chars, std::vector<std::int32_t>& out) const {
  if (chars.size() > kWordCharsMax) {
    out.push_back(unknown_);
    return;
  }
  std::string bytes;
  std::array<std::size_t, kWordCharsMax + 1> offset{};
  for (std::size_t i = 0; i < chars.size(); ++i) {
    append_utf8(chars[i], bytes);
    offset[i + 1] = bytes.size();
  }
  const std::size_t before = out.size();
  for (std::size_t begin = 0; begin < chars.size();) {
    const auto& table = begin == 0 ? starts_ : continues_;
    std::size_t end = std::min(chars.size(), begin + piece_chars_max_);
    for (; end > begin; --end) {
      const auto found =
          table.find(std::string_view(bytes).substr(offset[begin], offset[end] - offset[begin]));
      if (found == table.end()) continue;
      out.push_back(found->second);
      break;
    }
    if (end == begin) {
      out.resize(before);
      out.push_back(unknown_);
      return;
    }
    begin = end;
  }
}

void WordPiece::split(std::string_view text, std::size_t most, std::vector<std::int32_t>& out) const {
  // Folding and word splitting run in one pass; `chars` is the word so far. Past kWordCharsMax it is [UNK]
  // whatever follows, so nothing more is kept: one word costs bounded time.
  std::vector<char32_t> chars;
  const auto flush = [&] {
    if (!chars.empty()) word(chars, out);
    chars.clear();
  };
  const auto take = [&](char32_t c) {
    if (c < 0x80 ? ascii_punctuation(c) : in(kPunctuation, c)) {
      flush();
      chars.push_back(c);
      flush();
    } else if (chars.size() <= kWordCharsMax) {
      chars.push_back(c);
    }
  };
  for (std::size_t at = 0; at < text.size() && out.size() < most;) {
    const char32_t c = next_code_point(text, at);
    if (c < 0x80) {
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
        flush();
      } else if (c >= 0x20 && c != 0x7F) {
        take(c >= 'A' && c <= 'Z' ? c + 32 : c);
      }
    } else if (in(kRemoved, c)) {
      continue;
    } else if (in(kSpaces, c)) {
      flush();
    } else {
      const bool ideograph = in(kCjk, c);
      if (ideograph) flush();
      fold(c, take);
      if (ideograph) flush();
    }
  }
  flush();
}

std::vector<std::int32_t> WordPiece::pieces(std::string_view text, std::size_t most) const {
  std::vector<std::int32_t> out;
  std::size_t begin = 0;
  for (std::size_t at = text.find('['); at != std::string_view::npos && out.size() < most;
       at = text.find('[', at)) {
    const auto* special =
        std::find_if(std::begin(kSpecials), std::end(kSpecials),
                     [&](std::string_view name) { return text.substr(at).starts_with(name); });
    if (special == std::end(kSpecials)) {
      ++at;
      continue;
    }
    split(text.substr(begin, at - begin), most, out);
    out.push_back(starts_.at(*special));
    begin = at += special->size();
  }
  split(text.substr(begin), most, out);
  if (out.size() > most) out.resize(most);
  return out;
}

std::vector<std::int32_t> WordPiece::encode(std::string_view text) const {
  std::vector<std::int32_t> out = pieces(text);
  out.insert(out.begin(), cls_);
  out.push_back(sep_);
  return out;
}

}  // namespace brevet
