// Runs one coroutine to its end on a context of the calling thread. Test code only.
#pragma once

#include <exception>
#include <optional>
#include <utility>

#include "base/async.h"

namespace brevet::net {

template <class T>
T run_task(asio::io_context& context, Task<T> task) {
  std::optional<T> out;
  asio::co_spawn(context, std::move(task), [&out](std::exception_ptr failed, T value) {
    if (failed) std::rethrow_exception(failed);
    out.emplace(std::move(value));
  });
  context.restart();
  context.run();
  return std::move(*out);
}

}  // namespace brevet::net
