// Goal: a read that waits without looking first loses nothing: neither bytes nor an end that came before it.
// Method: pairs of loopback sockets; poll(2) makes sure that what the peer did has arrived before it is read.
#include "net/socket_read.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/write.hpp>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "net/http_message.h"

namespace brevet::net {
namespace {

using asio::ip::tcp;

class Reader final : public SocketRead {
 public:
  explicit Reader(asio::io_context& context) : SocketRead(context, socket), socket(context.get_executor()) {}
  using SocketRead::ready_to_read;

  void start(Look look, std::size_t most = sizeof(buffer_)) {
    done = false;
    bytes.clear();
    read(buffer_.data(), most, look);
  }

  PlainSocket socket;
  bool done = true;
  ErrorCode ec;
  std::string bytes;
  std::function<void()> tell_abandoned;

 private:
  void on_read(ErrorCode error, std::size_t size) override {
    done = true;
    ec = error;
    bytes.assign(buffer_.data(), size);
  }
  void on_abandoned() override {
    const auto tell = std::move(tell_abandoned);
    tell();
  }

  std::array<char, 1024> buffer_;
};

class SocketReadTest : public testing::Test {
 protected:
  SocketReadTest() : peer_(context_), reader_(std::make_unique<Reader>(context_)) {
    tcp::acceptor acceptor(context_, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    peer_.connect(acceptor.local_endpoint());
    acceptor.accept(reader_->socket);
    reader_->socket.non_blocking(true);
    reader_->ready_to_read();
  }

  void TearDown() override {
    reader_->socket.close();
    finish();  // a pending read must not outlive what it reads for
  }

  /// Sends, and returns when it is there to be read.
  void send(std::string_view text) {
    asio::write(peer_, asio::buffer(text));
    arrived(POLLIN);
  }
  void arrived(short events) {
    pollfd what{reader_->socket.native_handle(), events, 0};
    ASSERT_EQ(::poll(&what, 1, -1), 1);
  }
  void settle() {
    context_.restart();
    while (context_.poll() > 0) context_.restart();
  }
  void finish() {
    context_.restart();
    while (!reader_->done) ASSERT_EQ(context_.run_one(), 1U);
  }
  void expect(std::string_view text) {
    finish();
    EXPECT_EQ(reader_->ec, boost::system::error_code());
    EXPECT_EQ(reader_->bytes, text);
  }

  asio::io_context context_{1};
  tcp::socket peer_;
  std::unique_ptr<Reader> reader_;
};

TEST_F(SocketReadTest, ReadsWhatIsThereAndWaitsForWhatIsNot) {
  send("one");
  reader_->start(Look::kIfNew);
  expect("one");
  for (const auto look : {Look::kIfNew, Look::kFirst}) {
    reader_->start(look);
    settle();
    EXPECT_FALSE(reader_->done);
    send("two");
    expect("two");
  }
}

TEST_F(SocketReadTest, APartLeavesTheRest) {
  send("one and two");
  reader_->start(Look::kIfNew, 3);
  expect("one");
  reader_->start(Look::kIfNew, 5);
  expect(" and ");
  reader_->start(Look::kIfNew, 3);
  expect("two");
  reader_->start(Look::kIfNew);
  settle();
  EXPECT_FALSE(reader_->done);
}

TEST_F(SocketReadTest, WhatCameWhileNobodyReadIsFound) {
  send("one");
  reader_->start(Look::kIfNew);
  expect("one");
  send("two");
  settle();  // the reactor is told of it, and nobody waits
  reader_->start(Look::kIfNew);
  expect("two");
}

TEST_F(SocketReadTest, AnEndRightBehindTheBytesIsSeen) {
  asio::write(peer_, asio::buffer(std::string_view("last")));
  peer_.shutdown(tcp::socket::shutdown_send);
  arrived(POLLRDHUP);
  reader_->start(Look::kIfNew);
  settle();
  expect("last");
  reader_->start(Look::kIfNew);
  finish();
  EXPECT_EQ(reader_->ec, asio::error::eof);
}

TEST_F(SocketReadTest, AResetRightBehindTheBytesIsSeenByWhoLooks) {
  asio::write(peer_, asio::buffer(std::string_view("last")));
  peer_.set_option(asio::socket_base::linger(true, 0));
  peer_.close();
  arrived(POLLHUP);
  reader_->start(Look::kFirst);
  finish();
  // The kernel may drop the bytes with the reset.
  if (!reader_->ec) {
    EXPECT_EQ(reader_->bytes, "last");
    reader_->start(Look::kFirst);
    finish();
  }
  EXPECT_TRUE(reader_->ec);
}

TEST_F(SocketReadTest, AResetWhileItWaitsEndsIt) {
  reader_->start(Look::kIfNew);
  settle();
  peer_.set_option(asio::socket_base::linger(true, 0));
  peer_.close();
  finish();
  EXPECT_EQ(reader_->ec, asio::error::connection_reset);
}

TEST_F(SocketReadTest, CancellingAndClosingEndIt) {
  for (int round = 0; round < 2; ++round) {
    reader_->start(Look::kIfNew);
    settle();
    if (round == 0) reader_->socket.cancel();
    if (round == 1) reader_->socket.close();
    finish();
    EXPECT_EQ(reader_->ec, asio::error::operation_aborted);
  }
  reader_->start(Look::kFirst);
  finish();
  EXPECT_TRUE(reader_->ec) << "a closed socket cannot be read";
}

TEST(SocketRead, AContextThatGoesTellsWhoWaitsWhichGoesToo) {
  bool abandoned = false;
  std::unique_ptr<Reader> reader;
  {
    asio::io_context context;
    tcp::acceptor acceptor(context, tcp::endpoint(asio::ip::address_v4::loopback(), 0));
    tcp::socket peer(context);
    peer.connect(acceptor.local_endpoint());
    reader = std::make_unique<Reader>(context);
    reader->tell_abandoned = [&] {
      abandoned = true;
      reader.reset();
    };
    acceptor.accept(reader->socket);
    reader->socket.non_blocking(true);
    reader->start(Look::kIfNew);
    static_cast<void>(context.poll());
    EXPECT_FALSE(abandoned);
  }
  EXPECT_TRUE(abandoned);
  EXPECT_EQ(reader, nullptr);
}

TEST(HeaderLines, NoValueStartsAnotherHeader) {
  HeaderLines lines;
  lines.add("x-a", "plain");
  lines.add("x-b", "one\r\nx-c: two\x7f\t");
  EXPECT_EQ(lines.text(), "x-a: plain\r\nx-b: one  x-c: two  \r\n");
}

}  // namespace
}  // namespace brevet::net
