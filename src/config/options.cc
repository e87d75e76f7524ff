#include "config/options.h"

#include <yaml-cpp/eventhandler.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "config/config_reader.h"

namespace brevet {
namespace {

using config::Fields;
using config::Reader;

/// A configuration is a page of text; more is a mistake, such as a data file given as configuration.
constexpr std::size_t kFileBytesMax = 4 * 1024 * 1024;

template <class T>
void read_named(Reader& reader, const YAML::Node& node, const std::string& section, const Fields<T>& fields,
                std::map<std::string, T>& out) {
  if (!reader.expect_map(node, section)) return;
  reader.members(node, section, [&](const std::string& name, const YAML::Node&, const YAML::Node& value) {
    T& entry = out[name];
    read_fields(reader, value, config::join_key(section, name), fields, entry);
  });
}

Config read_config(Reader& reader, const YAML::Node& root) {
  Config out;
  static const Fields<Config> fields = {
      {"server", "",
       [](Reader& r, const YAML::Node& node, const std::string& key, Config& c) {
         read_fields(r, node, key, config::server_fields(), c.server);
       },
       nullptr},
      {"memory", "",
       [](Reader& r, const YAML::Node& node, const std::string& key, Config& c) {
         read_fields(r, node, key, config::memory_fields(), c.memory);
       },
       nullptr},
      {"tenants", "",
       [](Reader& r, const YAML::Node& node, const std::string& key, Config& c) {
         read_named(r, node, key, config::tenant_fields(), c.tenants);
       },
       nullptr},
      {"models", "",
       [](Reader& r, const YAML::Node& node, const std::string& key, Config& c) {
         read_named(r, node, key, config::model_fields(), c.models);
       },
       nullptr},
      {"routes", "",
       [](Reader& r, const YAML::Node& node, const std::string& key, Config& c) {
         read_named(r, node, key, config::route_fields(), c.routes);
       },
       nullptr},
      {"seed", "",
       [](Reader& r, const YAML::Node& node, const std::string& key, Config& c) {
         if (auto seed = r.integer(node, key, 0, INT64_MAX)) c.seed = static_cast<std::uint64_t>(*seed);
       },
       nullptr},
  };
  read_fields(reader, root, "", fields, out);
  return out;
}

/// Hears a document and keeps nothing of it.
class DeafHandler : public YAML::EventHandler {
 public:
  using Mark = YAML::Mark;
  using Style = YAML::EmitterStyle::value;
  void OnDocumentStart(const Mark&) override {}
  void OnDocumentEnd() override {}
  void OnNull(const Mark&, YAML::anchor_t) override {}
  void OnAlias(const Mark&, YAML::anchor_t) override {}
  void OnScalar(const Mark&, const std::string&, YAML::anchor_t, const std::string&) override {}
  void OnSequenceStart(const Mark&, const std::string&, YAML::anchor_t, Style) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const Mark&, const std::string&, YAML::anchor_t, Style) override {}
  void OnMapEnd() override {}
};

/// YAML::Load() silently ignores what follows the first document, and LoadAll() never ends on some texts.
bool has_more_than_one_document(const std::string& text) {
  std::istringstream stream(text);
  YAML::Parser parser(stream);
  DeafHandler handler;
  return parser.HandleNextDocument(handler) && parser.HandleNextDocument(handler);
}

template <class T>
void print_fields(std::string& out, std::size_t indent, const Fields<T>& fields, const T& value,
                  const std::function<void(const std::string&)>& nested = nullptr) {
  for (const auto& field : fields) {
    out += std::string(indent, ' ') + "# " + field.help + "\n";
    out += std::string(indent, ' ') + field.name + ":";
    if (field.print) {
      out += " " + field.print(value) + "\n";
    } else {
      out += "\n";
      if (nested) nested(field.name);
    }
  }
}

}  // namespace

Result<Config> parse_config(const std::string& text, const std::string& name_for_errors) {
  Reader reader(name_for_errors);
  // yaml-cpp reports by exceptions; none leaves this function.
  try {
    if (text.size() > kFileBytesMax) {
      reader.set_error(YAML::Mark::null_mark(), "config_unreadable",
                       "is larger than " + std::to_string(kFileBytesMax) + " bytes; is it a configuration?",
                       "");
      return fail(*reader.error());
    }
    if (has_more_than_one_document(text)) {
      reader.set_error(YAML::Mark::null_mark(), "config_syntax",
                       "holds more than one YAML document, or text that belongs to none", "");
      return fail(*reader.error());
    }
    const YAML::Node root = YAML::Load(text);
    Config out = read_config(reader, root);
    if (!reader.failed()) config::validate(reader, root, out);
    if (reader.failed()) return fail(*reader.error());
    return out;
  } catch (const YAML::Exception& error) {
    reader.set_error(error.mark, "config_syntax", "the file is not YAML: " + error.msg, "");
  } catch (const std::exception& error) {
    reader.set_error(YAML::Mark::null_mark(), "config_syntax", std::string("cannot be read: ") + error.what(),
                     "");
  }
  return fail(*reader.error());
}

Result<Config> load_config(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  bool read = false;
  if (file) {
    // One byte over the bound, so that parse_config() can tell.
    text.resize(kFileBytesMax + 1);
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    read = file.eof() || file.good();
    text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  }
  if (!read || file.bad()) {
    return fail(ErrorKind::kCallerInvalid, "config_unreadable",
                "The configuration file " + path + " cannot be read; check the path and its permissions.",
                path);
  }
  auto config = parse_config(text, path);
  if (!config) return config;
  if (auto& encoder = config->server.static_encoder; !encoder.empty())
    encoder = (std::filesystem::path(path).parent_path() / encoder).string();
  for (auto& [name, route] : config->routes) {
    const auto beside = [&](std::string& router) {
      if (!router.empty()) router = (std::filesystem::path(path).parent_path() / router).string();
    };
    beside(route.router);
    for (auto& [as, composed] : route.composed) beside(composed.router);
  }
  return config;
}

std::vector<std::string> config_warnings(const Config& config) {
  std::vector<std::string> out;
  std::set<std::int64_t> skills, guides;
  for (const auto& [name, route] : config.routes) {
    skills.insert(route.learning.skills_max);
    guides.insert(route.learning.guides_max);
  }
  const auto differ = [&](const char* key, const std::set<std::int64_t>& values) {
    if (values.size() < 2) return;
    out.push_back(std::string("Routes differ in learning.") + key + "; memory is one, so the largest, " +
                  std::to_string(*values.rbegin()) + ", holds for all.");
  };
  differ("skills_max", skills);
  differ("guides_max", guides);
  return out;
}

std::string default_config_yaml() {
  std::string out =
      "# Every key with its default. Values may hold ${NAME} or ${NAME:-fallback} from the environment.\n"
      "server:\n";
  print_fields(out, 2, config::server_fields(), ServerOptions{});
  out += "# Bounds of what is remembered, over all routes and tenants.\nmemory:\n";
  print_fields(out, 2, config::memory_fields(), MemoryConfig{});
  out += "# Callers by client key; without any, everybody is the tenant `default`.\ntenants:\n  default:\n";
  print_fields(out, 4, config::tenant_fields(), TenantOptions{});
  out +=
      "# Models by name: `weak` shows every key, `strong` the two that have no default.\nmodels:\n  weak:\n";
  ModelOptions weak;
  weak.base_url = "http://127.0.0.1:8081/v1";
  print_fields(out, 4, config::model_fields(), weak,
               [&](const std::string&) { print_fields(out, 6, config::price_fields(), PriceOptions{}); });
  out += "  strong:\n    base_url: \"http://127.0.0.1:8082/v1\"\n    price: {input: 2.5, output: 10}\n";
  out += "# Names that clients put in `model`.\nroutes:\n  auto:\n";
  RouteOptions route;
  route.candidates = {"weak", "strong"};
  print_fields(out, 4, config::route_fields(), route, [&](const std::string&) {
    print_fields(out, 6, config::learning_fields(), LearningConfig{});
  });
  // Off by default, so that whoever copies this page promises nothing unawares.
  std::string contract;
  print_fields(contract, 6, config::contract_fields(), ContractConfig{});
  out += "    # With a contract, `contract:` followed by any of:\n";
  std::istringstream lines(contract);
  for (std::string line; std::getline(lines, line);) out += "    # " + line.substr(4) + "\n";
  out +=
      "# Seed of every coin, so that a replay sees the same ones.\nseed: " + std::to_string(Config{}.seed) +
      "\n";
  return out;
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& known) {
  constexpr std::size_t kDistanceMax = 3;
  constexpr std::size_t kNameBytesMax = 200;
  std::string best;
  std::size_t best_distance = kDistanceMax + 1;
  if (name.size() > kNameBytesMax) return best;
  for (const auto& other : known) {
    if (other.size() > kNameBytesMax) continue;
    // Levenshtein with swaps of neighbours as one edit (optimal string alignment), three rows.
    std::vector<std::size_t> before, last(other.size() + 1), row(other.size() + 1);
    for (std::size_t j = 0; j <= other.size(); ++j) last[j] = j;
    for (std::size_t i = 1; i <= name.size(); ++i) {
      row[0] = i;
      for (std::size_t j = 1; j <= other.size(); ++j) {
        row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (name[i - 1] == other[j - 1] ? 0 : 1)});
        if (i > 1 && j > 1 && name[i - 1] == other[j - 2] && name[i - 2] == other[j - 1])
          row[j] = std::min(row[j], before[j - 2] + 1);
      }
      before = last;
      last = row;
    }
    // A name of three letters is within three edits of everything.
    if (last.back() < best_distance && last.back() < std::max(name.size(), other.size())) {
      best_distance = last.back();
      best = other;
    }
  }
  return best;
}

}  // namespace brevet
