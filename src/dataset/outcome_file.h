// Recorded outcomes of models on questions: reading and writing files of gzip or plain JSON Lines.
//
// Used by the recorded upstream, eval, train and clients that play a file. A reader or writer belongs to one
// thread; records are plain values. Unknown fields are ignored, a broken file is refused with its name, line
// and field. Does not score, price or split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "domain/money.h"

namespace brevet {

/// What one model did on one question. A field that was not recorded is empty.
struct RecordedOutcome {
  double score = 0;  ///< 0..1
  std::optional<Money> cost;
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> output_tokens;
  std::optional<double> latency_ms;
  std::optional<double> logprob_conf;  ///< natural log, 0 is most confident
  bool has_pred = false;               ///< `pred` was recorded, perhaps as null
  std::optional<std::string> pred;     ///< empty also when the model's answer stated none (null)
  std::optional<std::string> response;
  std::optional<std::int64_t> response_chars;
  std::vector<std::string> samples;
  std::vector<double> sample_scores;
  std::optional<double> vote_fraction;
};

struct Choice {
  std::string label;  ///< "A", "B", ...
  std::string text;
};

struct OutcomeRecord {
  std::string id;
  std::string dataset;
  std::string subject;  ///< for reports and splits only, never for a router
  std::string prompt;
  std::string system_prompt;
  std::vector<Choice> choices;
  std::string answer;  ///< the right answer; never for a router
  std::string source_split;
  std::string
      source;  ///< first of `turns`: turns of one conversation are one source question; for splits only
  bool contaminated = false;
  std::vector<std::pair<std::string, RecordedOutcome>> models;  ///< in the file's order, names unique

  /// Null when the model was not run on this record.
  const RecordedOutcome* outcome(std::string_view model) const;
};

enum class PromptField { kRequired, kOptional };

struct OutcomeReadOptions {
  std::vector<std::string> models;  ///< keep only these; empty keeps all
  PromptField prompt = PromptField::kRequired;
  std::size_t line_bytes_max = 64 * 1024 * 1024;
  std::size_t records_max = 10'000'000;  ///< for read_outcome_file
};

/// One line of a file. Errors (kCallerInvalid): broken_data_file; `param` is the field at fault, the message
/// starts with `where`.
Result<OutcomeRecord> parse_outcome_record(std::string_view line, const std::string& where,
                                           const OutcomeReadOptions& options = {});
/// The record as one line of JSON without a line break; carries "schema":1.
std::string outcome_record_json(const OutcomeRecord& record);

/// Streams a file, gzip or plain. Required: id, dataset, models, score of each model, and prompt unless
/// optional. `choices` may be a list of strings, an object {label: text}, an object of two lists
/// (text, label or labels), or either of the latter in Python's notation inside a string, as one public data
/// set has it.
class OutcomeReader {
 public:
  /// Errors: data_file_unreadable.
  static Result<std::unique_ptr<OutcomeReader>> open(const std::string& path,
                                                     OutcomeReadOptions options = {});
  virtual ~OutcomeReader() = default;
  /// The next record, nothing at the end. Empty lines are skipped. Errors: broken_data_file; the reader then
  /// stays failed.
  virtual Result<std::optional<OutcomeRecord>> next() = 0;
  /// Number of the line read last, from 1.
  virtual std::size_t line() const = 0;
};

/// A whole file. Refuses a second record with the same id and an empty file (broken_data_file).
Result<std::vector<OutcomeRecord>> read_outcome_file(const std::string& path,
                                                     const OutcomeReadOptions& options = {});

struct JoinCount {
  std::size_t joined = 0;      ///< records that were found
  std::size_t unmatched = 0;   ///< records of the second file that the first does not have
  std::size_t unanswered = 0;  ///< records of the first file that the second does not have
};
/// Adds from a second file, by id, what the first does not have: responses, predictions and models. Scores
/// must agree where both have one (broken_data_file, field score): the files are then not of the same run.
Result<JoinCount> join_responses(std::vector<OutcomeRecord>& records, const std::string& path,
                                 const OutcomeReadOptions& options = {});

/// Writes records; a path that ends in .gz is compressed.
class OutcomeWriter {
 public:
  /// Errors: data_file_unwritable.
  static Result<std::unique_ptr<OutcomeWriter>> create(const std::string& path);
  virtual ~OutcomeWriter() = default;
  virtual Result<> write(const OutcomeRecord& record) = 0;
  /// Flushes and says whether everything is on its way to the disk; without it a full disk goes unnoticed.
  virtual Result<> close() = 0;
};

}  // namespace brevet
