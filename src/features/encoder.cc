// all-MiniLM-L6-v2 through ONNX Runtime: the mean of the last layer over all pieces, scaled to unit length.
//
// Shapes: input_ids, attention_mask, token_type_ids int64 [1, n] -> last_hidden_state float [1, n,
// dimension]. Without padding the attention mask is all ones and the masked mean is the plain one. N.
// Reimers, I. Gurevych, "Sentence-BERT", 2019. Weakness: it hears what a text is about, not how hard it is.
#include "features/encoder.h"

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <iterator>

#include "base/random.h"

namespace brevet {
namespace {

constexpr std::array<const char*, 3> kInputs = {"input_ids", "attention_mask", "token_type_ids"};
constexpr const char* kHidden = "last_hidden_state";
constexpr const char* kLogits = "logits";
constexpr std::size_t kPositionsMax = 512;  // of the model; more would read past its table

std::string_view first_bytes(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0) == 0x80) --most;
  return text.substr(0, most);
}

std::string_view last_bytes(std::string_view text, std::size_t most) {
  if (text.size() <= most) return text;
  std::size_t begin = text.size() - most;
  while (begin < text.size() && (static_cast<unsigned char>(text[begin]) & 0xC0) == 0x80) ++begin;
  return text.substr(begin);
}

/// A model of pieces with its vocabulary; what comes out of it is the business of those who derive.
struct OnnxText {
  std::shared_ptr<const WordPiece> tokenizer;
  std::size_t pieces_max = 0;
  std::string hash;
  std::size_t dimension = 0;  // constant after open()
  Ort::AllocatorWithDefaultOptions allocator;
  Ort::Env environment{ORT_LOGGING_LEVEL_ERROR, "brevet"};
  mutable Ort::Session session{nullptr};  // Run() is safe from many threads but not declared const

  /// `output` has `rank` dimensions, the last of which is `dimension`. Throws Ort::Exception.
  void open(const std::string& model, int threads, std::string_view output, std::size_t rank) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    options.SetInterOpNumThreads(1);
    options.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
    // Idle threads must not spin: the cores belong to the requests.
    options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    session = Ort::Session(environment, model.data(), model.size(), options);
    for (std::size_t i = 0; i < session.GetOutputCount(); ++i) {
      const auto name = session.GetOutputNameAllocated(i, allocator);
      if (name.get() != output) continue;
      const auto shape = session.GetOutputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      if (shape.size() == rank && shape.back() > 0) dimension = static_cast<std::size_t>(shape.back());
    }
  }

  std::vector<std::int32_t> content(std::string_view text) const {
    return content_pieces(*tokenizer, text, pieces_max - 2);
  }
  std::vector<std::int32_t> encode(std::string_view text) const {
    auto pieces = content(text);
    pieces.insert(pieces.begin(), tokenizer->cls());
    pieces.push_back(tokenizer->sep());
    return pieces;
  }

  /// The rows of `output` for [CLS] pieces [SEP], added up: one row a piece, or a single one.
  Result<Embedding> sum_of_rows(std::span<const std::int32_t> pieces, const char* output) const {
    try {
      return run(pieces, output);
    } catch (const Ort::Exception& error) {
      return fail(ErrorKind::kInternal, "encoder_failed",
                  "The sentence encoder failed on a text of " + std::to_string(pieces.size() + 2) +
                      " pieces: " + error.what());
    }
  }

 private:
  Result<Embedding> run(std::span<const std::int32_t> pieces, const char* output) const {
    const std::size_t length = pieces.size() + 2;
    const std::array<std::int64_t, 2> shape = {1, static_cast<std::int64_t>(length)};
    std::vector<std::int64_t> ids = {tokenizer->cls()}, mask(length, 1), types(length, 0);
    ids.insert(ids.end(), pieces.begin(), pieces.end());
    ids.push_back(tokenizer->sep());
    const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const auto tensor = [&](std::vector<std::int64_t>& values) {
      return Ort::Value::CreateTensor<std::int64_t>(memory, values.data(), values.size(), shape.data(),
                                                    shape.size());
    };
    const std::array<Ort::Value, 3> inputs = {tensor(ids), tensor(mask), tensor(types)};
    auto outputs =
        session.Run(Ort::RunOptions{nullptr}, kInputs.data(), inputs.data(), inputs.size(), &output, 1);
    const auto got = outputs[0].GetTensorTypeAndShapeInfo().GetShape();
    const std::size_t rows = got.size() == 3 ? length : 1;
    if (got.size() < 2 || got[0] != 1 || (got.size() == 3 && got[1] != shape[1]) ||
        got.back() != static_cast<std::int64_t>(dimension)) {
      return fail(ErrorKind::kInternal, "encoder_failed",
                  "The sentence encoder returned a tensor of another shape.");
    }
    const float* row = outputs[0].GetTensorData<float>();
    Embedding sum(dimension, 0.0F);
    for (std::size_t i = 0; i < rows; ++i, row += dimension) {
      for (std::size_t k = 0; k < dimension; ++k) sum[k] += row[k];
    }
    double squares = 0;
    for (const float value : sum) squares += static_cast<double>(value) * value;
    if (!std::isfinite(squares) || (rows > 1 && !(squares > 0))) {
      return fail(ErrorKind::kInternal, "encoder_failed",
                  "The sentence encoder returned a vector without direction.");
    }
    return sum;
  }
};

class OnnxEncoder final : public FullEncoder {
 public:
  explicit OnnxEncoder(std::unique_ptr<const OnnxText> model) : model_(std::move(model)) {}

  Result<Embedding> embed(std::string_view text) const override {
    auto sum = model_->sum_of_rows(model_->content(text), kHidden);
    if (!sum) return sum;
    double squares = 0;
    for (const float value : *sum) squares += static_cast<double>(value) * value;
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
    for (float& value : *sum) value *= scale;
    return sum;
  }
  Result<Embedding> mean_of(std::span<const std::int32_t> pieces) const override {
    auto sum = model_->sum_of_rows(pieces, kHidden);
    if (!sum) return sum;
    for (float& value : *sum) value /= static_cast<float>(pieces.size() + 2);
    return sum;
  }
  std::vector<std::int32_t> encode(std::string_view text) const override { return model_->encode(text); }
  std::size_t dimension() const override { return model_->dimension; }
  const std::string& hash() const override { return model_->hash; }
  const WordPiece& tokenizer() const override { return *model_->tokenizer; }

 private:
  const std::unique_ptr<const OnnxText> model_;
};

class OnnxClassifier final : public SentenceEncoder {
 public:
  explicit OnnxClassifier(std::unique_ptr<const OnnxText> model) : model_(std::move(model)) {}

  Result<Embedding> embed(std::string_view text) const override {
    auto classes = model_->sum_of_rows(model_->content(text), kLogits);
    if (!classes) return classes;
    const float top = *std::max_element(classes->begin(), classes->end());
    float sum = 0;
    for (float& value : *classes) sum += value = std::exp(value - top);
    for (float& value : *classes) value /= sum;
    return classes;
  }
  std::vector<std::int32_t> encode(std::string_view text) const override { return model_->encode(text); }
  std::size_t dimension() const override { return model_->dimension; }
  const std::string& hash() const override { return model_->hash; }
  const WordPiece& tokenizer() const override { return *model_->tokenizer; }

 private:
  const std::unique_ptr<const OnnxText> model_;
};

Result<std::unique_ptr<OnnxText>> open_text(const EncoderOptions& options, const char* output,
                                            std::size_t rank) {
  const std::string model_path = options.folder + "/model.onnx",
                    vocabulary_path = options.folder + "/vocab.txt";
  if (options.pieces_max < 3 || options.pieces_max > kPositionsMax || options.threads < 1) {
    return fail(ErrorKind::kCallerInvalid, "encoder_unusable",
                "pieces_max must be 3 to 512 and threads at least 1.");
  }
  std::ifstream in(model_path, std::ios::binary);
  const std::string model{std::istreambuf_iterator<char>(in), {}};
  if (!in || model.empty()) {
    return fail(ErrorKind::kInternal, "encoder_unreadable",
                "The sentence encoder " + model_path + " cannot be read; scripts/lib/deps.sh fetches it.",
                model_path);
  }
  auto tokenizer = WordPiece::load(vocabulary_path);
  if (!tokenizer) return fail(tokenizer.error());
  std::string identity = sha256_hex(model);
  for (std::size_t i = 0; i < (*tokenizer)->size(); ++i) {
    identity += '\n';
    identity += (*tokenizer)->piece(static_cast<std::int32_t>(i));
  }
  identity += "\npieces_max " + std::to_string(options.pieces_max);
  auto out = std::make_unique<OnnxText>();
  out->tokenizer = std::move(*tokenizer);
  out->pieces_max = options.pieces_max;
  out->hash = sha256_hex(identity);
  try {
    out->open(model, options.threads, output, rank);
  } catch (const Ort::Exception& error) {
    return fail(ErrorKind::kInternal, "encoder_unusable",
                model_path + " is not a model that ONNX Runtime can open: " + error.what(), model_path);
  }
  // One text tells whether the inputs are the expected ones, before a request finds out.
  auto probe = out->dimension > 0 ? out->sum_of_rows(out->content("probe"), output) : Result<Embedding>();
  if (!probe || probe->empty()) {
    return fail(ErrorKind::kInternal, "encoder_unusable",
                model_path + " does not map input_ids, attention_mask and token_type_ids to " + output +
                    ". " + (probe ? "" : probe.error().message),
                model_path);
  }
  return out;
}

}  // namespace

std::vector<std::int32_t> content_pieces(const WordPiece& tokenizer, std::string_view text, std::size_t most,
                                         std::size_t end_bytes) {
  if (text.size() <= 2 * end_bytes) {
    auto pieces = tokenizer.pieces(text);
    cut_in_the_middle(pieces, most);
    return pieces;
  }
  auto pieces = tokenizer.pieces(first_bytes(text, end_bytes), most - most / 2);
  auto tail = tokenizer.pieces(last_bytes(text, end_bytes));
  if (tail.size() > most / 2) tail.erase(tail.begin(), tail.end() - static_cast<std::ptrdiff_t>(most / 2));
  pieces.insert(pieces.end(), tail.begin(), tail.end());
  return pieces;
}

Result<std::shared_ptr<const FullEncoder>> make_encoder(const EncoderOptions& options) {
  auto model = open_text(options, kHidden, 3);
  if (!model) return fail(model.error());
  return std::make_shared<const OnnxEncoder>(std::move(*model));
}

Result<std::shared_ptr<const SentenceEncoder>> make_classifier(const EncoderOptions& options) {
  auto model = open_text(options, kLogits, 2);
  if (!model) return fail(model.error());
  return std::make_shared<const OnnxClassifier>(std::move(*model));
}

std::string embedding_text(const WordPiece& tokenizer, std::string_view last_user,
                           std::string_view previous_user) {
  if (previous_user.empty() ||
      tokenizer.pieces(first_bytes(last_user, kTextEndBytes), kShortPieces).size() >= kShortPieces) {
    return std::string(last_user);
  }
  std::string text(previous_user);
  text += '\n';
  text += last_user;
  return text;
}

}  // namespace brevet
