#include "eval/streams.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <mutex>
#include <thread>

#include "base/random.h"
#include "base/temporary_name.h"

namespace brevet {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();
constexpr char kMagic[8] = {'b', 'r', 'v', 't', 's', 't', '0', '3'};

class Writer {
 public:
  template <class T>
  void number(T value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  template <class T>
  void list(const std::vector<T>& values) {
    number<std::uint64_t>(values.size());
    out.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
  }
  void texts(const std::vector<std::string>& values) {
    number<std::uint64_t>(values.size());
    for (const auto& text : values) {
      number<std::uint64_t>(text.size());
      out += text;
    }
  }
  std::string out;
};

class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  template <class T>
  void number(T& value) {
    take(&value, sizeof(value));
  }
  template <class T>
  void list(std::vector<T>& values) {
    std::uint64_t count = 0;
    number(count);
    if (count > rest_.size() / sizeof(T)) good = false;
    if (!good) return;
    values.resize(count);
    take(values.data(), count * sizeof(T));
  }
  void texts(std::vector<std::string>& values) {
    std::uint64_t count = 0;
    number(count);
    for (std::uint64_t i = 0; good && i < count; ++i) {
      std::uint64_t size = 0;
      number(size);
      if (size > rest_.size()) good = false;
      if (!good) return;
      values.emplace_back(rest_.substr(0, size));
      rest_.remove_prefix(size);
    }
  }
  bool good = true;

 private:
  void take(void* to, std::size_t size) {
    if (size > rest_.size()) good = false;
    if (!good || size == 0) return;  // memcpy takes no null, not even for nothing
    std::memcpy(to, rest_.data(), size);
    rest_.remove_prefix(size);
  }
  std::string_view rest_;
};

/// One order of fields for both directions.
template <class Archive, class S>
void each_field(Archive& archive, S& stream) {
  for (auto* list : {&stream.count, &stream.strong}) archive.list(*list);
  for (auto* list : {&stream.quality, &stream.cost, &stream.learning, &stream.p_agree}) archive.list(*list);
  archive.list(stream.marks);
  for (auto* number : {&stream.requests, &stream.failed, &stream.shadows, &stream.cannot_tell,
                       &stream.guide_calls, &stream.judge_calls})
    archive.number(*number);
  archive.texts(stream.reasons);
  archive.number(stream.decide_p50_ms);
  archive.number(stream.decide_p99_ms);
  archive.number(stream.seconds);
}

std::filesystem::path path_of(const StreamTask& task, const std::string& folder) {
  return std::filesystem::path(folder) / (sha256_hex(task.key).substr(0, 32) + ".stream");
}

std::optional<Stream> kept_stream(const StreamTask& task, const std::string& folder) {
  if (folder.empty() || task.key.empty()) return std::nullopt;
  std::ifstream in(path_of(task, folder), std::ios::binary);
  if (!in) return std::nullopt;
  const std::string bytes((std::istreambuf_iterator<char>(in)), {});
  std::uint64_t check = 0;
  if (bytes.size() < sizeof(kMagic) + sizeof(check) || std::memcmp(bytes.data(), kMagic, sizeof(kMagic)) != 0)
    return std::nullopt;
  std::memcpy(&check, bytes.data() + sizeof(kMagic), sizeof(check));
  const auto body = std::string_view(bytes).substr(sizeof(kMagic) + sizeof(check));
  if (hash_bytes(body) != check) return std::nullopt;
  Reader reader(body);
  Stream out;
  each_field(reader, out);
  if (!reader.good || out.quality.size() != task.questions->size()) return std::nullopt;
  return out;
}

void keep_stream(const StreamTask& task, const Stream& stream, const std::string& folder) {
  if (folder.empty() || task.key.empty()) return;
  Writer writer;
  each_field(writer, stream);
  const auto path = path_of(task, folder);
  const auto half = temporary_name(path.string());
  std::error_code ignored;
  {
    std::ofstream out(half, std::ios::binary | std::ios::trunc);
    const std::uint64_t check = hash_bytes(writer.out);
    out.write(kMagic, sizeof(kMagic));
    out.write(reinterpret_cast<const char*>(&check), sizeof(check));
    out.write(writer.out.data(), static_cast<std::streamsize>(writer.out.size()));
    if (!out.flush()) {  // a full disk costs the resumption, not the run
      std::filesystem::remove(half, ignored);
      return;
    }
  }
  std::filesystem::rename(half, path, ignored);
}

}  // namespace

Stream summarise_stream(const StreamTask& task, const ReplayResult& result) {
  Stream out;
  const auto& set = *task.set;
  const auto& questions = *task.questions;
  constexpr auto kNotAmong = static_cast<std::size_t>(-1);
  std::vector<std::size_t> place(set.size(), kNotAmong);
  for (std::size_t i = 0; i < questions.size(); ++i) place[questions[i]] = i;
  for (auto* list : {&out.count, &out.strong}) list->assign(questions.size(), 0);
  for (auto* list : {&out.quality, &out.cost, &out.learning}) list->assign(questions.size(), 0);
  if (task.keep_p_agree) out.p_agree.assign(questions.size(), kUnknown);
  if (!result.reasons.empty()) out.reasons.resize(questions.size());
  StreamMark mark;
  for (std::size_t i = 0; i < result.requests.size(); ++i) {
    const auto& request = result.requests[i];
    const double is_strong = request.served == ServedBy::kStrong ? 1 : 0;
    const auto reference = set.cost(request.question, task.plan.strong);
    mark.quality += request.quality;
    mark.strong_share += is_strong;
    mark.cost += request.cost_usd.value_or(kUnknown);
    mark.cost_with_learning += request.cost_usd.value_or(kUnknown) + request.learning_usd.value_or(kUnknown);
    mark.strong_cost += reference.amount ? reference.amount->usd() : kUnknown;
    ++mark.requests;
    if (mark.requests == 1'000 || mark.requests == 5'000 || i + 1 == result.requests.size()) {
      auto mean = mark;
      mean.quality /= static_cast<double>(mark.requests);
      mean.strong_share /= static_cast<double>(mark.requests);
      out.marks.push_back(mean);
    }
    const auto at = place[request.question];
    if (at == kNotAmong) continue;
    if (out.count[at] == 0) {
      if (!out.reasons.empty()) out.reasons[at] = result.reasons[i];
      if (request.p_agree && task.keep_p_agree) out.p_agree[at] = static_cast<double>(*request.p_agree);
    }
    ++out.count[at];
    out.quality[at] += request.quality;
    if (request.served == ServedBy::kStrong) ++out.strong[at];
    out.cost[at] += request.cost_usd.value_or(kUnknown);
    out.learning[at] += request.learning_usd.value_or(kUnknown);
  }
  out.requests = result.requests.size();
  out.failed = result.failed;
  out.shadows = result.shadows;
  out.cannot_tell = result.cannot_tell;
  out.guide_calls = result.guide_calls;
  out.judge_calls = result.judge_calls;
  std::vector<double> times(result.decide_ms.begin(), result.decide_ms.end());
  out.decide_p50_ms = static_cast<float>(quantile(times, .5).value_or(0));
  out.decide_p99_ms = static_cast<float>(quantile(times, .99).value_or(0));
  return out;
}

void forget_streams(const std::vector<StreamTask>& tasks, const std::string& work_folder) {
  if (work_folder.empty()) return;
  std::error_code ignored;
  for (const auto& task : tasks) std::filesystem::remove(path_of(task, work_folder), ignored);
}

Result<std::vector<Stream>> run_streams(const std::vector<StreamTask>& tasks, const StreamOptions& options) {
  if (!options.work_folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(options.work_folder, failed);
    if (failed) {
      return fail(ErrorKind::kCallerInvalid, "work_folder_unusable",
                  "Cannot make the folder " + options.work_folder + ": " + failed.message() + ".", "work");
    }
  }
  std::vector<Stream> out(tasks.size());
  std::atomic<std::size_t> next{0};
  std::atomic<bool> ended{false};
  std::mutex mutex;
  std::size_t done = 0;        // guarded by mutex
  std::size_t computed = 0;    // guarded by mutex
  std::optional<Error> error;  // guarded by mutex
  const auto started = std::chrono::steady_clock::now();
  const auto work = [&] {
    for (std::size_t i = next++; i < tasks.size() && !ended; i = next++) {
      const auto& task = tasks[i];
      if (options.stop && options.stop()) {
        std::lock_guard lock(mutex);
        if (!error) {
          error = Error{ErrorKind::kCancelled, "interrupted",
                        options.work_folder.empty()
                            ? "Interrupted; name a work folder to keep what was finished."
                            : "Interrupted; what was finished is kept in " + options.work_folder +
                                  ", and the same command goes on from there.",
                        ""};
        }
        ended = true;
        return;
      }
      auto kept = kept_stream(task, options.work_folder);
      const bool fresh = !kept;
      if (fresh) {
        const auto begun = std::chrono::steady_clock::now();
        auto plan = task.plan;
        plan.requests = *task.order;
        auto result = replay(*task.set, plan);
        if (!result) {
          std::lock_guard lock(mutex);
          if (!error) error = result.error();
          ended = true;
          return;
        }
        kept = summarise_stream(task, *result);
        kept->seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
        keep_stream(task, *kept, options.work_folder);
      }
      out[i] = *std::move(kept);
      std::lock_guard lock(mutex);
      ++done;
      computed += fresh ? 1 : 0;
      if (!options.progress) continue;
      const double seconds =
          std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
      std::optional<double> left;
      if (computed > 0)
        left = seconds / static_cast<double>(computed) * static_cast<double>(tasks.size() - done);
      options.progress(done, tasks.size(), left);
    }
  };
  std::vector<std::thread> others;
  for (int i = 1; i < options.threads; ++i) others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  if (error) return fail(*error);
  return out;
}

}  // namespace brevet
