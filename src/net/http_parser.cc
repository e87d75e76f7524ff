// Beast asserts (basic_parser.ipp, parse_chunk_header) that five bytes are there when it resumes a last
// chunk. A peer that sends "0\r\n" and then single bytes breaks that, and nothing else: the code behind it is
// right for fewer.
#define BOOST_DISABLE_ASSERTS
#include "net/http_parser.h"

#include <algorithm>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <optional>

#include "net/http_server.h"

namespace brevet::net {
namespace {

namespace http = boost::beast::http;
using ErrorCode = boost::beast::error_code;
using StringView = boost::beast::string_view;

/// Memory reserved for a body on the word of its content-length alone.
constexpr std::size_t kReserveMax = 1024 * 1024;
/// Room behind a body, so that a JSON parser that reads over its end (simdjson: 64 bytes) need not move it.
constexpr std::size_t kBodySpare = 64;
constexpr std::size_t kUsualHeaders = 8;

/// What both directions share: headers and body go straight into the caller's strings.
template <bool kIsRequest>
class Reader : public http::basic_parser<kIsRequest> {
 public:
  Reader(HttpHeaders& headers, std::string& body, std::size_t body_bytes_max)
      : headers_(headers), body_(body), body_bytes_max_(body_bytes_max) {
    this->eager(true);
    this->body_limit(body_bytes_max);
    headers_.reserve(kUsualHeaders);
  }

  int status = 0;
  bool http_1_1 = false;
  bool expects_continue = false;

 protected:
  void on_field_impl(http::field name, StringView name_text, StringView value, ErrorCode&) override {
    if (header_done_) return;  // Trailers are read over.
    if (name == http::field::transfer_encoding) has_transfer_encoding_ = true;
    if (name == http::field::expect)
      expects_continue = equal_ignoring_case({value.data(), value.size()}, "100-continue");
    headers_.push_back({std::string(name_text), std::string(value)});
  }
  void on_header_impl(ErrorCode& ec) override {
    header_done_ = true;
    if (has_transfer_encoding_ && !this->chunked()) ec = http::error::bad_transfer_encoding;
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, ErrorCode&) override {
    if (length) {
      body_.reserve(static_cast<std::size_t>(std::min<std::uint64_t>(*length, kReserveMax)) + kBodySpare);
    }
  }
  std::size_t on_body_impl(StringView bytes, ErrorCode& ec) override { return append(bytes, ec); }
  void on_chunk_header_impl(std::uint64_t, StringView, ErrorCode&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, StringView bytes, ErrorCode& ec) override {
    return append(bytes, ec);
  }
  void on_finish_impl(ErrorCode&) override {}
  void on_request_impl(http::verb, StringView method, StringView target, int version, ErrorCode&) override {
    on_start(method, target, version);
  }
  void on_response_impl(int code, StringView, int version, ErrorCode&) override {
    status = code;
    on_start({}, {}, version);
  }
  virtual void on_start(StringView method, StringView target, int version) = 0;

 private:
  std::size_t append(StringView bytes, ErrorCode& ec) {
    total_ += bytes.size();
    if (total_ > body_bytes_max_) {
      ec = http::error::body_limit;
      return 0;
    }
    body_.append(bytes.data(), bytes.size());
    return bytes.size();
  }

  HttpHeaders& headers_;
  std::string& body_;
  const std::size_t body_bytes_max_;
  std::uint64_t total_ = 0;
  bool header_done_ = false;
  bool has_transfer_encoding_ = false;
};

class RequestReader final : public Reader<true> {
 public:
  RequestReader(HttpRequest& into, std::size_t body_bytes_max)
      : Reader(into.headers, into.body, body_bytes_max), into_(into) {}

 private:
  void on_start(StringView method, StringView target, int version) override {
    into_.method.assign(method.data(), method.size());
    into_.target.assign(target.data(), target.size());
    http_1_1 = version == 11;
  }
  HttpRequest& into_;
};

class ResponseReader final : public Reader<false> {
 public:
  using Reader::Reader;

 private:
  void on_start(StringView, StringView, int version) override { http_1_1 = version == 11; }
};

void explain(const ErrorCode& ec, const ParseLimits& limits, ParseFailure& failure) {
  if (ec == http::error::header_limit) {
    failure = {431, "headers_too_large",
               "The HTTP header is larger than " + std::to_string(limits.header_bytes_max) + " bytes."};
  } else if (ec == http::error::body_limit) {
    failure = {413, "body_too_large",
               "The HTTP body is larger than " + std::to_string(limits.body_bytes_max) + " bytes."};
  } else {
    failure = {400, "malformed_http", "This is not a valid HTTP/1.1 message: " + ec.message() + "."};
  }
}

/// Feeds a reader within the header bound, which Beast applies to each call only.
template <class R>
ParseProgress feed_reader(R& reader, std::string_view bytes, std::size_t& used, std::size_t& header_used,
                          const ParseLimits& limits, ParseFailure& failure) {
  ErrorCode ec;
  used = 0;
  while (!reader.is_done()) {
    const bool in_header = !reader.is_header_done();
    const auto rest = bytes.substr(used);
    if (rest.empty()) return ParseProgress::kNeedMore;
    const auto taken = reader.put(boost::asio::const_buffer(rest.data(), rest.size()), ec);
    used += taken;
    if (in_header && !reader.is_header_done()) {
      header_used += taken;
      if (ec == http::error::need_more && header_used + (bytes.size() - used) > limits.header_bytes_max) {
        ec = http::error::header_limit;
      }
    }
    // A chunk's extensions and the trailers have no bound in Beast.
    if (ec == http::error::need_more && bytes.size() - used > limits.header_bytes_max) {
      ec = http::error::header_limit;
    }
    if (ec == http::error::need_more) return ParseProgress::kNeedMore;
    if (ec) {
      explain(ec, limits, failure);
      return ParseProgress::kFailed;
    }
  }
  return ParseProgress::kDone;
}

/// Beast asserts that its own limit is not 0 and takes 32 bits.
std::uint32_t beast_header_limit(const ParseLimits& limits) {
  return static_cast<std::uint32_t>(std::clamp<std::size_t>(limits.header_bytes_max, 1, 1u << 30));
}

}  // namespace

struct RequestParser::Impl {
  ParseLimits limits;
  std::optional<RequestReader> reader;
  std::size_t header_used = 0;
  ParseFailure failure;
};

RequestParser::RequestParser(ParseLimits limits) : impl_(new Impl) {
  impl_->limits = limits;
}
RequestParser::~RequestParser() = default;

void RequestParser::start(HttpRequest& into) {
  impl_->reader.emplace(into, impl_->limits.body_bytes_max);
  impl_->reader->header_limit(beast_header_limit(impl_->limits));
  impl_->header_used = 0;
}

ParseProgress RequestParser::feed(std::string_view bytes, std::size_t& used) {
  return feed_reader(*impl_->reader, bytes, used, impl_->header_used, impl_->limits, impl_->failure);
}

bool RequestParser::header_done() const {
  return impl_->reader->is_header_done();
}
bool RequestParser::keep_alive() const {
  return impl_->reader->keep_alive();
}
bool RequestParser::http_1_1() const {
  return impl_->reader->http_1_1;
}
bool RequestParser::expects_continue() const {
  return impl_->reader->expects_continue;
}
const ParseFailure& RequestParser::failure() const {
  return impl_->failure;
}

struct ResponseParser::Impl {
  ParseLimits limits;
  HttpHeaders headers;
  std::string body;
  std::optional<ResponseReader> reader;
  std::size_t header_used = 0;
  bool head = false;
  bool begun = false;
  ParseFailure failure;

  void begin() {
    headers.clear();
    body.clear();
    reader.emplace(headers, body, limits.body_bytes_max);
    reader->header_limit(beast_header_limit(limits));
    reader->skip(head);
    header_used = 0;
  }
};

ResponseParser::ResponseParser(std::size_t header_bytes_max) : impl_(new Impl) {
  impl_->limits.header_bytes_max = header_bytes_max;
}
ResponseParser::~ResponseParser() = default;

void ResponseParser::start(bool to_head_request, std::size_t body_bytes_max) {
  impl_->head = to_head_request;
  impl_->limits.body_bytes_max = body_bytes_max;
  impl_->begun = false;
  impl_->begin();
}
bool ResponseParser::begun() const {
  return impl_->begun;
}

ParseProgress ResponseParser::feed(std::string_view bytes, std::size_t& used) {
  used = 0;
  for (;;) {
    std::size_t taken = 0;
    impl_->begun = impl_->begun || !bytes.empty();
    const auto progress = feed_reader(*impl_->reader, bytes.substr(used), taken, impl_->header_used,
                                      impl_->limits, impl_->failure);
    used += taken;
    if (progress != ParseProgress::kDone || status() / 100 != 1) return progress;
    impl_->begin();  // 1xx announces the response, it is not the response.
  }
}

ParseProgress ResponseParser::finish_at_eof() {
  if (!impl_->begun || !impl_->reader->is_header_done()) return ParseProgress::kNeedMore;
  if (impl_->reader->is_done()) return ParseProgress::kDone;
  ErrorCode ec;
  impl_->reader->put_eof(ec);
  return ec ? ParseProgress::kNeedMore : ParseProgress::kDone;
}

bool ResponseParser::header_done() const {
  return impl_->reader->is_header_done();
}
bool ResponseParser::keep_alive() const {
  return impl_->reader->keep_alive();
}
int ResponseParser::status() const {
  return impl_->reader->status;
}
HttpHeaders& ResponseParser::headers() {
  return impl_->headers;
}
std::string& ResponseParser::body() {
  return impl_->body;
}
const ParseFailure& ResponseParser::failure() const {
  return impl_->failure;
}

}  // namespace brevet::net
