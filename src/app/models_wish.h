// What the flags of `brevet models` wish for, as the catalogue understands it.
//
// Used by the `brevet models` commands. Reads the clock for today's date, nothing else.
#pragma once

#include <optional>
#include <string>

#include "app/commands.h"
#include "base/result.h"
#include "catalog/device.h"
#include "catalog/model_choice.h"

namespace brevet {

/// Today in UTC as YYYY-MM-DD.
std::string utc_day();
/// The device that the flags name or describe; nothing when they do neither. Errors: bad_value (--device).
Result<std::optional<Device>> device_of(const ModelsFlags& flags);
FitAssumptions assumptions_of(const ModelsFlags& flags);
/// Errors: bad_value, `param` is the option.
Result<ModelWish> wish_of(const ModelsFlags& flags);

}  // namespace brevet
