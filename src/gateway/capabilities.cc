#include "gateway/capabilities.h"

#include <fmt/format.h>

namespace brevet {
namespace {

constexpr std::int64_t kBytesPerToken = 4;
/// Role and delimiters around a message.
constexpr std::int64_t kTokensPerMessage = 4;
/// A request of fewer tokens fits every chat model that is served today, so that a context nobody knows is
/// not worth a word.
constexpr std::int64_t kFitsEverywhere = 4096;

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, ", "));
}

}  // namespace

std::int64_t context_needed(const ChatRequest& request) {
  std::int64_t bytes = 0;
  std::int64_t tokens = 0;
  for (const auto& message : request.messages) {
    bytes += static_cast<std::int64_t>(message.text.size());
    tokens += kTokensPerMessage;
  }
  // Tools and schemas are all that stands beside the messages and may be long.
  if ((request.has_tools || request.has_response_format) && request.raw) {
    const auto whole = request.raw->size();
    const auto messages = request.messages_value.end - request.messages_value.begin;
    if (whole > messages) bytes += static_cast<std::int64_t>(whole - messages);
  }
  const auto answer = request.max_tokens.value_or(0);
  return tokens + bytes / kBytesPerToken + (answer > 0 ? answer : 0);
}

CanTake who_can_take(const ChatRequest& request, const std::vector<CandidateLimits>& candidates) {
  CanTake out;
  const auto needed = context_needed(request);
  std::vector<std::string> unknown;
  for (const auto& [name, limits] : candidates) {
    std::vector<std::string> why;
    std::vector<std::string> open;
    const auto look = [&](bool wanted, const std::optional<bool>& can, const char* cannot, const char* what) {
      if (!wanted) return;
      if (!can) open.emplace_back(what);
      if (can && !*can) why.emplace_back(cannot);
    };
    look(request.has_images, limits.other_parts, "takes text only, and the request holds other parts",
         "parts that are not text");
    look(request.has_tools, limits.tools, "takes no tools, and the request offers some", "tools");
    look(request.has_response_format, limits.response_format,
         "promises no response format, and the request asks for one", "response formats");
    if (limits.context_tokens && needed > *limits.context_tokens) {
      why.push_back(fmt::format("has a context of {} tokens, and the request needs about {}",
                                *limits.context_tokens, needed));
    } else if (!limits.context_tokens && needed > kFitsEverywhere) {
      open.push_back(fmt::format("about {} tokens", needed));
    }
    out.why_not.push_back(why.empty() ? std::string() : name + " " + joined(why));
    if (why.empty() && !open.empty()) unknown.push_back(fmt::format("{} takes {}", name, joined(open)));
  }
  if (!unknown.empty())
    out.not_known = fmt::format("It is not known whether {}; what is not known keeps no model out.",
                                fmt::join(unknown, ", or "));
  return out;
}

}  // namespace brevet
