#include "domain/chat_request.h"

#include <algorithm>
#include <cassert>

namespace brevet {

std::string apply_edits(std::string_view raw, std::vector<ByteEdit> edits) {
  std::stable_sort(edits.begin(), edits.end(),
                   [](const ByteEdit& a, const ByteEdit& b) { return a.at.begin < b.at.begin; });
  std::size_t size = raw.size();
  for (const auto& edit : edits) size += edit.bytes.size();
  std::string out;
  out.reserve(size);
  std::size_t at = 0;
  for (const auto& edit : edits) {
    assert(edit.at.begin >= at && edit.at.begin <= edit.at.end && edit.at.end <= raw.size());
    out.append(raw, at, edit.at.begin - at);
    out.append(edit.bytes);
    at = edit.at.end;
  }
  out.append(raw, at, std::string_view::npos);
  return out;
}

namespace {

/// The `skip`-th user message from the end, null if there is none.
const ChatMessage* user_message_from_end(const std::vector<ChatMessage>& messages, int skip) {
  for (auto it = messages.rbegin(); it != messages.rend(); ++it) {
    if (it->role == "user" && skip-- == 0) return &*it;
  }
  return nullptr;
}

}  // namespace

std::string_view ChatRequest::last_user_text() const {
  const auto* message = user_message_from_end(messages, 0);
  return message ? std::string_view(message->text) : std::string_view{};
}

std::string_view ChatRequest::previous_user_text() const {
  const auto* message = user_message_from_end(messages, 1);
  return message ? std::string_view(message->text) : std::string_view{};
}

std::string ChatRequest::system_text() const {
  std::string out;
  for (const auto& message : messages) {
    if (message.role != "system" && message.role != "developer") continue;
    if (!out.empty()) out += '\n';
    out += message.text;
  }
  return out;
}

}  // namespace brevet
