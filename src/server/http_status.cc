#include "server/http_status.h"

#include "wire/openai_chat.h"

namespace brevet {

int http_status(const Error& error) {
  switch (error.kind) {
    case ErrorKind::kCallerInvalid:
      if (error.code == "method_not_allowed") return 405;
      if (error.code == "unsupported_media_type") return 415;
      break;
    case ErrorKind::kProviderRejected:
      // A provider that refuses our own key is our operator's trouble, not the client's.
      if (error.upstream_status == 401 || error.upstream_status == 403) break;
      if (error.upstream_status >= 400 && error.upstream_status < 500) return error.upstream_status;
      break;
    case ErrorKind::kProviderUnavailable:
      // Nobody was asked because of the breaker: asking again later may help. Else the provider failed.
      if (error.code == "upstream_breaker_open") return 503;
      break;
    default:
      break;
  }
  return wire::http_status_of(error.kind);
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
