#include "app/paths.h"

#include <cstdlib>
#include <filesystem>
#include <system_error>

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

std::string make_temporary_folder(const std::string& prefix) {
  std::string pattern = (std::filesystem::temp_directory_path() / (prefix + "XXXXXX")).string();
  const char* made = mkdtemp(pattern.data());
  return made != nullptr ? made : std::string{};
}

}  // namespace brevet
