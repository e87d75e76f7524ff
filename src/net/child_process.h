// A child process that ends with us: own process group, output to a log file, SIGKILL when its parent thread
// ends however that happens.
//
// Used by upstream's local process and by record's scorer that is a program. One owner thread: the kernel
// ties the child to the *thread* that started it, so start it from one that lives as long as the child shall.
// Linux only. Does not restart anything.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace brevet::net {

struct ChildProcessOptions {
  std::vector<std::string>
      arguments;            ///< the program (a path, or a name looked up in PATH) and its arguments
  std::string log_file;     ///< stdout and stderr are appended; empty = discarded
  std::string input_file;   ///< read as stdin; empty = nothing to read
  std::string errors_file;  ///< stderr goes there instead; empty = to log_file with stdout
  std::vector<std::string> environment;    ///< "NAME=VALUE", added to our own
  std::chrono::milliseconds grace{3'000};  ///< between SIGTERM and SIGKILL when terminated
};

class ChildProcess {
 public:
  /// Terminates it if it still runs.
  virtual ~ChildProcess() = default;
  virtual pid_t pid() const = 0;
  /// A pollable descriptor that turns readable when the child has exited; owned by this object.
  virtual int exit_descriptor() const = 0;
  /// How it ended: exit status, or 128 + signal; nullopt while it runs. Does not block.
  virtual std::optional<int> exit_code() = 0;
  /// SIGTERM to its group, SIGKILL after `grace`; returns when it is gone. Idempotent.
  virtual void terminate() = 0;
};

/// Errors (kInternal): program_not_found, log_unwritable, input_unreadable, fork_failed.
Result<std::unique_ptr<ChildProcess>> start_child(ChildProcessOptions options);

}  // namespace brevet::net
