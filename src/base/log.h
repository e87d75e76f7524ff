// Logging for operators: one line an event, to stderr, level by BREVET_LOG (trace|debug|info|warn|error|off).
// Thread-safe. Request content is never logged.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace brevet {

/// Sets level and pattern; called once by app. Unknown names mean "info".
void set_up_log(std::string_view level);

}  // namespace brevet
