// Many deadlines of one context under one coarse timer: setting, moving and dropping one costs a few
// instructions, so that every request can have several.
//
// Used inside net only, on one context's thread. A deadline fires up to kTick late and never early. The timer
// runs only while there are deadlines.
#pragma once

#include <chrono>

#include "base/async.h"

namespace brevet::net {

class DeadlineList {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kTick{10};

  class Node {
   public:
    Node() = default;
    virtual ~Node() { unlink(); }
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    Time at = Time::max();

    void unlink() {
      if (!previous_) return;
      previous_->next_ = next_;
      next_->previous_ = previous_;
      previous_ = next_ = nullptr;
    }

   private:
    friend class DeadlineList;
    virtual void on_deadline() {}
    Node* previous_ = nullptr;
    Node* next_ = nullptr;
  };

  explicit DeadlineList(asio::io_context& context) : timer_(context) {
    head_.previous_ = head_.next_ = &head_;
  }
  ~DeadlineList() {
    while (head_.next_ != &head_) head_.next_->unlink();
  }

  void add(Node& node) {
    if (node.previous_) return;
    node.next_ = &head_;
    node.previous_ = head_.previous_;
    head_.previous_->next_ = &node;
    head_.previous_ = &node;
    if (!ticking_) tick();
  }

 private:
  void tick() {
    ticking_ = true;
    timer_.expires_after(kTick);
    timer_.async_wait([this](boost::system::error_code ec) {
      ticking_ = false;
      if (!ec) sweep();
    });
  }
  void sweep() {
    const auto now = std::chrono::steady_clock::now();
    Node cursor;  // Firing may add, move or destroy any node; the cursor keeps the place.
    Node* node = head_.next_;
    while (node != &head_) {
      cursor.next_ = node->next_;
      cursor.previous_ = node;
      node->next_->previous_ = &cursor;
      node->next_ = &cursor;
      if (now >= node->at) {
        node->at = Time::max();
        node->on_deadline();
      }
      node = cursor.next_;
      cursor.unlink();
    }
    if (head_.next_ != &head_ && !ticking_) tick();
  }

  Node head_;
  asio::steady_timer timer_;
  bool ticking_ = false;
};

}  // namespace brevet::net
