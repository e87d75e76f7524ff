#include "app/paths.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/random.h"

namespace brevet {

std::string third_party_folder() {
  const char* set = std::getenv("BREVET_THIRD_PARTY");
  return set != nullptr && *set != '\0' ? set : BREVET_THIRD_PARTY_DEFAULT;
}

std::string encoder_folder() {
  return third_party_folder() + "/minilm";
}
std::string llama_server_path() {
  return third_party_folder() + "/llama/bin/llama-server";
}

std::string local_model_path() {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(third_party_folder() + "/smollm2", ignored)) {
    if (entry.path().extension() == ".gguf") return entry.path().string();
  }
  return {};
}

std::string eval_cache_folder() {
  const auto set = [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
  if (const auto own = set("BREVET_CACHE"); !own.empty()) return own;
  if (const auto cache = set("XDG_CACHE_HOME"); !cache.empty()) return cache + "/brevet";
  if (const auto home = set("HOME"); !home.empty()) return home + "/.cache/brevet";
  return (std::filesystem::temp_directory_path() / "brevet-cache").string();
}

std::string own_build_hash() {
  std::ifstream in("/proc/self/exe", std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  return bytes.empty() ? std::string() : std::to_string(hash_bytes(bytes));
}

std::string make_temporary_folder(const std::string& prefix) {
  std::string pattern = (std::filesystem::temp_directory_path() / (prefix + "XXXXXX")).string();
  const char* made = mkdtemp(pattern.data());
  return made != nullptr ? made : std::string{};
}

}  // namespace brevet
