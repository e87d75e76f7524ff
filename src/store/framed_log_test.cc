// Goal: what was appended is read back to the byte, a torn end is cut off and counted, damage elsewhere is
// refused. Method: real files in a folder of this test, cut at every byte and with every bit flipped; a file
// that refuses to grow and to shrink; replacing and opening at the same time.
#include "store/framed_log.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/test_folder.h"

namespace brevet {
namespace {

constexpr const char* kMagic = "BREVET-TEST 1\n";
constexpr std::size_t kHead = 12;

std::string fresh(const std::string& name) {
  auto path = test_folder() + name;
  std::filesystem::remove(path);
  return path;
}
std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}
void put(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}
const std::vector<std::string> kRecords = {"one", "", std::string("two\0and", 7), std::string(3000, 'x')};

void fill(const std::string& path) {
  auto opened = FramedLog::open(path, kMagic);
  ASSERT_TRUE(opened) << opened.error().message;
  for (const auto& record : kRecords) ASSERT_TRUE(opened->log->append(record));
}

TEST(FramedLog, ReadsBackWhatWasAppended) {
  const auto path = fresh("whole.log");
  fill(path);
  auto again = FramedLog::open(path, kMagic);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->records, kRecords);
  EXPECT_EQ(again->torn_bytes, 0U);
  EXPECT_EQ(again->log->bytes(), bytes_of(path).size());
  ASSERT_TRUE(again->log->append("three"));
  again->log.reset();
  EXPECT_EQ(FramedLog::open(path, kMagic)->records.size(), kRecords.size() + 1);
}

TEST(FramedLog, ATornEndIsCutOffAndCounted) {
  const auto path = fresh("torn.log");
  fill(path);
  const auto whole = bytes_of(path);
  const auto last = whole.size() - 3000 - kHead;
  for (const auto cut : {last, last + 1, last + 11, last + 12, last + 13, whole.size() - 1}) {
    put(path, whole.substr(0, cut));
    auto opened = FramedLog::open(path, kMagic);
    ASSERT_TRUE(opened) << cut;
    EXPECT_EQ(opened->records.size(), kRecords.size() - 1) << cut;
    EXPECT_EQ(opened->torn_bytes, cut - last) << cut;
    ASSERT_TRUE(opened->log->append("after"));
    opened->log.reset();
    auto again = FramedLog::open(path, kMagic);
    ASSERT_TRUE(again);
    EXPECT_EQ(again->records.back(), "after");
    EXPECT_EQ(again->torn_bytes, 0U);
  }
}

TEST(FramedLog, AFileCutAnywhereOpens) {
  const auto path = fresh("anywhere.log");
  auto opened = FramedLog::open(path, kMagic);
  for (const auto* record : {"a", "bb", "ccc"}) ASSERT_TRUE(opened->log->append(record));
  opened->log.reset();
  const auto whole = bytes_of(path);
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    put(path, whole.substr(0, cut));
    EXPECT_TRUE(FramedLog::open(path, kMagic)) << cut;
  }
}

TEST(FramedLog, AFlippedBitAnywhereIsRefusedAndNothingIsCutOff) {
  const auto path = fresh("damaged.log");
  auto made = FramedLog::open(path, kMagic);
  for (const auto* record : {"one", "", "three"}) ASSERT_TRUE(made->log->append(record));
  made->log.reset();
  const auto whole = bytes_of(path);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      auto bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << bit));
      put(path, bytes);
      auto opened = FramedLog::open(path, kMagic);
      ASSERT_FALSE(opened) << at << " " << bit;
      EXPECT_EQ(opened.error().code, at < std::string(kMagic).size() ? "log_foreign" : "log_damaged") << at;
      EXPECT_EQ(bytes_of(path), bytes) << at;
    }
  }
}

TEST(FramedLog, AfterHalfARecordThatCannotBeTakenBackNothingIsAppended) {
  const int file = ::memfd_create("framed-log", MFD_ALLOW_SEALING | MFD_CLOEXEC);
  ASSERT_GE(file, 0);
  const auto path = "/proc/self/fd/" + std::to_string(file);
  auto opened = FramedLog::open(path, kMagic);
  ASSERT_TRUE(opened) << opened.error().message;
  ASSERT_TRUE(opened->log->append("before"));
  // Half a record is written, as on a full disk, and the file cannot be made shorter again.
  ASSERT_EQ(::fcntl(file, F_ADD_SEALS, F_SEAL_SHRINK), 0);
  const auto before = std::signal(SIGXFSZ, SIG_IGN);
  rlimit usual{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &usual), 0);
  rlimit small = usual;
  small.rlim_cur = opened->log->bytes() + 20;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto half = opened->log->append(std::string(100, 'x'));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &usual), 0);
  std::signal(SIGXFSZ, before);
  ASSERT_FALSE(half);
  const auto next = opened->log->append("after");
  ASSERT_FALSE(next) << "it would stand behind half a record";
  EXPECT_EQ(next.error().code, "log_write_failed");
  opened->log.reset();
  ::close(file);
}

TEST(FramedLog, NobodyGetsTheOldFileWhileItIsReplaced) {
  const auto path = fresh("raced.log");
  auto holder = FramedLog::open(path, kMagic);
  ASSERT_TRUE(holder);
  std::atomic<bool> done = false;
  std::thread replacing([&] {
    for (int i = 0; i < 300; ++i) EXPECT_TRUE(holder->log->replace({"checkpoint"}));
    done = true;
  });
  int got = 0;
  while (!done) got += FramedLog::open(path, kMagic).has_value();
  replacing.join();
  EXPECT_EQ(got, 0) << "its records would be lost with the file";
}

TEST(FramedLog, AForeignFileIsLeftAlone) {
  const auto path = fresh("foreign.log");
  put(path, "Dear diary, today nothing happened.\n");
  auto opened = FramedLog::open(path, kMagic);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "log_foreign");
  EXPECT_EQ(bytes_of(path), "Dear diary, today nothing happened.\n");
}

TEST(FramedLog, OneProcessAtATime) {
  const auto path = fresh("locked.log");
  auto first = FramedLog::open(path, kMagic);
  ASSERT_TRUE(first);
  auto second = FramedLog::open(path, kMagic);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "log_locked");
  ASSERT_TRUE(first->log->replace({"new"}));
  EXPECT_FALSE(FramedLog::open(path, kMagic)) << "also after the file was replaced";
}

TEST(FramedLog, ReplacingLeavesOnlyWhatWasGiven) {
  const auto path = fresh("replaced.log");
  fill(path);
  auto opened = FramedLog::open(path, kMagic);
  ASSERT_TRUE(opened->log->replace({"checkpoint"}));
  ASSERT_TRUE(opened->log->append("next"));
  EXPECT_EQ(opened->log->bytes(), bytes_of(path).size());
  opened->log.reset();
  EXPECT_EQ(FramedLog::open(path, kMagic)->records, (std::vector<std::string>{"checkpoint", "next"}));
}

TEST(FramedLog, AFailedWriteLeavesTheFileAsItWas) {
  const auto path = fresh("large.log");
  auto opened = FramedLog::open(path, kMagic);
  const auto before = bytes_of(path);
  auto done = opened->log->append(std::string(kFrameBytesMax + 1, 'x'));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, "log_record_too_large");
  EXPECT_EQ(bytes_of(path), before);
}

}  // namespace
}  // namespace brevet
