// A folder of this test process alone, for tests only. ctest runs every test as a process of its own, several
// at a time and perhaps in several checkouts: a fixed name under the temporary folder would be shared by all
// of them.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

namespace brevet {

/// Ends in a slash; made on first use, removed when the process ends.
inline const std::string& test_folder() {
  struct Folder {
    Folder() {
      std::string pattern = (std::filesystem::temp_directory_path() / "brevet-test-XXXXXX").string();
      const char* made = mkdtemp(pattern.data());
      if (made == nullptr) std::abort();
      path = std::string(made) + "/";
    }
    ~Folder() {
      std::error_code ignored;
      std::filesystem::remove_all(path, ignored);
    }
    std::string path;
  };
  static const Folder folder;
  return folder.path;
}

}  // namespace brevet
