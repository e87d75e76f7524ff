// blended: each turn of a conversation is answered by a model drawn at random.
//
// Idea (Lu et al. 2024, arXiv 2401.02994): of N chat models one is drawn for each turn, and it sees the whole
// conversation, the replies of the others among it; the blend keeps users longer than its parts do, and than
// a much larger model. Uniform draws are the paper's, weights an extension; with `sticky` a conversation
// stays with the one that it drew first, which makes the draw a comparison between conversations. Example:
// candidates a, b, c with weights "a=2": a answers half of the turns. Known weaknesses: it does not look at
// what is asked; the paper measured engagement, not being right. A model that fails is replaced by another
// draw among the rest.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "strategy/kinds.h"
#include "strategy/serving.h"

namespace brevet {
namespace {

class Blended final : public Strategy {
 public:
  Blended(const OptionValues& options, std::map<std::string, double> weights)
      : weights_(std::move(weights)), sticky_(flag_option(options, "sticky")) {}
  const std::string& name() const override { return name_; }
  std::optional<Reason> not_applicable(const RequestView&) const override {
    // Whoever can take the request is a candidate; the draw does not read it.
    return std::nullopt;
  }

  Step next(const Turn& turn, Draws& draws) const override {
    const auto& view = turn.view;
    std::vector<std::size_t> left;
    for (std::size_t i = 0; i < view.candidates.size(); ++i) {
      if (!tried(turn, view.candidates[i])) left.push_back(i);
    }
    std::string failed;
    if (!turn.attempts.empty()) {
      const auto& last = turn.attempts.back();
      if (last.state == AttemptState::kPending) return {Wait{}, {"waiting", "A call is under way."}};
      if (last.state == AttemptState::kDone) return {Accept{last.id}, {kAsCalled, "The call succeeded."}};
      const std::string code = last.error ? last.error->code : "cancelled";
      if (left.empty() || view.out_of_time || view.calls_left <= 0) {
        return {GiveUp{last.error},
                {"all_failed", fmt::format("No candidate answered; the last failure was {}.", code)}};
      }
      failed = fmt::format(" after {} failed ({})", last.configuration.key(), code);
    }
    const auto chosen = left[draw(view, left, draws)];
    return call_candidate(
        view.candidates[chosen],
        {failed.empty() ? "blended" : "blended_again",
         fmt::format("Served by {}, drawn {} among {}{}.", view.candidates[chosen].key(),
                     sticky_ && failed.empty() ? "for the whole conversation" : "for this turn",
                     counted(left.size(), "candidate"), failed)});
  }

 private:
  static bool tried(const Turn& turn, const Configuration& candidate) {
    return std::any_of(turn.attempts.begin(), turn.attempts.end(),
                       [&](const Attempt& attempt) { return attempt.configuration == candidate; });
  }
  double weight(const Configuration& candidate) const {
    const auto found = weights_.find(candidate.key());
    return found == weights_.end() ? 1 : found->second;
  }

  /// Position in `left`. One coin each, so that the log holds the probability of what came out.
  std::size_t draw(const RequestView& view, const std::vector<std::size_t>& left, Draws& draws) const {
    double rest = 0;
    for (const auto i : left) rest += weight(view.candidates[i]);
    // Weights of those left may be 0: then they are all that is left, and equal.
    const bool equal = rest <= 0;
    if (equal) rest = static_cast<double>(left.size());
    // By who may be drawn, so that one blend inside another does not repeat its draw.
    auto session = view.session;
    for (const auto& candidate : view.candidates) session = hash_bytes(candidate.key(), session);
    double sticky_point = static_cast<double>(mix_bits(session, 7) >> 11) * 0x1.0p-53 * rest;
    for (std::size_t at = 0; at + 1 < left.size(); ++at) {
      const double own = equal ? 1 : weight(view.candidates[left[at]]);
      if (sticky_) {
        if (sticky_point < own) return at;
        sticky_point -= own;
      } else if (draws.coin("blended", rest > 0 ? own / rest : 1)) {
        return at;
      }
      rest -= own;
    }
    return left.size() - 1;
  }

  const std::string name_ = "blended";
  const std::map<std::string, double> weights_;
  const bool sticky_;
};

Result<StrategyPtr> make_blended(const OptionValues& options) {
  const auto& text = text_option(options, "weights");
  std::map<std::string, double> weights;
  for (std::size_t at = 0; at < text.size();) {
    const auto comma = std::min(text.find(',', at), text.size());
    while (at < comma && text[at] == ' ') ++at;
    auto end = comma;
    while (end > at && text[end - 1] == ' ') --end;
    // A name may hold '=' (small|t=cot), a number does not.
    const auto equals = text.rfind('=', end);
    double value = -1;
    bool good = equals != std::string::npos && equals > at && equals < end;
    if (good) {
      const auto parsed = std::from_chars(text.data() + equals + 1, text.data() + end, value);
      good = parsed.ec == std::errc() && parsed.ptr == text.data() + end && value >= 0 && value <= 1e6;
    }
    if (!good) {
      return fail(
          ErrorKind::kCallerInvalid, "bad_option",
          fmt::format("Option 'weights' of strategy 'blended' must look like \"small=2, large=1\", not "
                      "'{}'.",
                      text),
          "weights");
    }
    weights[text.substr(at, equals - at)] = value;
    at = comma + 1;
  }
  return std::make_shared<Blended>(options, std::move(weights));
}

}  // namespace

StrategyKind blended_kind() {
  StrategyKind kind;
  kind.name = "blended";
  kind.summary = "a candidate drawn at random for each turn";
  kind.remembers = false;
  kind.calls_all = true;
  kind.options = {{"weights",
                   std::string(),
                   {},
                   {},
                   "such as \"small=2, large=1\"; a candidate that is not named weighs 1"},
                  {"sticky", false, {}, {}, "a conversation stays with the candidate that it drew first"}};
  kind.make = make_blended;
  return kind;
}

}  // namespace brevet
