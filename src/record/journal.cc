#include "record/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <simdjson.h>
#include <sys/file.h>
#include <unistd.h>
#include <zlib.h>

#include <boost/json.hpp>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "record/json_out.h"

namespace brevet::record {
namespace {

namespace json = boost::json;

constexpr std::size_t kChecksumDigits = 8;
constexpr std::size_t kMessageBytesMax = 500;

std::string checksum(std::string_view text) {
  return fmt::format("{:08x}",
                     crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size())));
}

tl::unexpected<Error> broken(const std::string& where, const std::string& what) {
  return fail(
      ErrorKind::kCallerInvalid, "broken_journal",
      where + ": " + what +
          "; no crash leaves that. Restore the journal, or record to another file (which pays again).");
}

/// Models may answer bytes that are no UTF-8; JSON is.
json::string text(std::string_view bytes) {
  return json::string(clean_text(bytes));
}

json::value money(const std::optional<Money>& value) {
  return value ? json::value(value->to_string()) : json::value(nullptr);
}
template <class T>
json::value number(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

/// Reads members and keeps the first complaint. By simdjson, whose numbers read back as they were written.
class Members {
 public:
  explicit Members(simdjson::dom::object object) : object_(object) {}
  std::string string(const char* name) {
    std::string_view value;
    if (object_.at_key(name).get(value)) return wrong(name), "";
    return std::string(value);
  }
  std::optional<Money> money(const char* name) {
    simdjson::dom::element value;
    if (object_.at_key(name).get(value)) return wrong(name), std::nullopt;
    if (value.is_null()) return std::nullopt;
    std::string_view digits;
    auto read = value.get(digits) ? std::nullopt : Money::parse_usd(digits);
    if (!read || read->pico_usd < 0) return wrong(name), std::nullopt;
    return read;
  }
  std::optional<double> number(const char* name) {
    simdjson::dom::element value;
    if (object_.at_key(name).get(value)) return wrong(name), std::nullopt;
    if (value.is_null()) return std::nullopt;
    double read = 0;
    if (value.get(read)) return wrong(name), std::nullopt;
    return read;
  }
  std::optional<std::int64_t> count(const char* name) {
    const auto read = number(name);
    if (!read) return std::nullopt;
    if (*read < 0 || *read > 9e15 || *read != std::floor(*read)) return wrong(name), std::nullopt;
    return static_cast<std::int64_t>(*read);
  }
  std::uint64_t required_count(const char* name) {
    const auto read = count(name);
    if (!read) wrong(name);
    return static_cast<std::uint64_t>(read.value_or(0));
  }
  bool flag(const char* name) {
    bool value = false;
    if (object_.at_key(name).get(value)) wrong(name);
    return value;
  }
  const char* wrong() const { return wrong_; }

 private:
  void wrong(const char* name) {
    if (wrong_ == nullptr) wrong_ = name;
  }
  simdjson::dom::object object_;
  const char* wrong_ = nullptr;
};

JournalEvent read_event(Members& in, const std::string& kind) {
  if (kind == "intent") {
    CallIntent out;
    out.number = in.required_count("n");
    out.key = in.string("key");
    out.what = in.string("what");
    out.record = in.string("id");
    out.configuration = in.string("configuration");
    out.booked = in.money("booked_usd");
    return out;
  }
  if (kind == "result") {
    CallResult out;
    out.number = in.required_count("n");
    out.answered = in.flag("answered");
    out.charged = in.money("charged_usd");
    out.cost = in.money("cost_usd");
    out.response = in.string("response");
    out.input_tokens = in.count("input_tokens");
    out.output_tokens = in.count("output_tokens");
    out.latency_ms = in.number("latency_ms").value_or(0);
    out.logprob = in.number("logprob");
    out.finish_reason = in.string("finish_reason");
    out.code = in.string("code");
    out.message = in.string("message");
    out.tries = static_cast<int>(std::min<std::uint64_t>(in.required_count("tries"), 1'000));
    return out;
  }
  ScoreNote out;
  out.key = in.string("key");
  out.score = in.number("score");
  out.why = in.string("why");
  return out;
}

tl::unexpected<Error> unusable(const std::string& path, const char* what) {
  return fail(ErrorKind::kInternal, "journal_unusable",
              fmt::format("Cannot {} the journal {}: {}.", what, path, std::strerror(errno)));
}

class FileJournal final : public Journal {
 public:
  FileJournal(std::string path, int descriptor, Replay replay)
      : path_(std::move(path)),
        descriptor_(descriptor),
        state_(std::move(replay.state)),
        torn_(replay.torn) {}
  ~FileJournal() override { ::close(descriptor_); }
  FileJournal(const FileJournal&) = delete;
  FileJournal& operator=(const FileJournal&) = delete;

  const JournalState& state() const override { return state_; }
  bool was_torn() const override { return torn_; }
  Result<> append(const JournalEvent& event) override {
    if (failed_) return fail(*failed_);
    const auto line = journal_line(event);
    for (std::size_t done = 0; done < line.size();) {
      const auto wrote = ::write(descriptor_, line.data() + done, line.size() - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return stay_failed("write");
      done += static_cast<std::size_t>(wrote);
    }
    if (::fdatasync(descriptor_) != 0) return stay_failed("sync");
    return state_.apply(event, path_);
  }

 private:
  /// After half a line nothing may follow: it would be damage instead of a torn end.
  tl::unexpected<Error> stay_failed(const char* what) {
    failed_ = unusable(path_, what).value();
    return fail(*failed_);
  }
  const std::string path_;
  const int descriptor_;
  JournalState state_;
  const bool torn_;
  std::optional<Error> failed_;
};

/// A new name is only safe once its folder is.
void sync_folder_of(const std::string& path) {
  auto folder = std::filesystem::path(path).parent_path();
  if (folder.empty()) folder = ".";
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return;
  ::fsync(descriptor);
  ::close(descriptor);
}

}  // namespace

Result<JournalEvent> parse_journal_line(std::string_view line, const std::string& where) {
  if (line.size() < kChecksumDigits + 1 || line[kChecksumDigits] != ' ')
    return broken(where, "is no line of a journal");
  const auto body = line.substr(kChecksumDigits + 1);
  if (checksum(body) != line.substr(0, kChecksumDigits)) return broken(where, "does not match its checksum");
  // One parser for all lines of a replay: making one costs more than most lines.
  thread_local simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.parse(body.data(), body.size()).get(object)) return broken(where, "is not a JSON object");
  Members members(object);
  const auto kind = members.string("event");
  if (kind != "intent" && kind != "result" && kind != "score")
    return broken(where, "holds an event that this version does not know");
  auto event = read_event(members, kind);
  if (members.wrong() != nullptr)
    return broken(where, std::string("field ") + members.wrong() + " is missing or wrong");
  return event;
}

std::string journal_line(const JournalEvent& event) {
  json::object out;
  if (const auto* intent = std::get_if<CallIntent>(&event)) {
    out = {{"event", "intent"},
           {"n", intent->number},
           {"key", intent->key},
           {"what", intent->what},
           {"id", text(intent->record)},
           {"configuration", text(intent->configuration)},
           {"booked_usd", money(intent->booked)}};
  } else if (const auto* result = std::get_if<CallResult>(&event)) {
    out = {{"event", "result"},
           {"n", result->number},
           {"answered", result->answered},
           {"charged_usd", money(result->charged)},
           {"cost_usd", money(result->cost)},
           {"response", text(result->response)},
           {"input_tokens", number(result->input_tokens)},
           {"output_tokens", number(result->output_tokens)},
           {"latency_ms", result->latency_ms},
           {"logprob", number(result->logprob)},
           {"finish_reason", text(result->finish_reason)},
           {"code", text(result->code)},
           {"message", text(result->message.substr(0, kMessageBytesMax))},
           {"tries", result->tries}};
  } else {
    const auto& note = std::get<ScoreNote>(event);
    out = {{"event", "score"}, {"key", note.key}, {"score", number(note.score)}, {"why", text(note.why)}};
  }
  const auto body = json::serialize(out);
  return checksum(body) + " " + body + "\n";
}

Result<> JournalState::apply(const JournalEvent& event, const std::string& where) {
  if (const auto* intent = std::get_if<CallIntent>(&event)) {
    if (!calls_.emplace(intent->number, Call{*intent, std::nullopt}).second)
      return broken(where, "a number of a call is used twice");
    next_ = std::max(next_, intent->number + 1);
    last_[intent->key] = intent->number;
  } else if (const auto* result = std::get_if<CallResult>(&event)) {
    const auto found = calls_.find(result->number);
    if (found == calls_.end() || found->second.result)
      return broken(where, "a result has no call of its own");
    found->second.result = *result;
    if (result->answered) answered_[found->second.intent.key] = result->number;
  } else {
    const auto& note = std::get<ScoreNote>(event);
    scores_[note.key] = note;
  }
  return {};
}

const CallResult* JournalState::answer(const std::string& key) const {
  const auto found = answered_.find(key);
  return found == answered_.end() ? nullptr : &*calls_.at(found->second).result;
}
const JournalState::Call* JournalState::last_call(const std::string& key) const {
  const auto found = last_.find(key);
  return found == last_.end() ? nullptr : &calls_.at(found->second);
}
const ScoreNote* JournalState::score(const std::string& key) const {
  const auto found = scores_.find(key);
  return found == scores_.end() ? nullptr : &found->second;
}

Result<Replay> replay_journal(std::string_view text, const std::string& name) {
  Replay out;
  std::size_t number = 0;
  while (out.good_bytes < text.size()) {
    const auto where = name + ":" + std::to_string(++number);
    const auto end = text.find('\n', out.good_bytes);
    if (end == std::string_view::npos) {
      out.torn = true;
      break;
    }
    auto event = parse_journal_line(text.substr(out.good_bytes, end - out.good_bytes), where);
    if (!event) {
      // The blocks of a last write may reach the disk in any order, its end before its middle.
      if (end + 1 < text.size()) return fail(event.error());
      out.torn = true;
      break;
    }
    if (auto done = out.state.apply(*event, where); !done) return fail(done.error());
    out.good_bytes = end + 1;
  }
  return out;
}

Result<std::unique_ptr<Journal>> Journal::open(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) return unusable(path, "open");
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    ::close(descriptor);
    return fail(ErrorKind::kCallerInvalid, "journal_in_use",
                "Another process is recording with " + path + "; wait for it, or choose another output.");
  }
  std::string text;
  char block[64 * 1024];
  for (;;) {
    const auto got = ::read(descriptor, block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      auto error = unusable(path, "read");
      ::close(descriptor);
      return error;
    }
    if (got == 0) break;
    text.append(block, static_cast<std::size_t>(got));
  }
  auto replay = replay_journal(text, path);
  if (!replay) {
    ::close(descriptor);
    return fail(replay.error());
  }
  if (replay->torn && ::ftruncate(descriptor, static_cast<off_t>(replay->good_bytes)) != 0) {
    auto error = unusable(path, "cut the torn end of");
    ::close(descriptor);
    return error;
  }
  sync_folder_of(path);
  return std::make_unique<FileJournal>(path, descriptor, std::move(*replay));
}

}  // namespace brevet::record
