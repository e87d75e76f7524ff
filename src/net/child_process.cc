#include "net/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>
#include <utility>

namespace brevet::net {
namespace {

class Descriptor {
 public:
  explicit Descriptor(int value = -1) : value_(value) {}
  ~Descriptor() { reset(); }
  Descriptor(Descriptor&& other) noexcept : value_(std::exchange(other.value_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    reset();
    value_ = std::exchange(other.value_, -1);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }
  void reset() {
    if (value_ >= 0) ::close(std::exchange(value_, -1));
  }

 private:
  int value_;
};

/// What the child does between fork and exec: system calls only, as other threads may hold any lock.
[[noreturn]] void become(char* const* arguments, char* const* environment, int input, int output, int errors,
                         int failure, pid_t parent) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);  // It died before the line above.
  ::dup2(input, STDIN_FILENO);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(errors, STDERR_FILENO);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::signal(number, SIG_DFL);
  // Our sockets and files are none of the child's; exec closes them.
  ::syscall(SYS_close_range, 3u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */);
  ::execvpe(arguments[0], arguments, environment);
  const int why = errno;
  [[maybe_unused]] const auto written = ::write(failure, &why, sizeof why);
  ::_exit(127);
}

class Child final : public ChildProcess {
 public:
  Child(pid_t pid, Descriptor exit, std::chrono::milliseconds grace)
      : pid_(pid), exit_(std::move(exit)), grace_(grace) {}
  ~Child() override { terminate(); }

  pid_t pid() const override { return pid_; }
  int exit_descriptor() const override { return exit_.get(); }
  std::optional<int> exit_code() override {
    if (!code_) reap(WNOHANG);
    return code_;
  }
  void terminate() override {
    if (exit_code()) {
      ::kill(-pid_, SIGKILL);  // What it left behind in its group.
      return;
    }
    ::kill(-pid_, SIGTERM);
    pollfd gone{exit_.get(), POLLIN, 0};
    if (::poll(&gone, 1, static_cast<int>(grace_.count())) <= 0) ::kill(-pid_, SIGKILL);
    reap(0);
  }

 private:
  void reap(int flags) {
    int status = 0;
    pid_t got = 0;
    do {
      got = ::waitpid(pid_, &status, flags);
    } while (got < 0 && errno == EINTR);
    if (got == pid_) code_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    if (got < 0) code_ = 255;  // Somebody else reaped it.
  }

  const pid_t pid_;
  const Descriptor exit_;
  const std::chrono::milliseconds grace_;
  std::optional<int> code_;
};

}  // namespace

Result<std::unique_ptr<ChildProcess>> start_child(ChildProcessOptions options) {
  if (options.arguments.empty())
    return fail(ErrorKind::kInternal, "program_not_found", "No program was named.");
  const std::string from = options.input_file.empty() ? "/dev/null" : options.input_file;
  const Descriptor input(::open(from.c_str(), O_RDONLY | O_CLOEXEC));
  if (input.get() < 0) {
    return fail(ErrorKind::kInternal, "input_unreadable",
                "Cannot read '" + from + "': " + std::strerror(errno) + ".");
  }
  const std::string log = options.log_file.empty() ? "/dev/null" : options.log_file;
  const Descriptor output(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (output.get() < 0) {
    return fail(ErrorKind::kInternal, "log_unwritable",
                "Cannot write to '" + log + "': " + std::strerror(errno) + ".");
  }
  Descriptor errors_own;
  if (!options.errors_file.empty()) {
    errors_own =
        Descriptor(::open(options.errors_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
    if (errors_own.get() < 0) {
      return fail(ErrorKind::kInternal, "log_unwritable",
                  "Cannot write to '" + options.errors_file + "': " + std::strerror(errno) + ".");
    }
  }
  const int errors = errors_own.get() >= 0 ? errors_own.get() : output.get();
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC) != 0) {
    return fail(ErrorKind::kInternal, "fork_failed",
                std::string("Cannot make a pipe: ") + std::strerror(errno) + ".");
  }
  const Descriptor failure(ends[0]);
  Descriptor failure_in_child(ends[1]);
  std::vector<char*> arguments;
  for (auto& argument : options.arguments) arguments.push_back(argument.data());
  arguments.push_back(nullptr);
  std::vector<char*> environment;
  // The last of two equal names would not win everywhere, so ours leave those out that are given.
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view own(*entry);
    const auto name = own.substr(0, own.find('=') + 1);
    const bool given = std::any_of(options.environment.begin(), options.environment.end(),
                                   [&](const std::string& added) { return added.starts_with(name); });
    if (!given) environment.push_back(*entry);
  }
  for (auto& added : options.environment) environment.push_back(added.data());
  environment.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid == 0) {
    become(arguments.data(), environment.data(), input.get(), output.get(), errors, failure_in_child.get(),
           parent);
  }
  if (pid < 0) {
    return fail(ErrorKind::kInternal, "fork_failed",
                std::string("Cannot start a process: ") + std::strerror(errno) + ".");
  }
  ::setpgid(pid, pid);  // In both processes, so that neither has to wait for the other.
  failure_in_child.reset();
  int why = 0;
  ssize_t got = 0;
  do {
    got = ::read(failure.get(), &why, sizeof why);
  } while (got < 0 && errno == EINTR);
  if (got == static_cast<ssize_t>(sizeof why)) {
    ::waitpid(pid, nullptr, 0);
    return fail(ErrorKind::kInternal, "program_not_found",
                "Cannot run '" + options.arguments[0] + "': " + std::strerror(why) + ".");
  }
  Descriptor exit(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  return std::unique_ptr<ChildProcess>(std::make_unique<Child>(pid, std::move(exit), options.grace));
}

}  // namespace brevet::net
