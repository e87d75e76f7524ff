// What an answer shows of its own worth, before anybody knows the truth: the numbers that cascades read.
//
// Called by the cascade strategies at serving and by whoever fits a cascade from recorded answers, so that
// both read the same. Pure, thread-safe, no I/O; linear in the text, of which the first and last 16 KiB are
// read. Does not decide anything: cascade_model.h turns signals into a probability.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "domain/answer.h"
#include "domain/chat_request.h"

namespace brevet {

enum class Signal {
  kMeanLogprob,  ///< mean token log-probability, natural log
  kMinLogprob,   ///< the least likely token's
  kAgreement,    ///< share of sampled answers that say the same, 0..1
  kEntropy,      ///< minus the entropy over meanings of the samples, nats: 0 = all mean the same
  kSelfCheck,    ///< what a model that was asked whether the answer is right made of it, 0..1
  kStated,       ///< 1 states an answer of the kind asked for, .5 loosely, 0 not at all
  kFinished,     ///< 0 where it was cut off or filtered
  kDeclines,     ///< 0 where it declines to answer, else 1
  kLength,       ///< ln(1 + bytes)
  kDigits,       ///< share of digits
  kHedges,       ///< minus the words that take back, per hundred words ("maybe", "not sure", "assume")
};
inline constexpr std::size_t kSignals = 11;
/// Those that rise with the answer's worth and carry most of what is known of it; the rest are shapes.
inline constexpr std::size_t kConfidenceSignals = 5;
const char* name_of(Signal signal);

/// [kSignals], NaN = not known.
using AnswerSignals = std::array<float, kSignals>;
/// All NaN.
AnswerSignals unknown_signals();

/// Everything that the answer itself shows; agreement, entropy and self-check stay unknown. `question` is the
/// text of the last user message, with its options.
AnswerSignals signals_of(const Answer& answer, std::string_view question, bool json_asked);

/// Do two answers say the same, as far as compare/ can tell: 1, 0, or NaN where it cannot.
float agreement_of(const Answer& first, const Answer& second, std::string_view question, bool json_asked);

/// Which samples mean the same, by compare/ (an answer joins the first group whose first member says the
/// same; one that cannot be compared is a group of its own): [n] group numbers from 0.
std::vector<std::size_t> meanings_of(std::span<const Answer> samples, std::string_view question,
                                     bool json_asked);
struct SampleSignals {
  float agreement = 0;     ///< share of the largest group
  float entropy = 0;       ///< minus the entropy over groups (Kuhn, Gal and Farquhar, ICLR 2023), nats
  std::size_t leader = 0;  ///< index of a sample of the largest group, the first of equals
};
/// Empty without samples.
std::optional<SampleSignals> sample_signals(const std::vector<std::size_t>& groups);

/// Checks that a user states for the answers of a route; one that fails an answer escalates whatever the
/// signals say. Written "json; keys=name,age; number; choice; max_chars=200; contains=TEXT; lacks=TEXT".
class AnswerChecks {
 public:
  /// Errors: bad_option, naming the check.
  static Result<AnswerChecks> parse(std::string_view text);
  /// Which check the answer fails, in words; empty when it passes all.
  std::optional<std::string> failed_by(const Answer& answer, std::string_view question) const;
  bool empty() const { return checks_.empty(); }

 private:
  enum class Kind { kJson, kKeys, kNumber, kChoice, kMaxChars, kContains, kLacks };
  struct Check {
    Kind kind = Kind::kJson;
    std::string text;
    std::size_t number = 0;
  };
  std::vector<Check> checks_;
};

}  // namespace brevet
