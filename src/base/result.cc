#include "base/result.h"

namespace brevet {

const char* name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kCallerInvalid:
      return "caller_invalid";
    case ErrorKind::kCallerDenied:
      return "caller_denied";
    case ErrorKind::kCallerNotFound:
      return "caller_not_found";
    case ErrorKind::kCallerTooLarge:
      return "caller_too_large";
    case ErrorKind::kPolicyRefused:
      return "policy_refused";
    case ErrorKind::kPolicyBudget:
      return "policy_budget";
    case ErrorKind::kProviderUnavailable:
      return "provider_unavailable";
    case ErrorKind::kProviderTimeout:
      return "provider_timeout";
    case ErrorKind::kProviderRateLimited:
      return "provider_rate_limited";
    case ErrorKind::kProviderRejected:
      return "provider_rejected";
    case ErrorKind::kProviderGarbage:
      return "provider_garbage";
    case ErrorKind::kOverloaded:
      return "overloaded";
    case ErrorKind::kCancelled:
      return "cancelled";
    case ErrorKind::kInternal:
      return "internal";
  }
  return "internal";
}

}  // namespace brevet
