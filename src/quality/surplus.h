// What one served answer adds to or takes from the promise "keep at least `retain` of the reference's
// quality".
//
// Used by contract.h and by whatever measures a contract. Pure. The three kinds say different sentences to
// the user, so a contract has exactly one of them.
#pragma once

#include <string_view>

namespace brevet {

/// What quality means, and so which sentence the contract may say.
enum class SurplusKind {
  /// Qualities are measured against the truth. Sum of q_served >= retain * sum of q_reference; a win of the
  /// cheap answer over the reference pays for a loss elsewhere.
  kTruth,
  /// The same without credit for wins: every answer that is worse than the reference's counts, none that is
  /// better.
  kOneSided,
  /// Only agreement with the reference is known: "at least `retain` of the answers are the reference's or
  /// match
  /// it". Implies an absolute loss of at most 1 - retain, not retention.
  kAgreement,
};

/// Quality of the reference's answer and of the one that would be or was served instead; both in [0, 1] and
/// clamped; what is not a number counts as the worst. Under kAgreement `reference` is taken as 1 and `risky`
/// is the agreement.
struct Qualities {
  double reference = 1;
  double risky = 0;
};

/// Surplus of serving the risky answer: in [-retain, 1] for kTruth, [-retain, 1 - retain] otherwise.
double risky_surplus(SurplusKind kind, double retain, Qualities qualities);
/// Surplus of serving the reference: (1 - retain) * reference, never negative.
double reference_surplus(SurplusKind kind, double retain, double reference_quality);
/// The largest surplus a risky step can have.
double surplus_max(SurplusKind kind, double retain);

std::string_view name_of(SurplusKind kind);

}  // namespace brevet
