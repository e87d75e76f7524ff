// Reads of a plain TCP socket that cost one system call a message.
//
// Asio's own read looks into the socket before it waits, which after a whole message finds nothing and costs
// as much as reading some of it; a proxy does that twice for each request. This operation asks the kernel
// with every read what is left behind it (TCP_INQ, Linux 4.18; a FIN counts) and tells the reactor when that
// is nothing, so that the next read waits at once. Where the kernel cannot say, it reads as Asio does. It
// allocates nothing: the operation is part of the connection.
//
// Used inside net only, by the server's connections and the client's links. Belongs to one context's thread.
// Holds at most one read at a time. Does not do TLS. Built on Asio's reactor, which is not a public
// interface: the build asks for exactly the version that this was written against.
#pragma once

#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/detail/reactor.hpp>
#include <boost/asio/detail/reactor_op.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstddef>
#include <utility>

#include "base/async.h"

namespace brevet::net {

using Executor = asio::io_context::executor_type;

/// A stream socket of which reads by SocketRead are possible; everything else is Asio's.
class PlainSocket : public asio::basic_stream_socket<asio::ip::tcp, Executor> {
 public:
  using Base = asio::basic_stream_socket<asio::ip::tcp, Executor>;
  using Base::Base;
  explicit PlainSocket(Base&& other) : Base(std::move(other)) {}

 private:
  friend class SocketRead;
  asio::detail::reactor::per_descriptor_data& reactor_data() {
    return impl_.get_implementation().reactor_data_;
  }
};

/// kIfNew: waits for what comes when the last read took all there was. kFirst looks in any case: in the
/// middle of a message, or where a reset may have gone unnoticed behind what was read.
enum class Look { kIfNew, kFirst };

class SocketRead {
 public:
  using ErrorCode = boost::system::error_code;

  SocketRead(const SocketRead&) = delete;
  SocketRead& operator=(const SocketRead&) = delete;

 protected:
  /// `socket` may be a member that is made later.
  SocketRead(asio::io_context& context, PlainSocket& socket);
  ~SocketRead() = default;

  /// Once the socket is connected and does not block.
  void ready_to_read();
  /// Reads into `to`, which stays, as does this object, until one of the two calls below; neither comes from
  /// inside of this function. A closed or cancelled socket ends it with operation_aborted.
  void read(char* to, std::size_t size, Look look);

 private:
  virtual void on_read(ErrorCode ec, std::size_t size) = 0;
  /// The context is being destroyed: what waits for the read is to be destroyed too.
  virtual void on_abandoned() = 0;

  struct Operation final : asio::detail::reactor_op {
    explicit Operation(SocketRead& reader) : reactor_op({}, &try_now, &complete), owner(reader) {}
    static status try_now(reactor_op* base);
    static void complete(void* context, asio::detail::operation* base, const ErrorCode&, std::size_t);
    SocketRead& owner;
  };

  Operation operation_{*this};
  PlainSocket& socket_;
  asio::detail::reactor& reactor_;
  char* to_ = nullptr;
  std::size_t size_ = 0;
  bool tells_rest_ = false;  ///< the kernel says what is left behind a read
  bool looked_ = false;      ///< a moment ago, in vain: the reactor's own try is left out
};

}  // namespace brevet::net
