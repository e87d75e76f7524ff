// `brevet models select`: hard constraints, then the trade-off.
//
// Used by models_command.cc. One thread. Prints to standard output; errors to the caller.
#pragma once

#include "app/commands.h"
#include "base/result.h"
#include "catalog/device.h"
#include "catalog/model_catalogue.h"

namespace brevet {

/// The device that the flags name or describe; nothing when they do neither. Errors: bad_value (--device).
Result<std::optional<Device>> device_of(const ModelsFlags& flags);
FitAssumptions assumptions_of(const ModelsFlags& flags);

/// Errors: bad_value (an option), unknown_model (--name), those of the data and price files, no_data.
Result<int> select_models(const ModelCatalogue& catalogue, const ModelsFlags& flags);

}  // namespace brevet
