#include "record/command_scorer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>

#include "net/child_process.h"
#include "record/json_out.h"

namespace brevet::record {
namespace {

constexpr std::size_t kVariableBytesMax = 96 * 1024;  // Linux takes 128 KiB for one
constexpr std::size_t kOutputBytesMax = 4096;

/// Two files of one run of the command, gone with it.
class RunFiles {
 public:
  explicit RunFiles(const std::string& folder) {
    static std::atomic<std::uint64_t> runs{0};
    const auto base = fmt::format("{}/brevet-score-{}-{}", folder, ::getpid(), ++runs);
    input = base + ".json";
    output = base + ".out";
  }
  ~RunFiles() {
    std::error_code ignored;
    std::filesystem::remove(input, ignored);
    std::filesystem::remove(output, ignored);
  }
  RunFiles(const RunFiles&) = delete;
  RunFiles& operator=(const RunFiles&) = delete;
  std::string input, output;
};

/// True when the child is gone before the time is over.
Task<bool> gone_in_time(int descriptor, std::chrono::milliseconds timeout) {
  const auto executor = co_await asio::this_coro::executor;
  const auto exit = std::make_shared<asio::posix::stream_descriptor>(executor, ::dup(descriptor));
  asio::steady_timer timer(executor, timeout);
  timer.async_wait([exit](const boost::system::error_code& error) {
    if (!error) exit->cancel();
  });
  const auto [error] = co_await exit->async_wait(asio::posix::stream_descriptor::wait_read, kNoThrow);
  co_return !error;
}

void add_variable(std::vector<std::string>& out, const char* name, const std::string& value) {
  if (value.size() > kVariableBytesMax || value.find('\0') != std::string::npos) return;
  out.push_back(std::string(name) + "=" + value);
}

Score without(std::string why) {
  Score out;
  out.why = std::move(why);
  return out;
}

std::optional<double> only_number(std::string text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string::npos) return std::nullopt;
  text = text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
  double value = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), value);
  if (read.ec != std::errc() || read.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

Score verdict(int code, const std::string& output) {
  if (code > 1) return without(fmt::format("command_exit_{}", code));
  Score score;
  score.value = code == 0 ? 1 : 0;
  if (code == 0) {
    if (const auto said = only_number(output)) {
      if (!(*said >= 0 && *said <= 1)) return without("command_score_out_of_range");
      score.value = said;
    }
  }
  return score;
}

}  // namespace

Task<Result<Score>> score_by_command(CommandOptions options, ScoredAnswer answer) {
  const RunFiles files(options.folder);
  {
    std::ofstream input(files.input, std::ios::binary | std::ios::trunc);
    input << fmt::format(R"({{"id":{},"model":{},"prompt":{},"answer":{},"reference":{}}})",
                         json_string(answer.id), json_string(answer.configuration),
                         json_string(answer.prompt), json_string(answer.answer),
                         json_string(answer.reference))
          << "\n";
    if (!input.flush())
      co_return fail(ErrorKind::kCallerInvalid, "output_unwritable", "Cannot write " + files.input + ".",
                     "output");
  }
  net::ChildProcessOptions child;
  child.arguments.emplace_back("/bin/sh");
  child.arguments.emplace_back("-c");
  child.arguments.push_back(options.command);
  child.log_file = files.output;
  child.errors_file = "/dev/null";
  child.input_file = files.input;
  child.grace = std::chrono::milliseconds(200);
  add_variable(child.environment, "BREVET_ID", answer.id);
  add_variable(child.environment, "BREVET_MODEL", answer.configuration);
  add_variable(child.environment, "BREVET_PROMPT", answer.prompt);
  add_variable(child.environment, "BREVET_ANSWER", answer.answer);
  add_variable(child.environment, "BREVET_REFERENCE", answer.reference);
  auto started = net::start_child(std::move(child));
  if (!started) co_return fail(started.error());
  const bool in_time = co_await gone_in_time((*started)->exit_descriptor(), options.timeout);
  const auto code = (*started)->exit_code();
  (*started)->terminate();
  if (!in_time || !code) co_return without("command_timeout");
  std::string output(kOutputBytesMax, '\0');
  std::ifstream said(files.output, std::ios::binary);
  said.read(output.data(), static_cast<std::streamsize>(output.size()));
  output.resize(static_cast<std::size_t>(std::max<std::streamsize>(said.gcount(), 0)));
  co_return verdict(*code, output);
}

}  // namespace brevet::record
