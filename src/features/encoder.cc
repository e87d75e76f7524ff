// all-MiniLM-L6-v2 through ONNX Runtime: the mean of the last layer over all pieces, scaled to unit length.
//
// Shapes: input_ids, attention_mask, token_type_ids int64 [1, n] -> last_hidden_state float [1, n,
// dimension]. Without padding the attention mask is all ones and the masked mean is the plain one. N.
// Reimers, I. Gurevych, "Sentence-BERT", 2019. Weakness: it hears what a text is about, not how hard it is.
#include "features/encoder.h"

#include <onnxruntime_cxx_api.h>

#include <array>
#include <cmath>
#include <fstream>
#include <iterator>

#include "base/random.h"

namespace brevet {
namespace {

constexpr std::array<const char*, 3> kInputs = {"input_ids", "attention_mask", "token_type_ids"};
constexpr std::array<const char*, 1> kOutputs = {"last_hidden_state"};
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

class OnnxEncoder : public FullEncoder {
 public:
  OnnxEncoder(std::shared_ptr<const WordPiece> tokenizer, std::size_t pieces_max, std::string hash)
      : tokenizer_(std::move(tokenizer)),
        pieces_max_(pieces_max),
        hash_(std::move(hash)),
        environment_(ORT_LOGGING_LEVEL_ERROR, "brevet") {}

  /// Throws Ort::Exception.
  void open(const std::string& model, int threads) {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(threads);
    options.SetInterOpNumThreads(1);
    options.SetGraphOptimizationLevel(GraphOptimizationLevel::ORT_ENABLE_ALL);
    // Idle threads must not spin: the cores belong to the requests.
    options.AddConfigEntry("session.intra_op.allow_spinning", "0");
    session_ = Ort::Session(environment_, model.data(), model.size(), options);
    for (std::size_t i = 0; i < session_.GetOutputCount(); ++i) {
      const auto name = session_.GetOutputNameAllocated(i, allocator_);
      if (name.get() != std::string_view(kOutputs[0])) continue;
      const auto shape = session_.GetOutputTypeInfo(i).GetTensorTypeAndShapeInfo().GetShape();
      if (shape.size() == 3 && shape[2] > 0) dimension_ = static_cast<std::size_t>(shape[2]);
    }
  }

  Result<Embedding> embed(std::string_view text) const override {
    auto sum = sum_of(content_pieces(*tokenizer_, text, pieces_max_ - 2));
    if (!sum) return sum;
    double squares = 0;
    for (const float value : *sum) squares += static_cast<double>(value) * value;
    const auto scale = static_cast<float>(1.0 / std::sqrt(squares));
    for (float& value : *sum) value *= scale;
    return sum;
  }

  Result<Embedding> mean_of(std::span<const std::int32_t> pieces) const override {
    auto sum = sum_of(pieces);
    if (!sum) return sum;
    for (float& value : *sum) value /= static_cast<float>(pieces.size() + 2);
    return sum;
  }

  std::vector<std::int32_t> encode(std::string_view text) const override {
  auto pieces = content_pieces(*tokenizer_, text, pieces_max_ - 2);
  pieces.insert(pieces.begin(), tokenizer_->cls());
  pieces.push_back(tokenizer_->sep());
  return pieces;
}

std::size_t dimension() const override {
  return dimension_;
}
const std::string& hash() const override {
  return hash_;
}
const WordPiece& tokenizer() const override {
  return *tokenizer_;
}

private:
Result<Embedding> sum_of(std::span<const std::int32_t> pieces) const {
  try {
    return run(pieces);
  } catch (const Ort::Exception& error) {
    return fail(ErrorKind::kInternal, "encoder_failed",
                "The sentence encoder failed on a text of " + std::to_string(pieces.size() + 2) +
                    " pieces: " + error.what());
  }
}

Result<Embedding> run(std::span<const std::int32_t> pieces) const {
  const std::size_t length = pieces.size() + 2;
  const std::array<std::int64_t, 2> shape = {1, static_cast<std::int64_t>(length)};
  std::vector<std::int64_t> ids = {tokenizer_->cls()}, mask(length, 1), types(length, 0);
  ids.insert(ids.end(), pieces.begin(), pieces.end());
  ids.push_back(tokenizer_->sep());
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const auto tensor = [&](std::vector<std::int64_t>& values) {
    return Ort::Value::CreateTensor<std::int64_t>(memory, values.data(), values.size(), shape.data(),
                                                  shape.size());
  };
  const std::array<Ort::Value, 3> inputs = {tensor(ids), tensor(mask), tensor(types)};
  auto outputs = session_.Run(Ort::RunOptions{nullptr}, kInputs.data(), inputs.data(), inputs.size(),
                              kOutputs.data(), kOutputs.size());
  const auto got = outputs[0].GetTensorTypeAndShapeInfo().GetShape();
  if (got.size() != 3 || got[1] != shape[1] || got[2] != static_cast<std::int64_t>(dimension_)) {
    return fail(ErrorKind::kInternal, "encoder_failed",
                "The sentence encoder returned a tensor of another shape.");
  }
  const float* row = outputs[0].GetTensorData<float>();
  Embedding sum(dimension_, 0.0F);
  for (std::size_t piece = 0; piece < length; ++piece, row += dimension_) {
    for (std::size_t i = 0; i < dimension_; ++i) sum[i] += row[i];
  }
  double squares = 0;
  for (const float value : sum) squares += static_cast<double>(value) * value;
  if (!(squares > 0) || !std::isfinite(squares)) {
    return fail(ErrorKind::kInternal, "encoder_failed",
                "The sentence encoder returned a vector without direction.");
  }
  return sum;
}

const std::shared_ptr<const WordPiece> tokenizer_;
const std::size_t pieces_max_;
const std::string hash_;
std::size_t dimension_ = 0;  // constant after open()
Ort::AllocatorWithDefaultOptions allocator_;
Ort::Env environment_;
mutable Ort::Session session_{nullptr};  // Run() is safe from many threads but not declared const
};

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
  auto encoder =
      std::make_shared<OnnxEncoder>(std::move(*tokenizer), options.pieces_max, sha256_hex(identity));
  try {
    encoder->open(model, options.threads);
  } catch (const Ort::Exception& error) {
    return fail(ErrorKind::kInternal, "encoder_unusable",
                model_path + " is not a model that ONNX Runtime can open: " + error.what(), model_path);
  }
  // One text tells whether the inputs are the expected ones, before a request finds out.
  auto probe = encoder->dimension() > 0 ? encoder->embed("probe") : Result<Embedding>();
  if (!probe || probe->empty()) {
    return fail(ErrorKind::kInternal, "encoder_unusable",
                model_path +
                    " does not map input_ids, attention_mask and token_type_ids to last_hidden_state. " +
                    (probe ? "" : probe.error().message),
                model_path);
  }
  return std::shared_ptr<const FullEncoder>(std::move(encoder));
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
