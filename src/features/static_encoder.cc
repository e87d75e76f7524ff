// The mean of weighted token vectors at unit length: Arora, Liang, Ma, "A simple but tough-to-beat baseline
// for sentence embeddings", ICLR 2017, over vectors distilled from a transformer as model2vec does (Tulkens,
// van Dongen 2024). Example: "reverse a list" is rows 7901, 1037 and 2862 added up and scaled. Known
// weakness: no word order and no context, so "dog bites man" and "man bites dog" are one text.
#include "features/static_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "base/sealed_file.h"

namespace brevet {
namespace {

namespace json = boost::json;

constexpr std::string_view kFileName = "brevet-static-encoder";
constexpr int kVersion = 1;
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{1} << 30;
constexpr std::size_t kDimensionMax = 4096;
constexpr std::size_t kPiecesMax = 1 << 16;
constexpr std::size_t kMeasuredMax = 64;
/// Splitting words is most of the cost, and this runs where requests are served.
constexpr std::size_t kEndBytes = 8 * 1024;
/// A sum shorter than this has no direction of its own: its pieces cancel each other.
constexpr double kSquaresMin = 1e-20;

tl::unexpected<Error> corrupt(const std::string& name, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "static_encoder_corrupt",
              fmt::format("{} is not a whole static encoder: {}. Make it again with `brevet encoder distil`.",
                          name, what),
              "encoder");
}

class StaticEncoder final : public SentenceEncoder {
 public:
  StaticEncoder(std::shared_ptr<const WordPiece> tokenizer, std::vector<float> vectors, std::size_t dimension,
                std::size_t pieces_max, std::string hash)
      : tokenizer_(std::move(tokenizer)),
        vectors_(std::move(vectors)),
        dimension_(dimension),
        pieces_max_(pieces_max),
        hash_(std::move(hash)) {}

  Result<Embedding> embed(std::string_view text) const override {
    Embedding sum(dimension_, 0.0F);
    for (const auto piece : encode(text)) {
      const float* row = vectors_.data() + static_cast<std::size_t>(piece) * dimension_;
      for (std::size_t i = 0; i < dimension_; ++i) sum[i] += row[i];
    }
    double squares = squares_of(sum);
    if (!(squares > kSquaresMin)) {
      const float* row = vectors_.data() + static_cast<std::size_t>(tokenizer_->cls()) * dimension_;
      sum.assign(row, row + dimension_);
      squares = squares_of(sum);
    }
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
    for (float& value : sum) value *= scale;
    return sum;
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
    return content_pieces(*tokenizer_, text, pieces_max_, kEndBytes);
  }
  std::size_t dimension() const override { return dimension_; }
  const std::string& hash() const override { return hash_; }
  const WordPiece& tokenizer() const override { return *tokenizer_; }

 private:
  static double squares_of(const Embedding& vector) {
    double squares = 0;
    for (const float value : vector) squares += static_cast<double>(value) * value;
    return squares;
  }

  const std::shared_ptr<const WordPiece> tokenizer_;
  const std::vector<float> vectors_;
  const std::size_t dimension_;
  const std::size_t pieces_max_;
  const std::string hash_;
};

std::string text_of(const json::object& head, const char* key) {
  const auto* value = head.if_contains(key);
  const auto* text = value ? value->if_string() : nullptr;
  return text ? std::string(text->data(), text->size()) : std::string();
}

/// 0 for what is missing or no count.
std::uint64_t count_of(const json::object& head, const char* key) {
  const auto* value = head.if_contains(key);
  if (!value || !value->is_int64() || value->get_int64() < 0) return 0;
  return static_cast<std::uint64_t>(value->get_int64());
}

StaticEncoderInfo info_of(const json::object& head) {
  StaticEncoderInfo out;
  out.source_hash = text_of(head, "source_hash");
  out.dimension = count_of(head, "dimension");
  out.pieces_max = count_of(head, "pieces_max");
  out.texts = count_of(head, "texts");
  out.texts_hash = text_of(head, "texts_hash");
  out.command = text_of(head, "command");
  out.created = text_of(head, "created");
  const auto* measured = head.if_contains("measured");
  if (!measured || !measured->is_object()) return out;
  for (const auto& [name, value] : measured->get_object()) {
    json::error_code failed;
    const double number = value.to_number<double>(failed);
    if (out.measured.size() < kMeasuredMax)
      out.measured.emplace_back(std::string(name), failed ? std::nan("") : number);
  }
  return out;
}

}  // namespace

std::string static_encoder_bytes(const StaticEncoderFile& file) {
  std::string body(reinterpret_cast<const char*>(file.vectors.data()), file.vectors.size() * sizeof(float));
  body += file.vocabulary;
  const auto& info = file.info;
  json::object head;
  head["source_hash"] = info.source_hash;
  head["dimension"] = info.dimension;
  head["numbers"] = file.vectors.size();
  head["pieces_max"] = info.pieces_max;
  head["texts"] = info.texts;
  head["texts_hash"] = info.texts_hash;
  head["command"] = info.command;
  head["created"] = info.created;
  json::object measured;
  for (const auto& [name, value] : info.measured)
    measured[name] = std::isfinite(value) ? json::value(value) : json::value(nullptr);
  head["measured"] = std::move(measured);
  head["body_sha256"] = sha256_hex(body);
  return sealed_bytes(kFileName, kVersion, json::serialize(head), body);
}

Result<std::shared_ptr<const SentenceEncoder>> parse_static_encoder(std::string_view bytes,
                                                                    const std::string& name,
                                                                    StaticEncoderInfo* info_out) {
  const auto sealed = open_sealed(bytes, kFileName, kVersion);
  if (!sealed && sealed.error().version.empty()) return corrupt(name, sealed.error().what);
  if (!sealed) {
    return fail(
        ErrorKind::kCallerInvalid, "static_encoder_version",
        fmt::format("{} is a static encoder of version {}, and this Brevet reads version {}. Distil it "
                    "again, or use the Brevet that made it.",
                    name, sealed.error().version, kVersion),
        "encoder");
  }
  json::error_code failed;
  json::parse_options limits;
  limits.max_depth = 8;
  limits.allow_invalid_utf8 = true;  // the command comes as somebody's terminal wrote it
  const auto value = json::parse(sealed->head, failed, {}, limits);
  if (failed || !value.is_object()) return corrupt(name, "its description is not JSON");
  const auto& head = value.get_object();
  if (sha256_hex(sealed->body) != text_of(head, "body_sha256"))
    return corrupt(name, "its numbers are cut or were changed");
  auto info = info_of(head);
  const auto numbers = count_of(head, "numbers");
  if (info.dimension == 0 || info.dimension > kDimensionMax || info.pieces_max == 0 ||
      info.pieces_max > kPiecesMax || numbers % info.dimension != 0 ||
      numbers > sealed->body.size() / sizeof(float))
    return corrupt(name, "its shape is impossible");
  auto tokenizer = WordPiece::create(std::string(sealed->body.substr(numbers * sizeof(float))));
  if (!tokenizer) return fail(tokenizer.error());
  if ((*tokenizer)->size() != numbers / info.dimension)
    return corrupt(name, "its numbers do not fit its vocabulary");
  std::vector<float> vectors(numbers);
  std::memcpy(vectors.data(), sealed->body.data(), numbers * sizeof(float));
  // Bounded, so that no sum of pieces_max rows overflows.
  const float most = std::sqrt(std::numeric_limits<float>::max()) / static_cast<float>(kPiecesMax);
  if (!std::all_of(vectors.begin(), vectors.end(), [&](float v) { return std::fabs(v) < most; }))
    return corrupt(name, "its numbers are no vectors");
  const auto cls = vectors.begin() + (*tokenizer)->cls() * static_cast<std::ptrdiff_t>(info.dimension);
  if (std::all_of(cls, cls + static_cast<std::ptrdiff_t>(info.dimension),
                  [](float v) { return std::fabs(v) < 1e-6F; }))
    return corrupt(name, "it has no vector for a text without pieces");
  if (info_out) *info_out = info;
  return std::make_shared<const StaticEncoder>(std::move(*tokenizer), std::move(vectors), info.dimension,
                                               info.pieces_max, sha256_hex(bytes));
}

Result<std::shared_ptr<const SentenceEncoder>> read_static_encoder(const std::string& path,
                                                                   StaticEncoderInfo* info) {
  const auto bytes = read_whole_file(path, kFileBytesMax);
  if (bytes) return parse_static_encoder(*bytes, path, info);
  return fail(ErrorKind::kCallerInvalid, "static_encoder_unreadable",
              fmt::format("Cannot read the static encoder {}: {}.", path, bytes.error()), "encoder");
}

Result<std::string> write_static_encoder(const StaticEncoderFile& file, const std::string& path) {
  const auto bytes = static_encoder_bytes(file);
  if (const auto written = replace_file(path, bytes); !written) {
    return fail(ErrorKind::kCallerInvalid, "static_encoder_unwritable",
                fmt::format("Cannot write the static encoder {}: {}.", path, written.error()), "--out");
  }
  return sha256_hex(bytes);
}

}  // namespace brevet
