// Server-sent events, both directions (WHATWG HTML, section 9.2, as far as model providers use it).
// Pure; one reader per stream. Does not know JSON.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet::wire {

struct SseEvent {
  std::string event;  ///< empty = "message"
  std::string data;   ///< data lines joined by '\n'
};

/// Incremental reader: any split of the bytes gives the same events. Comments and unknown fields are skipped;
/// CR, LF and CRLF end a line. Errors: kProviderGarbage sse_event_too_large (over `event_bytes_max`); the
/// reader then stays failed.
class SseReader {
 public:
  explicit SseReader(std::size_t event_bytes_max = 8 * 1024 * 1024) : event_bytes_max_(event_bytes_max) {}
  Result<std::vector<SseEvent>> feed(std::string_view bytes);
  /// True when bytes of an unfinished event are waiting: a stream that ends here was cut.
  bool in_event() const { return !line_.empty() || has_data_; }

 private:
  std::size_t event_bytes_max_;
  std::string line_;
  SseEvent event_;
  bool has_data_ = false;
  bool after_cr_ = false;
  bool at_start_ = true;  ///< a byte order mark may come
  bool failed_ = false;

  void end_line(std::string_view line, std::vector<SseEvent>& out);
};

/// "data: ...\n\n"; data must not hold a line break (JSON never does unescaped); line breaks become several
/// data lines.
std::string sse_data(std::string_view data);

}  // namespace brevet::wire
