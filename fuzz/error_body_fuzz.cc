// Goal: no error body of a provider crashes the reader, and our own error around it is JSON that reads back.
// Method: libFuzzer.
#include <cstdlib>
#include <string>

#include "wire/openai_chat.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  const auto provider = wire::parse_error_body(body);
  Error error;
  error.kind = ErrorKind::kProviderRejected;
  error.code = provider.code;
  error.message = std::string(body);
  error.param = provider.type;
  const auto again = wire::parse_error_body(wire::error_json(error));
  if (again.code != provider.code || again.type != "invalid_request_error") std::abort();
  // Valid UTF-8 stays as it is; a body that could be parsed is valid.
  if (!provider.message.empty() && again.message != body) std::abort();
  return 0;
}
