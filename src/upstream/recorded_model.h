// A recorded upstream: plays the answers that one model gave when a data file was recorded.
//
// Made by app and eval, and served over HTTP by serve_models. Thread-safe; the loaded file is shared by its
// models. How a request is matched: by `metadata.brevet_record_id` when it is there, else by the hash of its
// last user message, which must be the rendered prompt (dataset/prompt_text.h). A transform or guide around
// the prompt therefore needs the id; it has no effect on a recorded answer. Prompts of our own (guides,
// judging) are in no file: like an unknown question they fail with kProviderRejected no_recorded_answer
// (404).
//
// What is played: the recorded response; else "The answer is (X)." with the recorded prediction; with a null
// prediction a text that states no answer. Files with scores only hold no text at all, so one is made from
// which comparing concludes what scores can say (right from .5 on; both right and equal = same, different
// scores = different, both wrong = cannot tell): score 1 plays "The answer is (A)." whatever the right letter
// is, a score from .5 on a short JSON list that states the score, a lower one a short text without an
// option, a number or a word in common with these, and different for each model.
//
// Does not retry, break or limit: nothing real is behind it.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "catalog/prices.h"
#include "dataset/outcome_file.h"
#include "upstream/model_client.h"

namespace brevet {

/// A data file in memory, with its two indexes. Immutable.
class RecordedAnswers {
 public:
  struct Options {
    std::string file;
    std::string responses_file;       ///< joined by id when not empty
    std::vector<std::string> models;  ///< keep only these; empty keeps all
  };
  /// Errors: those of the reader, and unknown_model when no record has a wanted model.
  static Result<std::shared_ptr<const RecordedAnswers>> load(const Options& options);
  /// Errors: unknown_model (a wanted model that no record has); `records` must have prompts.
  static Result<std::shared_ptr<const RecordedAnswers>> from_records(
      std::vector<OutcomeRecord> records, const std::vector<std::string>& models = {});

  const std::vector<OutcomeRecord>& records() const { return records_; }
  /// Names of all models kept, in the order in which they first occur.
  const std::vector<std::string>& models() const { return models_; }
  const OutcomeRecord* find_id(std::string_view id) const;
  /// The first record of the file that renders to this text (a few prompts occur twice, some with different
  /// outcomes: ask by id to tell them apart).
  const OutcomeRecord* find_prompt(std::string_view rendered) const;
  /// Estimate for the rendered prompt and the system prompt of one of records().
  std::int64_t prompt_tokens(const OutcomeRecord& record) const {
    return prompt_tokens_[static_cast<std::size_t>(&record - records_.data())];
  }

 private:
  RecordedAnswers() = default;
  std::vector<OutcomeRecord> records_;
  std::vector<std::string> models_;
  std::vector<std::int64_t> prompt_tokens_;  ///< by record
  std::unordered_map<std::string_view, std::size_t> by_id_;
  std::unordered_map<std::uint64_t, std::size_t> by_prompt_;
};

struct RecordedModelOptions {
  std::string model;                         ///< name in the file; also the id that answers carry
  std::shared_ptr<const PriceTable> prices;  ///< for records without a cost; null = such costs are unknown
  std::string price_name;                    ///< name in the price table; default: `model`
  /// Play every cell as if only its score were known: then comparing two answers says what the truth says.
  bool scores_only = false;
  double speed = 0;                   ///< 0 = no waiting; 1 = as recorded; 10 = ten times faster
  Milliseconds latency_default{500};  ///< where none was recorded
  bool bodies = true;  ///< write the JSON that a client is sent; a replay has nobody who reads it
};

/// Errors: unknown_model (names the models there are).
Result<ModelClientPtr> make_recorded_model(std::shared_ptr<const RecordedAnswers> answers,
                                           RecordedModelOptions options);

/// The text played for a score-only cell.
std::string score_only_answer(double score, std::string_view model);

}  // namespace brevet
