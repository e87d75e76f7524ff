// Goal: a child starts, is watched, ends when told and never outlives its parent. Method: small shell
// commands, waited for by their exit descriptor or by a pipe that they hold open.
#include "net/child_process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

namespace brevet::net {
namespace {

ChildProcessOptions shell(const std::string& command, const std::string& log = {}) {
  ChildProcessOptions out;
  out.arguments = {"/bin/sh", "-c", command};
  out.log_file = log;
  return out;
}
bool exits(ChildProcess& child) {
  pollfd gone{child.exit_descriptor(), POLLIN, 0};
  return ::poll(&gone, 1, 20'000) == 1;
}
struct TempFile {
  TempFile() {
    char name[] = "/tmp/brevet-test-XXXXXX";
    ::close(::mkstemp(name));
    path = name;
  }
  ~TempFile() { ::unlink(path.c_str()); }
  std::string read() const {
    std::stringstream out;
    out << std::ifstream(path).rdbuf();
    return out.str();
  }
  std::string path;
};

TEST(ChildProcess, RunsWritesItsLogAndSaysHowItEnded) {
  const TempFile log;
  auto child = start_child(shell("echo out; echo err >&2; exit 3", log.path));
  ASSERT_TRUE(child) << child.error().message;
  ASSERT_TRUE(exits(**child));
  EXPECT_EQ((*child)->exit_code(), 3);
  EXPECT_EQ(log.read(), "out\nerr\n");
}

TEST(ChildProcess, HasItsInputErrorsAndEnvironment) {
  const TempFile log, errors, input;
  std::ofstream(input.path) << "a line\n";
  ::setenv("BREVET_TEST_OWN", "ours", 1);
  ::setenv("BREVET_TEST_KEPT", "kept", 1);
  auto options =
      shell("read -r line; echo \"$line $BREVET_TEST_OWN $BREVET_TEST_KEPT\"; echo bad >&2", log.path);
  options.input_file = input.path;
  options.errors_file = errors.path;
  options.environment = {"BREVET_TEST_OWN=theirs"};
  auto child = start_child(options);
  ASSERT_TRUE(child) << child.error().message;
  ASSERT_TRUE(exits(**child));
  EXPECT_EQ(log.read(), "a line theirs kept\n");
  EXPECT_EQ(errors.read(), "bad\n");
  options.input_file = "/nonexistent/input";
  EXPECT_EQ(start_child(options).error().code, "input_unreadable");
}

TEST(ChildProcess, TerminateEndsItAndWhatItStarted) {
  // The whole group holds the pipe open: its end proves that nobody is left.
  const TempFile fifo;
  ::unlink(fifo.path.c_str());
  ASSERT_EQ(::mkfifo(fifo.path.c_str(), 0600), 0);
  auto child = start_child(shell("exec 9>" + fifo.path + "; sleep 1000 & echo x >&9; wait"));
  ASSERT_TRUE(child);
  const int pipe = ::open(fifo.path.c_str(), O_RDONLY | O_CLOEXEC);
  char bytes[16];
  ASSERT_GT(::read(pipe, bytes, sizeof bytes), 0);
  EXPECT_FALSE((*child)->exit_code());
  (*child)->terminate();
  EXPECT_EQ((*child)->exit_code(), 128 + SIGTERM);
  EXPECT_EQ(::read(pipe, bytes, sizeof bytes), 0);
  ::close(pipe);
}

TEST(ChildProcess, AStubbornChildIsKilled) {
  const TempFile fifo;
  ::unlink(fifo.path.c_str());
  ASSERT_EQ(::mkfifo(fifo.path.c_str(), 0600), 0);
  auto options = shell("trap '' TERM; echo x > " + fifo.path + "; while :; do sleep 1000; done");
  options.grace = std::chrono::milliseconds(1);
  auto child = start_child(options);
  ASSERT_TRUE(child);
  const int pipe = ::open(fifo.path.c_str(), O_RDONLY | O_CLOEXEC);
  char bytes[16];
  ASSERT_GT(::read(pipe, bytes, sizeof bytes), 0);
  (*child)->terminate();
  EXPECT_EQ((*child)->exit_code(), 128 + SIGKILL);
  ::close(pipe);
}

TEST(ChildProcess, DiesWithItsParent) {
  const TempFile fifo;
  ::unlink(fifo.path.c_str());
  ASSERT_EQ(::mkfifo(fifo.path.c_str(), 0600), 0);
  const pid_t middle = ::fork();
  if (middle == 0) {
    auto child = start_child(shell("exec 9>" + fifo.path + "; echo x >&9; exec sleep 1000"));
    for (;;) ::pause();
  }
  const int pipe = ::open(fifo.path.c_str(), O_RDONLY | O_CLOEXEC);
  char bytes[16];
  ASSERT_GT(::read(pipe, bytes, sizeof bytes), 0);
  ::kill(middle, SIGKILL);
  ::waitpid(middle, nullptr, 0);
  pollfd end{pipe, POLLIN, 0};
  ASSERT_EQ(::poll(&end, 1, 20'000), 1);
  EXPECT_EQ(::read(pipe, bytes, sizeof bytes), 0);
  ::close(pipe);
}

TEST(ChildProcess, OurDescriptorsAreNotInherited) {
  const TempFile log;
  const int ours = ::open("/dev/null", O_RDONLY);  // Without close-on-exec, as libraries open theirs.
  auto child =
      start_child(shell("ls /proc/self/fd/" + std::to_string(ours) + " && exit 1; exit 0", log.path));
  ASSERT_TRUE(child);
  ASSERT_TRUE(exits(**child));
  EXPECT_EQ((*child)->exit_code(), 0) << log.read();
  ::close(ours);
}

TEST(ChildProcess, AMissingProgramIsAnError) {
  ChildProcessOptions options;
  options.arguments = {"/no/such/program"};
  EXPECT_EQ(start_child(options).error().code, "program_not_found");
  options.arguments = {"/bin/true"};
  options.log_file = "/no/such/folder/log";
  EXPECT_EQ(start_child(options).error().code, "log_unwritable");
}

}  // namespace
}  // namespace brevet::net
