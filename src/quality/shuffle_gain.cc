#include "quality/shuffle_gain.h"

namespace brevet {

ShuffleGain::ShuffleGain(const GainOptions& options)
    : options_(options),
      mean_({-1 / options.probability_min, 1 / options.probability_min, 1 - options.confidence, 4'000}) {}

void ShuffleGain::observe(const GainStep& step) {
  // The policy serves risky where it chose, its shuffle with the same share anywhere: their qualities differ
  // by (chosen - share) times the difference of the answers, estimated without bias by 1/p where both were
  // made.
  const double chosen = (step.risky ? 1 : 0) - step.risky_share;
  mean_.observe(step.compared ? chosen * step.difference / step.probability : 0);
}

GainReport ShuffleGain::report() const {
  GainReport report;
  report.n = mean_.observed();
  if (report.n == 0) return report;
  report.mean = mean_.mean();
  report.low = mean_.low() > -1 ? mean_.low() : -1;
  report.high = mean_.high() < 1 ? mean_.high() : 1;
  if (report.low > 0)
    report.verdict = GainVerdict::kGains;
  else if (report.high < options_.margin)
    report.verdict = GainVerdict::kNoGain;
  return report;
}

std::string_view name_of(GainVerdict verdict) {
  switch (verdict) {
    case GainVerdict::kNotYetShown:
      return "not_yet_shown";
    case GainVerdict::kGains:
      return "gains";
    case GainVerdict::kNoGain:
      return "no_gain";
  }
  return "";
}

}  // namespace brevet
