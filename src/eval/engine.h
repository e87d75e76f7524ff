// `brevet eval`: strategies and baselines on recorded outcomes, with intervals, as one report.
//
// Called by app and by benches. Everything that is chosen, priced or learned happens in production's own flow
// (replay.h); here it is decided what is replayed and how the figures are put together. Honest protocol:
// docs/evaluation-protocol.md. Same options, same report but for `timing`. Not thread-safe itself, uses
// threads.
//
// A strategy falls into one of three kinds. Swept: fitted on the fitting split, it gives each test question
// one score, and every threshold of it is a point of its curve; its operating point is the threshold that
// gives the wanted share on the calibration split. Online: it learns while it serves, so each dial setting is
// a stream of its own, in every order. Computed: baselines that are arithmetic on the outcomes of single
// models (oracle, Zero router, random mixture).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eval/cache_folder.h"
#include "eval/question_set.h"
#include "eval/report_model.h"
#include "eval/streams.h"
#include "features/embedding_pool.h"

namespace brevet {

/// What a router is taught, for telling what a definition of labels is worth: both scores as they are
/// (`gain`); strong as if it were always right (`weak_fails`); who was strictly better, a tie being weak's
/// win (`wins`); the same without the ties (`decided`).
enum class LabelRule { kGain, kWeakFails, kWins, kDecided };

/// One strategy as the user names it.
struct EvalStrategy {
  std::string text;  ///< "adaptive{min_agreement=.9}"
  std::string name;
  OptionValues options;                 ///< of the strategy
  bool trained = false;                 ///< it reads a router, which is fitted here on the fitting split
  OptionValues router_options;          ///< of that fit
  LabelRule labels = LabelRule::kGain;  ///< `labels=...`, of trained ones
  RouterInputs inputs = RouterInputs::kEmbedding;  ///< `inputs=embedding|shape|static`, of trained ones
};
/// Options that the kind of router knows go to its fit, the others to the strategy. A name that means both a
/// strategy on what is remembered and a router (`knn`) is a router with `trained=true` or an option that only
/// its fit knows, or `labels` or `inputs`. Errors: bad_option, unknown_strategy, unknown_option.
Result<EvalStrategy> parse_eval_strategy(const std::string& text);

struct EvalOptions {
  std::vector<QuestionSetOptions> sets;
  std::vector<EvalStrategy> strategies;
  std::size_t seeds = 1;
  /// Fitting, calibration and test questions are drawn so many times; figures of swept strategies are means.
  std::size_t splits = 1;
  /// Swept strategies are measured at these numbers of labels too, beside that of the sets.
  std::vector<std::size_t> more_labels;
  std::uint64_t seed = 1;
  OrderOptions order;
  double at_strong_share = .5;
  std::size_t lag = 0;
  LearningOptions learning;
  int bootstrap_rounds = 1000;
  int threads = 1;
  bool dials = true;           ///< measure the whole curve of online strategies, not only the operating point
  bool transfer = true;        ///< swept strategies fitted on one set and tested on the others
  bool show_decisions = true;  ///< the costliest and the most wrong ones, with their prompts
  std::string work_folder;  ///< finished streams are kept there until the whole run is done; empty = not kept
  std::string build;        ///< identity of this build: streams that another one kept are not used
  std::string cache_folder;
  std::shared_ptr<const SentenceEncoder> static_encoder;  ///< for `inputs=static`; null = there is none
  CacheBounds cache_bounds;  ///< of the cache folder and of the work folder, each
  std::string command;       ///< for the report
  std::string prices;        ///< for the report
  /// What is being done, done, all, seconds left.
  std::function<void(const std::string&, std::size_t, std::size_t, std::optional<double>)> progress;
  std::function<bool()> stop;
};

/// Errors: those of the parts, interrupted, no_strategy, no_static_encoder.
Result<EvalReport> evaluate(const EvalOptions& options, EmbeddingPool* pool);

/// The baselines that are rows whether named or not, in their order.
const std::vector<std::string>& baseline_names();

}  // namespace brevet
