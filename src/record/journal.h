// The journal of a recording: what was about to be paid, and what came of it, so that kill -9 at any moment
// neither loses a paid answer nor pays for it twice.
//
// One line per event in an append-only file, each with its own checksum; a line is on the disk before the
// next step is taken. An intent stands there before its call is made, a result after it. What a crash leaves
// is read so:
//   a torn last line           was never acted upon (an intent) or its call counts as lost (a result)
//   an intent without a result a call that may have been paid: charged at its whole booking, and not made
//                              again unless the user says so
//   a broken line before that  is damage that no crash makes: the file is refused
// Used by the recorder and its command. A Journal belongs to one thread and one process (it locks its file);
// parsing and replay are pure. It does not price, call or score.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>

#include "base/result.h"
#include "domain/money.h"

namespace brevet::record {

/// A call is about to be made.
struct CallIntent {
  std::uint64_t number = 0;     ///< of this call in this journal, from 1
  std::string key;              ///< what is asked of whom: equal for a repeated call
  std::string what;             ///< "answer" or "judge"
  std::string record;           ///< id of the question
  std::string configuration;    ///< that is asked
  std::optional<Money> booked;  ///< empty: its price is not known
};

/// What came of it.
struct CallResult {
  std::uint64_t number = 0;
  bool answered = false;
  /// What it counts against the budget: the price of the reported tokens, or the booking where a paid call
  /// reported none. Empty when the price is not known.
  std::optional<Money> charged;
  std::optional<Money> cost;  ///< of the answer alone, as known; empty when it is not
  std::string response;
  std::optional<std::int64_t> input_tokens;
  std::optional<std::int64_t> output_tokens;
  double latency_ms = 0;
  std::optional<double> logprob;
  std::string finish_reason;
  std::string code;     ///< of the failure
  std::string message;  ///< likewise, bounded
  int tries = 1;
  bool free() const { return !answered && charged && charged->pico_usd == 0; }
};

/// What a scorer outside of this program said, so that a resumed run need not ask again.
struct ScoreNote {
  std::string key;  ///< of scorer and answer
  std::optional<double> score;
  std::string why;  ///< when there is none
};

using JournalEvent = std::variant<CallIntent, CallResult, ScoreNote>;

/// One line without its end. Errors: broken_journal with `where`.
Result<JournalEvent> parse_journal_line(std::string_view line, const std::string& where);
/// With its end.
std::string journal_line(const JournalEvent& event);

/// What a journal says, event by event. Plain value.
class JournalState {
 public:
  struct Call {
    CallIntent intent;
    std::optional<CallResult> result;  ///< empty: nobody knows what came of it
  };
  /// Errors: broken_journal (a result without its intent, a number used twice).
  Result<> apply(const JournalEvent& event, const std::string& where);

  /// The answer to a call, null when there is none.
  const CallResult* answer(const std::string& key) const;
  /// The last call made for this key, null when there was none.
  const Call* last_call(const std::string& key) const;
  const ScoreNote* score(const std::string& key) const;
  std::uint64_t next_number() const { return next_; }
  const std::map<std::uint64_t, Call>& calls() const { return calls_; }

 private:
  std::uint64_t next_ = 1;
  std::map<std::uint64_t, Call> calls_;
  std::unordered_map<std::string, std::uint64_t> last_;      ///< key to the number of its last call
  std::unordered_map<std::string, std::uint64_t> answered_;  ///< key to the number of the answered one
  std::unordered_map<std::string, ScoreNote> scores_;
};

struct Replay {
  JournalState state;
  std::size_t good_bytes = 0;  ///< what is behind is a torn line
  bool torn = false;
};
/// Errors: broken_journal with `name` and line.
Result<Replay> replay_journal(std::string_view text, const std::string& name);

class Journal {
 public:
  /// Opens or creates, locks, replays, cuts a torn end off. Errors: journal_unusable (cannot be read or
  /// written), journal_in_use, broken_journal.
  static Result<std::unique_ptr<Journal>> open(const std::string& path);
  virtual ~Journal() = default;
  virtual const JournalState& state() const = 0;
  virtual bool was_torn() const = 0;
  /// On the disk when it returns. Errors: journal_unusable; the journal then takes nothing more.
  virtual Result<> append(const JournalEvent& event) = 0;
};

}  // namespace brevet::record
