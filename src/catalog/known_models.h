// The text of the embedded catalogue (known_models.cc is the table itself). Only for src/catalog.
#pragma once

#include <string_view>

namespace brevet {
std::string_view known_models_json();
}
