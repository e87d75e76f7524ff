// What it costs to keep a decision: CPU of the record's JSON and of its commit, by batch size, on disk.
//
// store_bench [FOLDER]: a database is made there (default /tmp) and deleted again. One decision is that of a
// request that names its model, as pass-through makes it.
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/clock.h"
#include "store/decision_json.h"
#include "store/store.h"

namespace {

using namespace brevet;

double cpu_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

std::shared_ptr<const Decision> passed(std::uint64_t number) {
  auto out = std::make_shared<Decision>();
  char id[40];
  // Eight digits of time, then what tells apart those of one half second; 10,000 requests/s.
  std::snprintf(id, sizeof id, "dec_%08llu%018llu", static_cast<unsigned long long>(number / 5'000),
                static_cast<unsigned long long>(number));
  out->id = id;
  out->number = number;
  out->time = system_clock().now();
  out->reason = {"named_model", "The request names this model."};
  out->steps = {out->reason};
  out->learn = false;
  out->accepted = 0;
  Attempt attempt;
  attempt.configuration.model = "gpt-4.1-mini";
  attempt.state = AttemptState::kDone;
  Answer answer;
  answer.body = std::string(900, 'x');
  answer.text = std::string(600, 'x');
  answer.finish_reason = "stop";
  answer.returned_model = "gpt-4.1-mini-2025-04-14";
  answer.usage.input_tokens = 200;
  answer.usage.output_tokens = 130;
  attempt.answer = std::move(answer);
  attempt.cost = {Money{108'000'000}, CostBasis::kPriced};
  attempt.latency = Microseconds(1234);
  out->attempts.push_back(std::move(attempt));
  out->cost = {Money{108'000'000}, CostBasis::kPriced};
  out->latency = Microseconds(1300);
  out->overhead = Microseconds(66);
  return out;
}

}  // namespace

int main(int count, char** arguments) {
  constexpr std::size_t kDecisions = 50'000;
  std::vector<std::shared_ptr<const Decision>> decisions;
  for (std::size_t i = 0; i < kDecisions; ++i) decisions.push_back(passed(i + 1));
  double begin = cpu_seconds();
  std::size_t bytes = 0;
  for (const auto& decision : decisions) bytes += decision_json(*decision).size();
  std::printf("record as JSON: %.2f us, %zu bytes\n", (cpu_seconds() - begin) * 1e6 / kDecisions,
              bytes / kDecisions);
  for (const std::size_t batch_size : {std::size_t{1}, std::size_t{16}, std::size_t{256}}) {
    const std::string path = std::string(count > 1 ? arguments[1] : "/tmp") + "/brevet-store-bench.db";
    const auto remove = [&] {
      for (const char* end : {"", "-wal", "-shm", ".lock"}) ::unlink((path + end).c_str());
    };
    remove();
    StoreOptions options;
    options.path = path;
    auto store = open_store(options);
    if (!store) return std::fprintf(stderr, "%s\n", store.error().message.c_str()), 1;
    const std::size_t most = batch_size == 1 ? 2'000 : kDecisions;
    begin = cpu_seconds();
    const auto wall = std::chrono::steady_clock::now();
    for (std::size_t i = 0; i < most; i += batch_size) {
      WriteBatch batch;
      for (std::size_t k = i; k < std::min(i + batch_size, most); ++k) {
        // As the learner hands it over; making the short form is part of the cost.
        if (!passed_row(*decisions[k], batch.passed.emplace_back()))
          return std::fprintf(stderr, "not a short form\n"), 1;
      }
      if (auto done = (*store)->commit(batch); !done)
        return std::fprintf(stderr, "%s\n", done.error().message.c_str()), 1;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - wall;
    std::printf("commit in batches of %zu: %.2f us of CPU a decision, %.0f decisions/s\n", batch_size,
                (cpu_seconds() - begin) * 1e6 / static_cast<double>(most),
                static_cast<double>(most) / took.count());
    store->reset();
    remove();
  }
  return 0;
}
