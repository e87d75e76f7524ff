// The whole record of why a request was served as it was, and what became known of it afterwards. Plain
// values.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "domain/answer.h"
#include "domain/memory_entry.h"
#include "domain/money.h"
#include "domain/reason.h"

namespace brevet {

/// Two answers compared. "Cannot tell" is a verdict of its own, counted, never a disagreement.
enum class Verdict { kSame, kDifferent, kCannotTell };
const char* name_of(Verdict verdict);

struct Comparison {
  int first = 0;   ///< attempt id; -1 = the served answer of the parent decision
  int second = 0;  ///< attempt id
  Verdict verdict = Verdict::kCannotTell;
  std::string method;     ///< choice, number, json, tool_call, text, embedding, judge
  double similarity = 0;  ///< where the method has one
};

enum class DecisionState { kServed, kFailed, kCancelled };
const char* name_of(DecisionState state);

struct Decision {
  std::string id;            ///< "dec_" + 26 characters, unique, sortable by time
  std::uint64_t number = 0;  ///< journal number, unique per process lifetime of the store, keys the coins
  std::string parent_id;     ///< for a shadow: the decision it learns for
  Instant time{};
  std::string tenant = "default";
  std::string route;  ///< route name; empty for a pass-through to a named model
  std::string strategy;
  std::string session;
  std::string request_hash;
  std::string system_hash;
  Partition partition;  ///< empty fields when the route learns nothing
  DecisionState state = DecisionState::kServed;
  std::optional<Error> error;

  Reason reason;                  ///< of the accepted step
  std::vector<Reason> steps;      ///< of every step, in order
  std::vector<Attempt> attempts;  ///< in order of their start
  int accepted = -1;              ///< attempt id that was served, -1 if none
  std::vector<Comparison> comparisons;
  std::vector<Draw> draws;

  // What the strategy read.
  std::uint64_t snapshot_version = 0;
  std::shared_ptr<const Embedding> embedding;  ///< not stored as text; kept for learning
  std::shared_ptr<const SparseVector> words;
  std::vector<Neighbour> neighbours;  ///< nearest first, at most 8 kept
  std::optional<Estimate> estimate;
  std::optional<double> score;   ///< that the strategy compared with its dial, higher = weak is better
  std::vector<float> qualities;  ///< that a router predicted, by candidate that could take the request
  bool exact_repeat = false;
  std::uint64_t skill_id = 0;  ///< the skill that decided; 0 = none did
  /// It has tools or a schema: such requests resemble each other whatever they ask, so they are remembered by
  /// their hash alone and are nobody's neighbours.
  bool hash_only = false;
  std::string degraded;  ///< why the embedding is missing (FeatureResult::degraded), or empty
  /// Observe mode and dry run: configuration key that the strategy would have called first.
  std::string would_have;
  bool simulated = false;  ///< a simulated model was called

  // Money. cost is of serving alone; what was spent to learn is on the shadow's own decision.
  Cost cost;
  Cost baseline;              ///< estimate of what always-strong would have cost, labelled as such
  std::string baseline_note;  ///< basis and n of that estimate
  Microseconds latency{0};
  Microseconds overhead{0};  ///< our own part: latency minus upstream time on the critical path
  bool streamed = false;
  bool learn = true;  ///< false when the request asked for no learning
  bool store_text = false;
  std::string request_text;  ///< only when store_text
  std::string tags;          ///< as sent in x-brevet-tags, at most 256 bytes

  const Attempt* served() const {
    return accepted >= 0 && accepted < static_cast<int>(attempts.size())
               ? &attempts[static_cast<std::size_t>(accepted)]
               : nullptr;
  }
};

/// What a shadow found out about one request, ready for memory.
struct ShadowResult {
  Partition partition;
  std::string request_hash;
  std::shared_ptr<const Embedding> embedding;
  std::shared_ptr<const SparseVector> words;
  Verdict weak_alone = Verdict::kCannotTell;
  bool weak_alone_known = false;                                ///< weak really answered
  std::optional<double> weak_logprob;                           ///< of the weak answer alone
  std::vector<std::pair<std::uint64_t, Verdict>> guides_tried;  ///< existing guides, in order
  std::optional<Guide> new_guide;  ///< written, passed the leak check; id 0 until stored
  std::optional<Verdict> new_guide_verdict;
  bool guide_leaked = false;  ///< a written guide was thrown away because it carried the answer
  std::string weak_model_id;
  bool spot_check = false;     ///< the weak answer had been served; strong was asked afterwards
  std::uint64_t skill_id = 0;  ///< the skill that had decided, for a spot check or a retry
  std::string text;            ///< only where the route stores text
};

/// A client's own word on a decision.
struct Feedback {
  std::string decision_id;
  std::string tenant;
  std::optional<double> score;  ///< 0..1
  std::string comment;          ///< at most 1 KiB
  Instant time{};
};

}  // namespace brevet
