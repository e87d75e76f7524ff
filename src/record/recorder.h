// Asks models the user's questions, scores the answers and stays within a budget, whatever kills it.
//
// Called by `brevet record`. Runs on the calling thread until it ends; many calls are in flight, all on that
// thread. Every call is booked at its worst case, written to the journal, made, and written again with what
// it cost. What the journal already answers is not asked again. Retries are the model client's alone. It does
// not read or write the files of questions and outcomes.
//
// The worst case of a call: a token for every byte that is sent (a token of a text is at least one byte) and
// the answer's limit in tokens, at the dearer of plain and cached input, for each of the tries that the
// client may make. What a call is charged: the price of the tokens that the provider reports; 0 where the
// provider did no work (refused, unreachable, rate limited); the worst case of every try
// made where nobody can say (cut, garbled or late answers, answers without token counts), and the whole
// booking of a call that a crash left without an end.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "domain/configuration.h"
#include "record/budget.h"
#include "record/command_scorer.h"
#include "record/journal.h"
#include "record/prompt_file.h"
#include "record/scorer.h"
#include "upstream/model_client.h"

namespace brevet::record {

struct RecordModel {
  ModelClientPtr client;
  int tries_max = 1;          ///< of one call, each of which may be paid
  int concurrent_max = 256;   ///< of its client
  bool is_gateway = false;    ///< its failures may have been paid upstream
  bool logprobs = false;      ///< it gives log-probabilities when asked
  bool names_record = false;  ///< it finds recorded answers by the question's id
};

struct RecordProgress {
  std::size_t done = 0;         ///< questions with nothing left to ask
  std::size_t done_asking = 0;  ///< those of them that took a call of this run
  std::size_t questions = 0;
  std::uint64_t calls = 0;  ///< made by this run
  Money spent;              ///< by all runs
};

struct RecordOptions {
  std::vector<Configuration> configurations;
  std::map<std::string, RecordModel, std::less<>> models;
  std::map<std::string, std::string, std::less<>> guides;  ///< id to text
  /// Prompt transforms by name; a configuration that names another is refused.
  std::map<std::string, MessageEdits, std::less<>> transforms;

  ScorerKind scorer = ScorerKind::kExact;
  const JsonSchema* schema = nullptr;    ///< for json_schema
  CommandOptions command;                ///< for command
  std::optional<Configuration> judge;    ///< for judge; one sample, asked at temperature 0
  std::optional<Configuration> against;  ///< whose answers the judge compares with; empty: the right answers

  std::int64_t tokens_max = 1024;  ///< of one answer
  std::string limit_field = "max_tokens";
  std::optional<double> temperature = 0;  ///< empty: the provider's own
  double sample_temperature = .7;         ///< of configurations with several samples

  BudgetLimits limits;
  int concurrency = 8;
  bool retry_unknown = false;  ///< ask again what may have been paid without an answer
  int failures_max = 20;       ///< unpaid failures in a row that end the run
  std::function<bool()> stop;  ///< asked between calls
  std::function<void(const RecordProgress&)> progress;
};

enum class RecordEnd { kComplete, kIncomplete, kBudget, kInterrupted, kFailures };

struct RecordSummary {
  RecordEnd end = RecordEnd::kComplete;
  std::string message;                                ///< why it ended early, and how to go on
  std::uint64_t calls = 0, answered = 0, failed = 0;  ///< of this run, judges included
  std::uint64_t reused = 0;                           ///< answers taken from the journal
  std::uint64_t unknown_left = 0;                     ///< perhaps paid without an answer, and not asked again
  std::uint64_t failed_unpaid = 0;                    ///< of the failed ones; the next run asks again
  std::uint64_t lost = 0;                             ///< calls that a crash left without an end, all runs
  std::uint64_t cells = 0, cells_missing = 0;         ///< outcomes there are, and that could not be had
  std::uint64_t unscored = 0;                         ///< answers without a score, of those missing
  std::uint64_t cut = 0;                              ///< answers that met their limit in tokens
  std::uint64_t judged = 0, orders_differ = 0, judge_unreadable = 0;
  std::map<std::string, std::uint64_t> failures;  ///< by code, of this run
  std::map<std::string, std::uint64_t> no_score;  ///< by reason
  Money spent, judge_spent;                       ///< of all runs, as charged
  std::uint64_t unpriced = 0;
  /// By question, in order: outcomes that were recorded, as JSON.
  std::vector<std::vector<std::pair<std::string, std::string>>> outcomes;
};

/// Checks everything before the first call is paid. Errors (kCallerInvalid): unknown_model,
/// unknown_transform, unknown_guide, unknown_price, missing_budget, missing_answer, bad_answer_key,
/// missing_scorer_option, bad_prompt_line; while it runs: cost_above_booking (kProviderGarbage: a model cost
/// more than its worst case), and those of the journal and of the command.
Result<RecordSummary> record(const std::vector<Question>& questions, Journal& journal,
                             const RecordOptions& options);

}  // namespace brevet::record
