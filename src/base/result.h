// How a function says that it failed: Result<T> carries a value or an Error that names who must act.
//
// Used by every folder. Plain values, safe to copy between threads. Does not know HTTP: server maps ErrorKind
// to a status in one function. No exception crosses a folder on the request path.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace brevet {

/// Who must act, and on what. The stable string in Error::code says exactly which error it is.
enum class ErrorKind {
  // The caller must change the request.
  kCallerInvalid,   // malformed or contradictory input, 400
  kCallerDenied,    // missing or wrong client key, 401
  kCallerNotFound,  // unknown model, route, decision, 404
  kCallerTooLarge,  // over a named bound, 413
  // The operator's policy says no.
  kPolicyRefused,  // not allowed by configuration, 403
  kPolicyBudget,   // a budget is spent, 429
  // The provider failed.
  kProviderUnavailable,  // cannot connect, breaker open, 5xx; 502 or 503
  kProviderTimeout,      // a deadline passed, 504
  kProviderRateLimited,  // 429 from the provider
  kProviderRejected,     // the provider's own 4xx: passed on with its code
  kProviderGarbage,      // an answer that breaks its protocol, 502
  // We failed.
  kOverloaded,  // a bounded queue is full, 503
  kCancelled,   // the client hung up
  kInternal,    // our own bug or disk, 500
};

struct Error {
  ErrorKind kind = ErrorKind::kInternal;
  std::string code;         ///< stable, snake_case, e.g. "unknown_model"; documented in docs/errors.md
  std::string message;      ///< one sentence that the person who must act can act on
  std::string param;        ///< the field or option at fault, or empty
  int upstream_status = 0;  ///< HTTP status of the provider when it answered, else 0
  std::string
      upstream_body;  ///< the provider's own error body (bounded to 16 KiB), passed on where it is the answer
};

template <class T = void>
using Result = tl::expected<T, Error>;

/// `return fail(ErrorKind::kCallerInvalid, "bad_json", "...")` converts to any Result<T>.
inline tl::unexpected<Error> fail(ErrorKind kind, std::string code, std::string message,
                                  std::string param = {}) {
  Error error;
  error.kind = kind;
  error.code = std::move(code);
  error.message = std::move(message);
  error.param = std::move(param);
  return tl::unexpected<Error>(std::move(error));
}
inline tl::unexpected<Error> fail(Error error) {
  return tl::unexpected<Error>(std::move(error));
}

/// Lower-case name of a kind for metrics and decisions, such as "provider_timeout".
const char* name_of(ErrorKind kind);

}  // namespace brevet
