// cascade: the candidates in the order of their cost, each answer kept when one named signal reaches a
// threshold, without training.
//
// Idea: FrugalGPT's cascade (arXiv 2305.05176) with a signal instead of a learned scorer. The signal is
//   logprob     mean token log-probability of the answer, natural log
//   agreement   share of `samples` answers that say the same (self-consistency, Wang et al. 2022, as
//   deferral) entropy     minus the entropy over meanings of the samples (Kuhn, Gal and Farquhar, ICLR 2023)
//   self_check  share of `checks` replies by which the model itself, or `verifier`, calls the answer right
//               (AutoMix, arXiv 2310.12963; with another model as verifier RouterBench's cascade, 2403.12031)
//   none        the checks of the answer's form alone
// and `answer_checks` are the user's own: JSON, keys, a number, an option, a length, texts it must hold or
// lack. What fails one is asked on whatever the signal says.
// Example: signal logprob, threshold -.2: an answer at -.05 is served, one at -.9 asks the next candidate.
// Known weaknesses: a threshold named by hand keeps no promise (`brevet train frugal_cascade` chooses it on
// labels, and `brevet cascade` measures it); each signal but logprob costs calls; streamed answers come late.
#include <fmt/format.h>

#include "strategy/answer_probe.h"
#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

struct SignalName {
  const char* name;
  std::optional<Signal> signal;
};
constexpr SignalName kNames[] = {{"logprob", Signal::kMeanLogprob},
                                 {"agreement", Signal::kAgreement},
                                 {"entropy", Signal::kEntropy},
                                 {"self_check", Signal::kSelfCheck},
                                 {"none", std::nullopt}};

class Cascade final : public Strategy {
 public:
  Cascade(const OptionValues& options, std::optional<Signal> signal, AnswerChecks checks,
          std::optional<Configuration> verifier)
      : signal_(signal),
        checks_(std::move(checks)),
        verifier_(std::move(verifier)),
        threshold_(number_option(options, "threshold")),
        hold_streams_(flag_option(options, "hold_streams")),
        on_failure_(on_reference_failure(options)) {
    needs_.logprobs = signal_ == Signal::kMeanLogprob;
    if (signal_ == Signal::kAgreement || signal_ == Signal::kEntropy)
      needs_.samples = static_cast<int>(count_option(options, "samples"));
    if (signal_ == Signal::kSelfCheck) needs_.checks = static_cast<int>(count_option(options, "checks"));
    needs_.temperature = number_option(options, "temperature");
  }
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView& view) const override {
    return needs_one_text_answer(view);
  }

  Step next(const Turn& turn, Draws&) const override { return within_limits(turn, decide(turn)); }

 private:
  Step decide(const Turn& turn) const {
    const auto& view = turn.view;
    if (view.request.stream && !hold_streams_ && turn.attempts.empty()) {
      return call_reference(view, {"streamed", fmt::format("Served by {} because streamed answers are not "
                                                           "held back (hold_streams).",
                                                           view.reference.key())});
    }
    std::string why = "it is asked first";
    for (std::size_t place = 0; place < view.candidates.size(); ++place) {
      const auto& candidate = view.candidates[place];
      if (candidate == view.reference) break;
      auto needs = needs_;
      needs.verifier = verifier_.value_or(candidate);
      auto found = probe(
          turn, candidate, place, needs,
          {place == 0 ? "ask_first" : "ask_next", fmt::format("{} is asked: {}.", candidate.key(), why)});
      if (found.step) return *std::move(found.step);
      if (!found.answer) {
        why = fmt::format("{} failed ({})", candidate.key(), found.error ? found.error->code : "no answer");
        continue;
      }
      const auto fault = checks_.failed_by(*found.answer->answer, view.request.last_user_text());
      if (fault) {
        why = fmt::format("{}'s answer fails a check: {}", candidate.key(), *fault);
        continue;
      }
      if (!signal_) return accept(*found.answer, candidate, "its answer passes every check", std::nullopt);
      const double value = found.signals[static_cast<std::size_t>(*signal_)];
      // NaN: not known. An answer nobody can judge is not served in the reference's place.
      if (!(value == value)) {
        why = fmt::format("nothing is known of {}'s answer ({} is missing)", candidate.key(),
                          name_of(*signal_));
        continue;
      }
      const auto seen = fmt::format("{} of its answer is {}, needed {}", name_of(*signal_), two_digits(value),
                                    two_digits(threshold_));
      if (value >= threshold_) return accept(*found.answer, candidate, seen, value);
      why = fmt::format("{} was asked, but {}", candidate.key(), seen);
    }
    if (turn.attempts.empty() || turn.attempts.back().configuration != view.reference ||
        turn.attempts.back().purpose != Purpose::kServe) {
      return call_reference(view, {"reference", fmt::format("Served by {}: {}.", view.reference.key(), why)});
    }
    return *after_calls(turn, on_failure_);
  }

  static Step accept(const Attempt& attempt, const Configuration& candidate, const std::string& seen,
                     std::optional<double> score) {
    Step step{Accept{attempt.id},
              {"answer_accepted", fmt::format("Served by {} because {}.", candidate.key(), seen)}};
    step.score = score;
    return step;
  }

  const std::string name_ = "cascade";
  const std::optional<Signal> signal_;
  const AnswerChecks checks_;
  const std::optional<Configuration> verifier_;
  const double threshold_;
  const bool hold_streams_;
  const OnReferenceFailure on_failure_;
  ProbeNeeds needs_;
};

Result<StrategyPtr> make_cascade(const OptionValues& options) {
  const auto& wanted = text_option(options, "signal");
  const SignalName* found = nullptr;
  for (const auto& name : kNames) {
    if (wanted == name.name) found = &name;
  }
  if (!found) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("'{}' is no signal of a cascade. Known are logprob, agreement, entropy, "
                            "self_check and none.",
                            wanted),
                "signal");
  }
  auto checks = AnswerChecks::parse(text_option(options, "answer_checks"));
  if (!checks) return fail(checks.error());
  if (!found->signal && checks->empty()) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                "A cascade without a signal needs answer_checks, or it would serve whatever comes.",
                "signal");
  }
  std::optional<Configuration> verifier;
  if (const auto& key = text_option(options, "verifier"); !key.empty()) {
    auto parsed = Configuration::parse(key);
    if (!parsed) return fail(parsed.error());
    verifier = std::move(*parsed);
  }
  return std::make_shared<const Cascade>(options, found->signal, std::move(*checks), std::move(verifier));
}

}  // namespace

StrategyKind cascade_kind() {
  StrategyKind kind;
  kind.name = "cascade";
  kind.summary =
      "the cheapest answer whose signal (log-probability, agreement, entropy, self-check) is enough";
  kind.options = {
      {"signal", std::string("logprob"), {}, {}, "logprob, agreement, entropy, self_check or none"},
      {"threshold", -.1, -1e6, 1.0, "of the signal; higher: more is asked on, at higher cost"},
      {"samples", std::int64_t{5}, 2.0, 20.0, "answers drawn for agreement and entropy"},
      {"checks", std::int64_t{3}, 1.0, 8.0, "replies asked for by self_check"},
      {"verifier", std::string(), {}, {}, "candidate that checks, instead of the model itself"},
      {"temperature", .7, 0.0, 2.0, "of samples and of several checks"},
      {"answer_checks",
       std::string(),
       {},
       {},
       "\"json; keys=A,B; number; choice; max_chars=N; contains=T; lacks=T\": what fails is asked on"},
      {"hold_streams", true, {}, {}, "false: streamed requests go to the reference at once"},
      weak_on_reference_failure_option()};
  kind.dial = "threshold";
  kind.remembers = false;
  kind.make = make_cascade;
  return kind;
}

}  // namespace brevet
