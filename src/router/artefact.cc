#include "router/artefact.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/random.h"
#include "base/sealed_file.h"

namespace brevet {
namespace {

namespace json = boost::json;

constexpr std::string_view kFileName = "brevet-router";
constexpr int kVersion = 1;
/// Over the largest that is made: 200,000 remembered requests of 384 numbers are 307 MB.
constexpr std::uintmax_t kFileBytesMax = std::uintmax_t{1} << 30;
constexpr std::size_t kTensorsMax = 4096;
constexpr std::size_t kRankMax = 4;
constexpr std::size_t kConfigurationsMax = 1024;
constexpr std::size_t kMeasuredMax = 256;
constexpr std::size_t kTextBytesMax = 64 * 1024;

tl::unexpected<Error> corrupt(const std::string& name, const std::string& what) {
  return fail(
      ErrorKind::kCallerInvalid, "router_corrupt",
      fmt::format("{} is not a whole router file: {}. Make it again with `brevet train`.", name, what),
      "router");
}

json::value number_or_null(double value) {
  return std::isfinite(value) ? json::value(value) : json::value(nullptr);
}

/// The line without its own hash.
std::string open_line(const Artefact& artefact, const std::string& numbers_hash) {
  const auto& info = artefact.info;
  json::object out;
  out["kind"] = info.kind;
  json::array configurations;
  for (const auto& key : info.configurations) configurations.emplace_back(key);
  out["configurations"] = std::move(configurations);
  out["encoder_hash"] = info.encoder_hash;
  out["lexical_version"] = info.lexical_version;
  out["data_hash"] = info.data_hash;
  out["command"] = info.command;
  out["created"] = info.created;
  out["fitted"] = info.fitted;
  out["seed"] = info.seed;
  // Only where there is one: files of kinds without stay as they were, byte for byte.
  if (!info.model.empty()) {
    out["model"] = info.model;
    out["model_hash"] = info.model_hash;
  }
  json::array costs;
  for (const double cost : info.mean_cost_usd) costs.push_back(number_or_null(cost));
  out["mean_cost_usd"] = std::move(costs);
  json::array measured;
  for (const auto& [name, value] : info.measured) {
    measured.push_back(json::array{json::value(name), number_or_null(value)});
  }
  out["measured"] = std::move(measured);
  json::array tensors;
  for (const auto& [name, tensor] : artefact.tensors) {
    json::array shape;
    for (const auto length : tensor.shape) shape.emplace_back(length);
    tensors.push_back(json::array{json::value(name), std::move(shape)});
  }
  out["tensors"] = std::move(tensors);
  out["numbers_sha256"] = numbers_hash;
  return json::serialize(out);
}

/// Reads fields of the line; the first that is missing or of another type is kept.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}
  const std::string& wrong() const { return wrong_; }
  void wrong(const char* key) {
    if (wrong_.empty()) wrong_ = fmt::format("`{}` is missing or not what it should be", key);
  }

  bool has(const char* key) const { return object_.contains(key); }
  std::string text(const char* key) {
    const auto* value = object_.if_contains(key);
    const auto* found = value ? value->if_string() : nullptr;
    if (!found || found->size() > kTextBytesMax) {
      wrong(key);
      return {};
    }
    return std::string(found->data(), found->size());
  }
  std::uint64_t count(const char* key) {
    const auto* value = object_.if_contains(key);
    if (value && value->is_uint64()) return value->get_uint64();
    if (value && value->is_int64() && value->get_int64() >= 0)
      return static_cast<std::uint64_t>(value->get_int64());
    wrong(key);
    return 0;
  }
  const json::array& list(const char* key, std::size_t size_max) {
    static const json::array empty;
    const auto* value = object_.if_contains(key);
    const auto* found = value ? value->if_array() : nullptr;
    if (!found || found->size() > size_max) {
      wrong(key);
      return empty;
    }
    return *found;
  }
  /// Null stands for a number that is not known.
  double number(const char* key, const json::value& value) {
    if (value.is_double()) return value.get_double();
    if (value.is_int64()) return static_cast<double>(value.get_int64());
    if (value.is_uint64()) return static_cast<double>(value.get_uint64());
    if (!value.is_null()) wrong(key);
    return std::numeric_limits<double>::quiet_NaN();
  }

 private:
  const json::object& object_;
  std::string wrong_;
};

void read_info(Fields& fields, RouterInfo& info) {
  info.kind = fields.text("kind");
  if (info.kind.empty()) fields.wrong("kind");
  for (const auto& value : fields.list("configurations", kConfigurationsMax)) {
    const auto* key = value.if_string();
    if (!key || key->empty() || key->size() > kTextBytesMax) return fields.wrong("configurations");
    info.configurations.emplace_back(key->data(), key->size());
  }
  if (info.configurations.size() < 2) fields.wrong("configurations");
  info.encoder_hash = fields.text("encoder_hash");
  const auto lexical = fields.count("lexical_version");
  if (lexical > 1'000'000) fields.wrong("lexical_version");
  info.lexical_version = static_cast<int>(std::min<std::uint64_t>(lexical, 1'000'000));
  info.data_hash = fields.text("data_hash");
  info.command = fields.text("command");
  info.created = fields.text("created");
  info.fitted = fields.count("fitted");
  info.seed = fields.count("seed");
  if (fields.has("model")) {
    info.model = fields.text("model");
    info.model_hash = fields.text("model_hash");
  }
  for (const auto& value : fields.list("mean_cost_usd", kConfigurationsMax)) {
    info.mean_cost_usd.push_back(fields.number("mean_cost_usd", value));
  }
  if (!info.mean_cost_usd.empty() && info.mean_cost_usd.size() != info.configurations.size())
    fields.wrong("mean_cost_usd");
  for (const auto& value : fields.list("measured", kMeasuredMax)) {
    const auto* pair = value.if_array();
    if (!pair || pair->size() != 2 || !(*pair)[0].is_string()) return fields.wrong("measured");
    const auto& name = (*pair)[0].get_string();
    info.measured.emplace_back(std::string(name.data(), name.size()), fields.number("measured", (*pair)[1]));
  }
}

/// Shapes of the tensors in the file's order; the numbers they need must fit `bytes` exactly.
void read_shapes(Fields& fields, std::size_t bytes, std::map<std::string, Tensor>& tensors) {
  std::string before;
  std::uint64_t left = bytes / sizeof(float);
  if (bytes % sizeof(float) != 0) fields.wrong("tensors");
  for (const auto& value : fields.list("tensors", kTensorsMax)) {
    const auto* row = value.if_array();
    if (!row || row->size() != 2 || !(*row)[0].is_string() || !(*row)[1].is_array())
      return fields.wrong("tensors");
    const auto& text = (*row)[0].get_string();
    const auto& lengths = (*row)[1].get_array();
    std::string name(text.data(), text.size());
    // In order and once each, so that a name says where its numbers lie.
    if (name.empty() || name.size() > 200 || (!tensors.empty() && name <= before) ||
        lengths.size() > kRankMax)
      return fields.wrong("tensors");
    Tensor tensor;
    bool none = false;
    for (const auto& length : lengths) {
      if (!length.is_int64() || length.get_int64() < 0 || length.get_int64() > (std::int64_t{1} << 31))
        return fields.wrong("tensors");
      tensor.shape.push_back(static_cast<std::uint32_t>(length.get_int64()));
      none |= length.get_int64() == 0;
    }
    std::uint64_t count = none ? 0 : 1;
    for (const auto length : tensor.shape) {
      // Each factor is bounded by what is left in the file, so the product cannot overflow.
      count *= length;
      if (count > left) return fields.wrong("tensors");
    }
    left -= count;
    tensor.values.resize(count);
    before = name;
    tensors.emplace(std::move(name), std::move(tensor));
  }
  if (left != 0) fields.wrong("tensors");
}

std::string numbers_of(const Artefact& artefact) {
  std::size_t count = 0;
  for (const auto& [name, tensor] : artefact.tensors) count += tensor.values.size();
  std::string out;
  out.reserve(count * sizeof(float));
  for (const auto& [name, tensor] : artefact.tensors) {
    out.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  }
  return out;
}

}  // namespace

Result<const Tensor*> Artefact::tensor(const std::string& name,
                                       const std::vector<std::uint32_t>& shape) const {
  const auto found = tensors.find(name);
  bool fits = found != tensors.end() && found->second.shape.size() == shape.size();
  for (std::size_t i = 0; fits && i < shape.size(); ++i) {
    fits = shape[i] == 0 || shape[i] == found->second.shape[i];
  }
  if (fits) return &found->second;
  return fail(
      ErrorKind::kCallerInvalid, "router_corrupt",
      fmt::format("The router of kind '{}' {} '{}'. Make it again with `brevet train`.", info.kind,
                  found == tensors.end() ? "has no numbers" : "has numbers of another shape in", name),
      "router");
}

std::string artefact_bytes(const Artefact& artefact) {
  const auto numbers = numbers_of(artefact);
  return sealed_bytes(kFileName, kVersion, open_line(artefact, sha256_hex(numbers)), numbers);
}

Result<std::shared_ptr<const Artefact>> parse_artefact(std::string_view bytes, const std::string& name) {
  const auto sealed = open_sealed(bytes, kFileName, kVersion);
  if (!sealed && sealed.error().version.empty()) return corrupt(name, sealed.error().what);
  if (!sealed) {
    return fail(ErrorKind::kCallerInvalid, "router_version",
                fmt::format("{} is a router file of version {}, and this Brevet reads version {}. Train it "
                            "again, or use the Brevet that made it.",
                            name, sealed.error().version, kVersion),
                "router");
  }
  const auto numbers = sealed->body;

  json::error_code failed;
  json::parse_options limits;
  limits.max_depth = 8;
  limits.allow_invalid_utf8 = true;  // names and commands come as somebody's terminal wrote them
  const auto value = json::parse(sealed->head, failed, {}, limits);
  if (failed || !value.is_object()) return corrupt(name, "its description is not JSON");
  Fields fields(value.get_object());
  auto out = std::make_shared<Artefact>();
  const auto wanted = fields.text("numbers_sha256");
  // Before anything is taken from them: a changed number is a wrong number.
  if (fields.wrong().empty() && sha256_hex(numbers) != wanted)
    return corrupt(name, "its numbers are cut or were changed");
  read_info(fields, out->info);
  read_shapes(fields, numbers.size(), out->tensors);
  if (!fields.wrong().empty()) return corrupt(name, fields.wrong());
  std::size_t at = 0;
  for (auto& [tensor_name, tensor] : out->tensors) {
    const auto size = tensor.values.size() * sizeof(float);
    if (size > 0) std::memcpy(tensor.values.data(), numbers.data() + at, size);
    at += size;
  }
  out->hash = sha256_hex(bytes);
  return std::shared_ptr<const Artefact>(std::move(out));
}

Result<std::shared_ptr<const Artefact>> read_artefact(const std::string& path) {
  const auto bytes = read_whole_file(path, kFileBytesMax);
  if (bytes) return parse_artefact(*bytes, path);
  return fail(ErrorKind::kCallerInvalid, "router_unreadable",
              fmt::format("Cannot read the router file {}: {}.", path, bytes.error()), "router");
}

Result<std::string> write_artefact(const Artefact& artefact, const std::string& path) {
  const auto unwritable = [&](const std::string& why) {
    return fail(ErrorKind::kCallerInvalid, "router_unwritable",
                fmt::format("Cannot write the router file {}: {}.", path, why), "--out");
  };
  const auto bytes = artefact_bytes(artefact);
  if (bytes.size() > kFileBytesMax)
    return unwritable(fmt::format("it would have more than {} bytes, which nobody reads", kFileBytesMax));
  if (const auto written = replace_file(path, bytes); !written) return unwritable(written.error());
  return sha256_hex(bytes);
}

}  // namespace brevet
