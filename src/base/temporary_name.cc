#include "base/temporary_name.h"

#include <unistd.h>

#include <atomic>

namespace brevet {

std::string temporary_name(const std::string& file) {
  static std::atomic<unsigned long> next{0};
  return file + "." + std::to_string(getpid()) + "-" + std::to_string(next++) + ".part";
}

}  // namespace brevet
