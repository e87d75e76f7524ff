// The one async idiom: C++20 coroutines on Asio.
//
// Rules: parameters by value; no capturing lambda as a coroutine; no lock held across co_await; no
// braced temporary ({...} of a struct or list) inside a co_await expression, as gcc 12 copies it bit by bit
// and frees it twice: give it a name first; a coroutine that must account for a hang-up sets `co_await
// this_coro::throw_if_cancelled(false)` and looks at the state itself. One io_context per worker thread, each
// run by exactly one thread: a coroutine never changes its thread, and a connection belongs to one context.
// Does not own threads.
#pragma once

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace brevet {

namespace asio = boost::asio;

template <class T = void>
using Task = asio::awaitable<T>;

/// Completion token that yields (error_code, ...) as a tuple instead of throwing.
inline constexpr auto kNoThrow = asio::as_tuple(asio::use_awaitable);

/// True when the running coroutine was asked to stop (client hang-up, accepted elsewhere, shutdown).
inline Task<bool> cancel_requested() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

}  // namespace brevet
