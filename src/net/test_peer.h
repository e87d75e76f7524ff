// A blocking TCP peer for tests: says exact bytes, reads exact bytes. Test code only. A read that waits
// longer than 20 s gives up, so that a broken server fails a test instead of hanging it.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace brevet::net {

class TestPeer {
 public:
  explicit TestPeer(int descriptor) : descriptor_(descriptor) { set_patience(); }
  explicit TestPeer(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    set_patience();
    const sockaddr_in address = loopback(port);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) close();
  }
  ~TestPeer() { close(); }
  TestPeer(TestPeer&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  TestPeer(const TestPeer&) = delete;
  TestPeer& operator=(const TestPeer&) = delete;

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
  }
  /// Reads until `marker` has been seen `times` times in all that came since the last clear(), or the end.
  const std::string& read_until(std::string_view marker, int times = 1) {
    while (count(marker) < times && read_some()) {
    }
    return received;
  }
  const std::string& read_to_end() {
    while (read_some()) {
    }
    return received;
  }
  int count(std::string_view marker) const {
    int n = 0;
    for (auto at = received.find(marker); at != std::string::npos; at = received.find(marker, at + 1)) ++n;
    return n;
  }
  bool read_some() {
    char buffer[65536];
    const auto got = ::recv(descriptor_, buffer, sizeof buffer, 0);
    if (got <= 0) return false;
    received.append(buffer, static_cast<std::size_t>(got));
    return true;
  }
  void clear() { received.clear(); }
  void close() {
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  }
  void shut_down_writing() { ::shutdown(descriptor_, SHUT_WR); }
  bool connected() const { return descriptor_ >= 0; }
  int descriptor() const { return descriptor_; }
  /// Closes with a reset instead of an end.
  void reset() {
    const linger now{1, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close();
  }

  static sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }

  std::string received;

 private:
  void set_patience() {
    const timeval patience{20, 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  int descriptor_;
};

/// Listens on a free loopback port and hands out what connects.
class TestListener {
 public:
  TestListener() : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = TestPeer::loopback(0);
    ::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
    ::listen(descriptor_, 64);
    socklen_t size = sizeof address;
    ::getsockname(descriptor_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  ~TestListener() { ::close(descriptor_); }
  TestListener(const TestListener&) = delete;
  TestListener& operator=(const TestListener&) = delete;
  std::uint16_t port() const { return port_; }
  TestPeer accept() { return TestPeer(::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC)); }
  /// Refuses what comes from now on and wakes a thread that waits in accept().
  void close() { ::shutdown(descriptor_, SHUT_RDWR); }

 private:
  const int descriptor_;
  std::uint16_t port_ = 0;
};

}  // namespace brevet::net
