#include "wire/sse.h"

#include <cstring>

namespace brevet::wire {

void SseReader::end_line(std::string_view line, std::vector<SseEvent>& out) {
  if (at_start_) {
    at_start_ = false;
    if (line.substr(0, 3) == "\xEF\xBB\xBF") line.remove_prefix(3);
  }
  if (line.empty()) {
    if (has_data_) out.push_back(std::move(event_));
    event_ = {};
    has_data_ = false;
    return;
  }
  const auto colon = line.find(':');
  if (colon == 0) return;  // a comment
  const auto field = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{} : line.substr(colon + 1);
  if (!value.empty() && value.front() == ' ') value.remove_prefix(1);
  if (field == "data") {
    if (has_data_) event_.data += '\n';
    event_.data.append(value);
    has_data_ = true;
  } else if (field == "event") {
    event_.event.assign(value);
  }
}

Result<std::vector<SseEvent>> SseReader::feed(std::string_view bytes) {
  const auto too_large = [this] {
    failed_ = true;
    return fail(ErrorKind::kProviderGarbage, "sse_event_too_large",
                "The provider sent one server-sent event of more than " + std::to_string(event_bytes_max_) +
                    " bytes; the stream was given up.");
  };
  if (failed_) return too_large();
  std::vector<SseEvent> out;
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const auto* newline = static_cast<const char*>(std::memchr(bytes.data(), '\n', bytes.size()));
    auto length = newline ? static_cast<std::size_t>(newline - bytes.data()) : bytes.size();
    const auto* carriage = static_cast<const char*>(std::memchr(bytes.data(), '\r', length));
    if (carriage) length = static_cast<std::size_t>(carriage - bytes.data());
    if (line_.size() + event_.data.size() + length > event_bytes_max_) return too_large();
    if (length == bytes.size()) {  // no end of line yet
      line_.append(bytes);
      break;
    }
    const auto line = bytes.substr(0, length);
    after_cr_ = carriage != nullptr;
    bytes.remove_prefix(length + 1);
    if (line_.empty()) {
      end_line(line, out);
    } else {
      line_.append(line);
      end_line(line_, out);
      line_.clear();
    }
  }
  return out;
}

std::string sse_data(std::string_view data) {
  std::string out;
  out.reserve(data.size() + 8);
  std::size_t at = 0;
  while (true) {
    const auto end = std::min(data.find_first_of("\r\n", at), data.size());
    out += "data: ";
    out.append(data, at, end - at);
    out += '\n';
    if (end == data.size()) break;
    at = end + (data.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  out += '\n';
  return out;
}

}  // namespace brevet::wire
