// The one place that maps an error to an HTTP status, and to the body that a client gets.
// Used by server only. Pure.
#pragma once

#include <string>

#include "base/result.h"

namespace brevet {

/// 400, 401, 403, 404, 405, 409, 413, 415, 429, 499 (client gone, never seen by it), 500, 502, 503, 504; a
/// provider's own 4xx is passed on.
int http_status(const Error& error);

/// The provider's own JSON error body where its refusal is the answer, else the OpenAI error object.
std::string http_error_body(const Error& error);

/// For errors that the HTTP server itself finds (HttpServerOptions::error_body).
std::string http_error_body(int status, const std::string& code, const std::string& message);

}  // namespace brevet
