// Recorded answers as fine-tuning data: a cheap model learns from the strong one's answers, and comes back as
// one more candidate beside its base (FrugalGPT's model approximation, arXiv 2305.05176, section 3).
//
// Called by `brevet tuning`. Pure. Formats are those that the usual trainers read, one JSON object a line:
//   sft         {"messages":[{"role","content"}..]} (OpenAI fine-tuning, TRL's SFTTrainer)
//   dpo         {"prompt":[..],"chosen":[{..}],"rejected":[{..}]} (TRL's DPOTrainer, conversational)
//   openai_dpo  {"input":{"messages":[..]},"preferred_output":[..],"non_preferred_output":[..]}
// What may not teach: answers that were cut or decline, answers scored wrong, and for pairs answers that say
// the same. Does not train and does not look at prices; a provider's terms may forbid training on its
// answers, which only the user can know.
#pragma once

#include <cstddef>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "dataset/outcome_file.h"

namespace brevet {

enum class TuningFormat { kSft, kDpo, kOpenAiDpo };
/// Errors: bad_option.
Result<TuningFormat> parse_tuning_format(const std::string& name);

struct TuningOptions {
  TuningFormat format = TuningFormat::kSft;
  std::string strong;             ///< whose answers are learned
  std::string weak;               ///< pairs: whose answers lose
  double score_min = 1;           ///< of an answer that is learned
  std::size_t chars_max = 32768;  ///< of prompt and answer together
};

struct TuningData {
  std::vector<std::string> lines;
  std::size_t without_answer = 0, too_wrong = 0, same = 0, too_long = 0, declined = 0, held_out = 0;
};

/// `held_out` are text keys of questions that must not teach (those a router or a test is measured on), as
/// text_key_of() makes them.
TuningData tuning_data(const std::vector<OutcomeRecord>& records, const TuningOptions& options,
                       const std::set<std::uint64_t>& held_out = {});
std::uint64_t text_key_of(const OutcomeRecord& record);

}  // namespace brevet
