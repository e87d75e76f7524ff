// `brevet models select`: hard constraints, then the trade-off.
//
// Used by models_command.cc. One thread. Prints to standard output; errors to the caller.
#pragma once

#include "app/commands.h"
#include "base/result.h"
#include "catalog/model_catalogue.h"

namespace brevet {

/// Errors: bad_value (an option), unknown_model (--name), those of the data and price files, no_data.
Result<int> select_models(const ModelCatalogue& catalogue, const ModelsFlags& flags);

}  // namespace brevet
