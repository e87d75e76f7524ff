// Reads the price table of LiteLLM (model_prices_and_context_window.json) into a catalogue to be merged.
//
// Used by `brevet models import`. Pure. A field that the table does not have stays unknown. Does not merge,
// write or fetch.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/model_catalogue.h"

namespace brevet {

enum class BrokenRows { kRefuse, kSkip };

struct LiteLlmImport {
  ModelCatalogue catalogue;
  std::string source_id;            ///< "litellm-" and the first 12 digits of the hash
  std::size_t rows = 0;             ///< models in the file
  std::size_t not_text = 0;         ///< left out: embeddings, images, speech, ...
  std::size_t no_mode = 0;          ///< left out: the row does not say what it is
  std::size_t priced_zero = 0;      ///< taken without a price: 0 stands for "free" and for "not known"
  std::size_t without_price = 0;    ///< taken, and has no price per token
  std::vector<std::string> broken;  ///< left out with BrokenRows::kSkip: one sentence each
};

/// `date` (YYYY-MM-DD) and the file's SHA-256 become the provenance of every fact. Row by row:
/// input_cost_per_token and output_cost_per_token -> price (per token as written, exact to 1e-18 USD), with
/// cache_read_input_token_cost and cache_creation_input_token_cost; max_input_tokens -> context_tokens;
/// max_output_tokens; supports_* -> capabilities (absent = unknown); mode -> instruct (chat, responses) or
/// completion; litellm_provider -> hosts; deprecation_date -> retires. Prices for long prompts are only
/// noted. Errors (kCallerInvalid, `param` names the field, the message the line): bad_model_file.
Result<LiteLlmImport> import_litellm(std::string_view json, const std::string& name_for_errors,
                                     const std::string& date, BrokenRows broken = BrokenRows::kRefuse);

}  // namespace brevet
