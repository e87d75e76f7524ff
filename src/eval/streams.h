// Many replays on a few threads: what is kept of each, progress with time left, interruption and resumption.
//
// Called by the engine. A stream's figures are kept by test question, so that strategies, settings and seeds
// can be paired. Results do not depend on the number of threads or on where a run was interrupted. A finished
// stream is written to the work folder under the hash of everything that decided it; a file that is torn or
// of another kind is made anew. Runs may share the folder.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "eval/replay.h"

namespace brevet {

/// The stream after so many requests, from its first one on.
struct StreamMark {
  std::uint64_t requests = 0;
  double quality = 0, strong_share = 0;
  double cost = 0, cost_with_learning = 0;  ///< USD, sums; NaN when any part is unknown
  double strong_cost = 0;                   ///< of always-strong on the same requests
};

/// What is kept of a replay. Kept as small as rows allow: there is one for every strategy, setting and order.
struct Stream {
  /// By place in the list of test questions: how often it was asked, and how often of these strong served.
  std::vector<std::uint16_t> count, strong;
  std::vector<double> quality, cost, learning;  ///< sums over the times it was asked. NaN = unknown
  /// P(agree) of the first time: a repeat's prediction may know the question's own label. NaN = none given.
  /// Empty where it was not to be kept.
  std::vector<double> p_agree;
  std::vector<StreamMark> marks;  ///< at 1,000, 5,000 and all requests
  std::uint64_t requests = 0, failed = 0, shadows = 0, cannot_tell = 0, guide_calls = 0, judge_calls = 0;
  std::vector<std::string> reasons;  ///< of the first time each question was asked, where they were kept
  float decide_p50_ms = 0, decide_p99_ms = 0;  ///< machine-dependent
  double seconds = 0;                          ///< likewise
};

struct StreamTask {
  const QuestionSet* set = nullptr;
  std::shared_ptr<const std::vector<std::uint32_t>> questions;  ///< the list that Stream's vectors follow
  ReplayPlan plan;                                              ///< without its requests
  std::shared_ptr<const std::vector<OrderedRequest>> order;     ///< these are its requests
  bool keep_p_agree = false;
  std::string key;  ///< everything that decides the result, as text; empty = never kept on disk
};

struct StreamOptions {
  int threads = 1;
  std::string work_folder;  ///< empty = nothing is kept
  /// Done, all, and seconds left as far as the finished ones tell (empty at the start); on the calling thread
  /// or a worker, one at a time.
  std::function<void(std::size_t, std::size_t, std::optional<double>)> progress;
  std::function<bool()> stop;  ///< asked between streams
};

/// Errors: interrupted (kCancelled) when `stop` said so, those of replay().
Result<std::vector<Stream>> run_streams(const std::vector<StreamTask>& tasks, const StreamOptions& options);

/// Removes what run_streams() kept of these tasks, once nobody needs it any more.
void forget_streams(const std::vector<StreamTask>& tasks, const std::string& work_folder);

/// The figures of the task's finished replay.
Stream summarise_stream(const StreamTask& task, const ReplayResult& result);

}  // namespace brevet
