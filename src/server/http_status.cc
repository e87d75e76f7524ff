#include "server/http_status.h"

#include "wire/openai_chat.h"

namespace brevet {

int http_status(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kCallerInvalid:
      if (error.code == "method_not_allowed") return 405;
      if (error.code == "unsupported_media_type") return 415;
      return 400;
    case ErrorKind::kCallerDenied:
      return 401;
    case ErrorKind::kCallerNotFound:
      return 404;
    case ErrorKind::kCallerTooLarge:
      return 413;
    case ErrorKind::kPolicyRefused:
      return 403;
    case ErrorKind::kPolicyBudget:
    case ErrorKind::kProviderRateLimited:
      return 429;
    case ErrorKind::kProviderRejected:
      // A provider that refuses our own key is our operator's trouble, not the client's.
      if (error.upstream_status == 401 || error.upstream_status == 403) return 502;
      return error.upstream_status >= 400 && error.upstream_status < 500 ? error.upstream_status : 502;
    case ErrorKind::kProviderUnavailable:
      // Nobody was asked because of the breaker: asking again later may help. Else the provider failed.
      return error.code == "upstream_breaker_open" ? 503 : 502;
    case ErrorKind::kProviderTimeout:
      return 504;
    case ErrorKind::kProviderGarbage:
      return 502;
    case ErrorKind::kOverloaded:
      return 503;
    case ErrorKind::kCancelled:
      return 499;
    case ErrorKind::kInternal:
      return 500;
  }
  return 500;
}

std::string http_error_body(const Error& error) {
  const bool refused =
      error.kind == ErrorKind::kProviderRejected || error.kind == ErrorKind::kProviderRateLimited;
  const bool ours_to_fix = error.upstream_status == 401 || error.upstream_status == 403;
  if (refused && !ours_to_fix && !error.upstream_body.empty()) {
    const auto parsed = wire::parse_error_body(error.upstream_body);
    if (!parsed.message.empty() && error.upstream_body.front() == '{') return error.upstream_body;
  }
  return wire::error_json(error);
}

std::string http_error_body(int status, const std::string& code, const std::string& message) {
  Error error;
  error.kind = status == 413   ? ErrorKind::kCallerTooLarge
               : status == 503 ? ErrorKind::kOverloaded
               : status >= 500 ? ErrorKind::kInternal
                               : ErrorKind::kCallerInvalid;
  error.code = code;
  error.message = message;
  return wire::error_json(error);
}

}  // namespace brevet
