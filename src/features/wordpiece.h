// WordPiece pieces of a text, as the uncased BERT vocabulary defines them; equal to the reference tokenizer.
//
// Called by the sentence encoder and wherever pieces are counted. Immutable after create(), so thread-safe.
// Takes any bytes: malformed UTF-8 reads as U+FFFD, which the cleaning step drops. Names of special tokens in
// the text ("[SEP]") become those tokens, as in the reference. Does not truncate or pad; see
// cut_in_the_middle().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"

namespace brevet {

class WordPiece {
 public:
  /// `vocabulary`: one piece a line, its number is the line's. Errors: vocabulary_unreadable,
  /// vocabulary_invalid.
  static Result<std::shared_ptr<const WordPiece>> load(const std::string& path);
  static Result<std::shared_ptr<const WordPiece>> create(std::string vocabulary);

  /// Numbers of the pieces of `text` without [CLS] and [SEP]; stops early after `most` pieces.
  std::vector<std::int32_t> pieces(std::string_view text, std::size_t most = SIZE_MAX) const;
  /// [CLS] pieces [SEP], nothing cut.
  std::vector<std::int32_t> encode(std::string_view text) const;

  std::int32_t cls() const { return cls_; }
  std::int32_t sep() const { return sep_; }
  std::size_t size() const { return by_number_.size(); }
  /// The piece as the vocabulary writes it ("##ing"); `number` must be below size().
  std::string_view piece(std::int32_t number) const { return by_number_[static_cast<std::size_t>(number)]; }

 private:
  WordPiece() = default;
  void split(std::string_view text, std::size_t most, std::vector<std::int32_t>& out) const;
  void word(const std::vector<char32_t>& chars, std::vector<std::int32_t>& out) const;

  std::string text_;  // owns what the views below point into
  std::vector<std::string_view> by_number_;
  std::unordered_map<std::string_view, std::int32_t> starts_;     // pieces that begin a word
  std::unordered_map<std::string_view, std::int32_t> continues_;  // pieces behind "##", without it
  std::size_t piece_chars_max_ = 0;
  std::int32_t cls_ = 0, sep_ = 0, unknown_ = 0;
};

/// Keeps the first and last pieces of `content` so that at most `most` remain: a long request says what it
/// wants at its beginning or at its end. When `most` is odd the head gets the one more.
void cut_in_the_middle(std::vector<std::int32_t>& content, std::size_t most);

/// Code points of any bytes; each maximal malformed part becomes one U+FFFD.
std::u32string decode_utf8(std::string_view bytes);

}  // namespace brevet
