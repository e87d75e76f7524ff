// HTTP/1.1 messages from bytes, incrementally: any split of the bytes gives the same message.
//
// Used by http_server and http_client only; hides Boost.Beast, whose units compile slowly. Not thread-safe.
// Strict where leniency lets one message hide in another: a transfer coding other than chunked, both kinds of
// length at once and contradicting lengths are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace brevet::net {

struct HttpRequest;

enum class ParseProgress { kNeedMore, kDone, kFailed };

struct ParseLimits {
  std::size_t header_bytes_max = 64 * 1024;
  std::size_t body_bytes_max = 32 * 1024 * 1024;
};

/// Why a message was refused; `status` is what a server answers.
struct ParseFailure {
  int status = 400;
  const char* code = "malformed_http";
  std::string message;
};

class RequestParser {
 public:
  explicit RequestParser(ParseLimits limits);
  ~RequestParser();
  /// Begins a message that is written into `into`, which outlives it.
  void start(HttpRequest& into);
  /// Takes bytes of the message and says in `used` how many; what is left belongs to the next message, or
  /// must be offered again with more behind it. After kDone or kFailed: start().
  ParseProgress feed(std::string_view bytes, std::size_t& used);
  bool header_done() const;
  /// After kDone.
  bool keep_alive() const;
  bool http_1_1() const;
  /// The client waits for "100 Continue" before it sends the body.
  bool expects_continue() const;
  const ParseFailure& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ResponseParser {
 public:
  explicit ResponseParser(std::size_t header_bytes_max);
  ~ResponseParser();
  void start(bool to_head_request, std::size_t body_bytes_max);
  /// Any byte of a response has come since start().
  bool begun() const;
  ParseProgress feed(std::string_view bytes, std::size_t& used);
  /// The peer closed: kDone when that ends the body, else kNeedMore (the message was cut).
  ParseProgress finish_at_eof();
  bool header_done() const;
  bool keep_alive() const;
  int status() const;
  HttpHeaders& headers();
  /// Bytes of the body since it was last emptied; the caller takes them.
  std::string& body();
  const ParseFailure& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace brevet::net
