// Tables of configuration keys: one row per key says how it is read, what its default is and what it is for,
// so that reading, the check for unknown keys and the printed defaults cannot drift apart. Only for
// src/config.
#pragma once

#include <yaml-cpp/yaml.h>

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "config/options.h"

namespace brevet::config {

/// Strategies inside each other, as deep as a route runs them; deeper is a mistake, or meant to be one.
inline constexpr int kComposedDepthMax = 4;

/// Keeps the first error, with file and line. Values that came from the environment are never shown.
class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}
  bool failed() const { return error_.has_value(); }
  const std::optional<Error>& error() const { return error_; }
  void set_error(const YAML::Mark& mark, const char* code, const std::string& message,
                 const std::string& key);

  /// The scalar with ${NAME} and ${NAME:-fallback} filled in; an error when it is no scalar.
  std::optional<std::string> scalar(const YAML::Node& node, const std::string& key);
  /// Value of an environment variable that holds a secret; an error when unset or empty.
  std::optional<std::string> secret(const YAML::Node& node, const std::string& key, std::string& name);
  std::optional<std::int64_t> integer(const YAML::Node& node, const std::string& key, std::int64_t low,
                                      std::int64_t high);
  std::optional<double> number(const YAML::Node& node, const std::string& key, double low, double high);
  std::optional<bool> boolean(const YAML::Node& node, const std::string& key);
  std::optional<Money> money(const YAML::Node& node, const std::string& key);
  std::optional<std::string> choice(const YAML::Node& node, const std::string& key,
                                    const std::vector<std::string>& known);
  std::vector<std::string> names(const YAML::Node& node, const std::string& key);
  bool expect_map(const YAML::Node& node, const std::string& key);
  bool expect_list(const YAML::Node& node, const std::string& key);
  /// Calls each(name, key node, value); refuses keys that are no scalars or occur twice.
  void members(const YAML::Node& map, const std::string& where,
               const std::function<void(const std::string&, const YAML::Node&, const YAML::Node&)>& each);

 private:
  std::optional<std::string> substitute(const YAML::Node& node, const std::string& text,
                                        const std::string& key);
  std::string file_;
  std::optional<Error> error_;
};

template <class T>
struct Field {
  std::string name;
  std::string help;
  std::function<void(Reader&, const YAML::Node&, const std::string& key, T&)> read;
  std::function<std::string(const T&)> print;  ///< YAML of the value
};
template <class T>
using Fields = std::vector<Field<T>>;

std::string join_key(const std::string& where, const std::string& name);
std::string known_names(const std::string& name, const std::vector<std::string>& known);

/// Reads a map by its table. A null value keeps the default.
template <class T>
void read_fields(Reader& reader, const YAML::Node& node, const std::string& where, const Fields<T>& fields,
                 T& out) {
  if (!reader.expect_map(node, where)) return;
  reader.members(node, where, [&](const std::string& name, const YAML::Node& key, const YAML::Node& value) {
    for (const auto& field : fields) {
      if (field.name != name) continue;
      if (!value.IsNull()) field.read(reader, value, join_key(where, name), out);
      return;
    }
    std::vector<std::string> known;
    for (const auto& field : fields) known.push_back(field.name);
    reader.set_error(key.Mark(), "unknown_key",
                     "`" + join_key(where, name) + "` is not a key" + known_names(name, known),
                     join_key(where, name));
  });
}

/// The tables (fields.cc).
const Fields<ServerOptions>& server_fields();
const Fields<MemoryConfig>& memory_fields();
const Fields<TenantOptions>& tenant_fields();
const Fields<ModelOptions>& model_fields();
const Fields<PriceOptions>& price_fields();
const Fields<RouteOptions>& route_fields();
const Fields<LearningConfig>& learning_fields();
const Fields<ContractConfig>& contract_fields();

/// Contradictions between keys (validate.cc); fills defaults that depend on other keys.
void validate(Reader& reader, const YAML::Node& root, Config& config);

}  // namespace brevet::config
