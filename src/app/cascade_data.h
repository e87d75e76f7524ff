// Recorded outcomes as a cascade sees them: every model's answer on every request turned into signals, with
// scores, costs and what the request looks like.
//
// Used by `brevet train frugal_cascade|cascade_routing` and `brevet cascade`. Reads files and embeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/embed_texts.h"
#include "base/result.h"
#include "eval/question_set.h"
#include "train/fit_cascade.h"

namespace brevet {

struct CascadeSource {
  std::string data;                 ///< FILE or FILE@CHEAPEST,...,REFERENCE
  std::vector<std::string> models;  ///< instead of those behind the '@'
  std::string responses;            ///< joined by id when not empty
  std::string prices;               ///< for outcomes without costs
  std::size_t questions_max = 0;
  bool embed = true;  ///< false: signals of answers and the text's shape alone
  std::uint64_t seed = 1;
};

struct CascadeQuestions {
  std::shared_ptr<QuestionSet> set;
  CascadeData data;     ///< row = question of the set
  std::string signals;  ///< of the first model, in words
  std::string cost_basis;
};

/// Signals are read only from what was recorded: a file of scores has no text, and none is made up. Errors:
/// those of QuestionSet and of the encoder; models_needed.
Result<CascadeQuestions> load_cascade_questions(const CascadeSource& source);

struct CascadeRows {
  std::vector<std::uint32_t> fitting, calibration, test;
};
/// Disjoint by cluster. 0 labels = a third of the questions each.
CascadeRows split_cascade(const CascadeQuestions& questions, std::size_t fit_labels,
                          std::size_t calibration_labels, std::uint64_t seed);

}  // namespace brevet
