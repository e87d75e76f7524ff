// Names for files that are written beside their place and renamed into it, so that who reads the place sees
// the old file or the whole new one. Thread-safe; processes that share the folder get other names.
#pragma once

#include <string>

namespace brevet {

/// "FILE.<process>-<number>.part". A process that is killed leaves it: whoever owns the folder clears those.
std::string temporary_name(const std::string& file);

}  // namespace brevet
