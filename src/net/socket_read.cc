#include "net/socket_read.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <boost/asio/error.hpp>
#include <cerrno>
#include <cstring>
#include <optional>

namespace brevet::net {
namespace {

struct Got {
  ssize_t size = 0;
  std::optional<int> rest;  ///< bytes left in the socket, the end of the stream as one
};

Got receive(int socket, char* to, std::size_t size, bool tells_rest) {
  Got out;
  if (!tells_rest) {
    do out.size = ::recv(socket, to, size, MSG_DONTWAIT);
    while (out.size < 0 && errno == EINTR);
    return out;
  }
  iovec part{to, size};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  do {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    out.size = ::recvmsg(socket, &message, MSG_DONTWAIT);
  } while (out.size < 0 && errno == EINTR);
  if (out.size < 0) return out;
  const auto* told = CMSG_FIRSTHDR(&message);
  if (told && told->cmsg_level == IPPROTO_TCP && told->cmsg_type == TCP_CM_INQ) {
    int rest = 0;
    std::memcpy(&rest, CMSG_DATA(told), sizeof rest);
    out.rest = rest;
  }
  return out;
}

}  // namespace

SocketRead::SocketRead(asio::io_context& context, PlainSocket& socket)
    : socket_(socket), reactor_(asio::use_service<asio::detail::reactor>(context)) {}

void SocketRead::ready_to_read() {
  const int on = 1;
  tells_rest_ = ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_INQ, &on, sizeof on) == 0;
}

void SocketRead::read(char* to, std::size_t size, Look look) {
  to_ = to;
  size_ = size;
  operation_.ec_ = {};
  operation_.bytes_transferred_ = 0;
  if (look == Look::kFirst && socket_.is_open()) {
    if (operation_.perform() != Operation::not_done) {
      reactor_.post_immediate_completion(&operation_, false);
      return;
    }
    looked_ = true;  // What comes from here on is told by a new event.
  }
  reactor_.start_op(asio::detail::reactor::read_op, socket_.native_handle(), socket_.reactor_data(),
                    &operation_, false, true);
  looked_ = false;
}

asio::detail::reactor_op::status SocketRead::Operation::try_now(reactor_op* base) {
  auto& self = *static_cast<Operation*>(base);
  auto& reader = self.owner;
  if (reader.looked_) return not_done;
  const auto got = receive(reader.socket_.native_handle(), reader.to_, reader.size_, reader.tells_rest_);
  if (got.size > 0) {
    self.bytes_transferred_ = static_cast<std::size_t>(got.size);
    return got.rest == 0 ? done_and_exhausted : done;
  }
  if (got.size == 0) {
    self.ec_ = asio::error::eof;
    return done_and_exhausted;
  }
  if (errno == EAGAIN || errno == EWOULDBLOCK) return not_done;
  self.ec_ = ErrorCode(errno, asio::error::get_system_category());
  return done;
}

void SocketRead::Operation::complete(void* context, asio::detail::operation* base, const ErrorCode&,
                                     std::size_t) {
  auto& self = *static_cast<Operation*>(base);
  if (context) {
    self.owner.on_read(self.ec_, self.bytes_transferred_);
  } else {
    self.owner.on_abandoned();
  }
}

}  // namespace brevet::net
