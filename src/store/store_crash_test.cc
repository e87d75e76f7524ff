// Goal: kill -9 loses nothing acknowledged and leaves no half batch. Method: a child process commits for 64
// client threads through one writer and acknowledges ids over a pipe after their commit; the parent kills it
// at seeded random points, opens the file again, checks its integrity, that every acknowledged id is there
// with all that belongs to it, and that each batch is there whole or not at all. All rounds use the same
// file, so recovery is recovered from too.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/json.hpp>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/bounded_queue.h"
#include "store/passed_block.h"
#include "store/sqlite_connection.h"
#include "store/store.h"

namespace brevet {
namespace {

constexpr int kClients = 64;
constexpr int kRounds = 40;

/// One client's write: a decision and, under the same number, a skill, an outcome and feedback.
struct Item {
  std::uint64_t number = 0;
  std::atomic<bool>* done = nullptr;
};

/// Never returns: works until it is killed.
[[noreturn]] void child(const std::string& path, int acknowledgements, std::uint64_t first) {
  auto opened = open_store({path, Microseconds{0}});
  if (!opened) ::_exit(3);
  Store& store = **opened;
  BoundedQueue<Item> queue(kClients);
  std::atomic<std::uint64_t> next{first};
  std::mutex mutex;
  std::condition_variable committed;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([&] {
      std::atomic<bool> done{false};
      while (true) {
        done = false;
        if (!queue.try_push({next++, &done})) ::_exit(4);
        std::unique_lock lock(mutex);
        committed.wait(lock, [&] { return done.load(); });
      }
    });
  }
  const auto embedding = std::make_shared<Embedding>(384, 0.05F);
  while (true) {
    auto items = queue.pop_batch(kClients);
    WriteBatch batch;
    const std::string name = "batch_" + std::to_string(items.front().number);
    for (const auto& item : items) {
      const std::string hash = std::to_string(item.number);
      auto decision = std::make_shared<Decision>();
      decision->id = "dec_" + hash;
      decision->time = Instant{Microseconds{static_cast<std::int64_t>(item.number)}};
      decision->tags = name;
      batch.decisions.push_back(decision);
      const Partition partition{"t" + std::to_string(item.number % 5), "enc", "weak", "strong", ""};
      Skill skill;
      skill.id = item.number;
      skill.request_hash = hash;
      skill.embedding = embedding;
      batch.skills.push_back({partition, skill});
      StoredOutcome outcome;
      outcome.id = item.number;
      outcome.partition = partition;
      outcome.request_hash = hash;
      outcome.embedding = embedding;
      batch.outcomes.push_back(outcome);
      batch.feedback.push_back({decision->id, "default", 1.0, "", {}});
      char id[40];
      std::snprintf(id, sizeof id, "dec_%026llu", static_cast<unsigned long long>(item.number));
      batch.passed.push_back({id, decision->time, "default", name});
    }
    batch.settings.emplace_back(name, std::to_string(items.size()));
    if (!store.commit(batch)) ::_exit(5);
    for (const auto& item : items) {
      // Below PIPE_BUF, so an acknowledgement is written whole or not at all.
      if (::write(acknowledgements, &item.number, sizeof item.number) != sizeof item.number) ::_exit(6);
    }
    std::lock_guard lock(mutex);
    for (const auto& item : items) item.done->store(true);
    committed.notify_all();
  }
}

TEST(StoreCrash, KilledAtRandomPointsLosesNothingAcknowledged) {
  std::string folder = (std::filesystem::temp_directory_path() / "brevet-crash-XXXXXX").string();
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const std::string path = folder + "/brevet.db";
  std::mt19937 random(20241117);
  std::set<std::uint64_t> acknowledged;
  std::uint64_t first = 1;
  std::size_t batches_found = 0;
  std::size_t unacknowledged_found = 0;
  for (int round = 0; round < kRounds; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    const pid_t pid = ::fork();
    ASSERT_GE(pid, 0);
    if (pid == 0) {
      ::close(ends[0]);
      child(path, ends[1], first);
    }
    ::close(ends[1]);
    // The kill comes after a random number of acknowledgements and a random part of the next batch's time, so
    // that it falls on every stage of a commit.
    const std::size_t wanted = random() % 400;
    std::size_t got = 0;
    std::uint64_t number = 0;
    while (got < wanted && ::read(ends[0], &number, sizeof number) == sizeof number) {
      acknowledged.insert(number);
      ++got;
    }
    ASSERT_EQ(got, wanted) << "the child ended by itself";
    const timespec delay{0, static_cast<long>(random() % 3'000'000)};
    ::nanosleep(&delay, nullptr);
    ASSERT_EQ(::kill(pid, SIGKILL), 0);
    while (::read(ends[0], &number, sizeof number) == sizeof number) acknowledged.insert(number);
    ::close(ends[0]);
    int status = 0;
    ASSERT_EQ(::waitpid(pid, &status, 0), pid);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << "exit status " << WEXITSTATUS(status);

    auto opened = open_store({path, Microseconds{0}});
    ASSERT_TRUE(opened) << "round " << round << ": " << opened.error().message;
    auto connection = Connection::open(path).value();
    auto check = connection->prepare("PRAGMA integrity_check").value();
    ASSERT_TRUE(check.step());
    ASSERT_EQ(check.text(0), "ok") << "round " << round;
    ASSERT_TRUE(check.finish());

    std::set<std::uint64_t> skills;
    std::set<std::uint64_t> outcomes;
    ASSERT_TRUE((*opened)->load({[&](StoredSkill s) { skills.insert(s.skill.id); }, nullptr,
                                 [&](StoredOutcome o) { outcomes.insert(o.id); }}));
    std::set<std::uint64_t> decisions;
    std::map<std::string, std::size_t> batch_rows;
    auto rows =
        connection
            ->prepare(
                "SELECT json, (SELECT count(*) FROM feedback WHERE decision_id=decisions.id) FROM decisions")
            .value();
    while (rows.step()) {
      const auto json = boost::json::parse(rows.text(0)).as_object();
      decisions.insert(std::stoull(std::string(json.at("id").as_string()).substr(4)));
      ++batch_rows[std::string(json.at("tags").as_string())];
      ASSERT_EQ(rows.integer(1), 1);
    }
    ASSERT_TRUE(rows.finish());
    std::set<std::uint64_t> passed;
    std::map<std::string, std::size_t> passed_rows;
    auto blocks = connection->prepare("SELECT rows FROM passed").value();
    while (blocks.step()) {
      ASSERT_TRUE(read_passed_block(blocks.text(0), [&](const PassedRow& row) {
        passed.insert(std::stoull(row.id.substr(4)));
        ++passed_rows[row.record];
        return true;
      }));
    }
    ASSERT_TRUE(blocks.finish());
    ASSERT_EQ(passed, decisions);
    ASSERT_EQ(passed_rows, batch_rows);
    for (const auto id : acknowledged) {
      ASSERT_TRUE(decisions.contains(id)) << "round " << round << " lost acknowledged " << id;
    }
    ASSERT_EQ(skills, decisions);
    ASSERT_EQ(outcomes, decisions);
    for (const auto& [name, count] : batch_rows) {
      ASSERT_EQ((*opened)->setting(name).value(), std::to_string(count)) << "half a batch in round " << round;
    }
    batches_found = batch_rows.size();
    unacknowledged_found = decisions.size() - acknowledged.size();
    first = std::max(first, decisions.empty() ? 0 : *decisions.rbegin() + 1);
    first = std::max(first, acknowledged.empty() ? 0 : *acknowledged.rbegin() + 1);
  }
  // The test is only worth something when commits were really cut.
  EXPECT_GT(acknowledged.size(), 1'000U);
  EXPECT_GT(batches_found, static_cast<std::size_t>(kRounds));
  std::printf("%d kills, %zu acknowledged, %zu committed and not yet acknowledged, %zu batches\n", kRounds,
              acknowledged.size(), unacknowledged_found, batches_found);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace brevet
