// Goal: no bytes from a client crash the request parser; what it accepts is rendered back byte for byte, and
// edits give a request that is accepted again. Method: libFuzzer, with the properties as assertions.
#include <cstdlib>
#include <string>

#include "wire/openai_chat.h"

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace brevet;
  const std::string body(reinterpret_cast<const char*>(data), size);
  const auto request = wire::parse_chat_request(body);
  if (!request) {
    require(!request.error().code.empty() && !request.error().message.empty());
    return 0;
  }
  wire::RenderOptions same;
  same.stream = request->stream;
  require(wire::render_chat_request(*request, same) == body);
  require(wire::request_hash(*request) == request->hash);

  wire::RenderOptions edited;
  edited.model_id = "m\"\n";
  edited.stream = !request->stream;
  edited.add_usage = edited.add_logprobs = true;
  edited.edits = {"s\\", "<\"", "\xff>"};
  // Edits nest nothing deeper than a content part does, and add a system message.
  wire::ChatLimits limits;
  limits.depth_max = 136;
  limits.messages_max = 4097;
  const auto again = wire::parse_chat_request(wire::render_chat_request(*request, edited), limits);
  require(again.has_value());
  require(again->model == edited.model_id && again->stream == edited.stream && again->wants_logprobs);
  require(!again->stream || again->include_usage);
  require(again->system_text().substr(0, 2) == "s\\");

  edited.edits = {};
  edited.stream = false;
  wire::render_plain_request({{"user", body}}, edited, 3, &*request);
  return 0;
}
