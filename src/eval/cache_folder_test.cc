// Goal: what evaluations keep stays within its bounds, oldest first, nothing foreign is touched, and the last
// of several users alone clears up. Method: made files with made ages; users in one process, whose locks are
// as apart as those of two.
#include "eval/cache_folder.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/temporary_name.h"
#include "base/test_folder.h"

namespace brevet {
namespace {

namespace fs = std::filesystem;

class CacheFolder : public testing::Test {
 protected:
  CacheFolder() : folder_(fs::path(test_folder()) / "cache_folder") {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~CacheFolder() override { fs::remove_all(folder_); }
  void put(const std::string& name, std::size_t bytes, std::chrono::hours age) {
    std::ofstream(folder_ / name) << std::string(bytes, 'x');
    fs::last_write_time(folder_ / name, fs::file_time_type::clock::now() - age);
  }
  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_)) out.insert(entry.path().filename());
    return out;
  }
  const fs::path folder_;
};

const std::string kList = "neighbours-0123456789abcdef.bin";
const std::string kOtherList = "neighbours-fedcba9876543210.bin";
const std::string kStream = std::string(32, 'a') + ".stream";
const std::string kOtherStream = std::string(32, 'b') + ".stream";
using std::chrono::hours;

TEST_F(CacheFolder, TheOldestGoFirstUntilTheRestFits) {
  put(kList, 400, hours(1));
  put(kOtherList, 400, hours(5));
  put(kStream, 400, hours(3));
  put(kOtherStream, 400, hours(9));
  const auto trimmed = trim_cache(folder_, {1000, hours(100), hours(1)});
  EXPECT_EQ(trimmed.files, 2U);
  EXPECT_EQ(trimmed.bytes, 800U);
  EXPECT_EQ(names(), (std::set<std::string>{kList, kStream}));
  EXPECT_EQ(trim_cache(folder_, {1000, hours(100), hours(1)}).files, 0U);
}

TEST_F(CacheFolder, WhatIsTooOldGoesHoweverSmall) {
  put(kList, 10, hours(101));
  put(kStream, 10, hours(99));
  EXPECT_EQ(trim_cache(folder_, {1000, hours(100), hours(1)}).files, 1U);
  EXPECT_EQ(names(), std::set<std::string>{kStream});
}

TEST_F(CacheFolder, UnfinishedFilesAreLeftToTheirWritersForAWhile) {
  const auto young = fs::path(temporary_name(kStream)).filename().string();
  const auto old = fs::path(temporary_name(kList)).filename().string();
  ASSERT_NE(young, old);
  put(young, 5000, hours(0));
  put(old, 10, hours(2));
  put(kStream + ".part", 10, hours(2));
  trim_cache(folder_, {1000, hours(100), hours(1)});
  EXPECT_EQ(names(), std::set<std::string>{young});
}

TEST_F(CacheFolder, ForeignFilesAreNobodysToRemove) {
  const std::set<std::string> foreign = {
      "notes.txt",           "embeddings-0123456789abcdef.bin", "a.stream",
      "neighbours-mine.bin", std::string(32, 'z') + ".stream",  kStream + ".kept",
      "thesis.part"};
  for (const auto& name : foreign) put(name, 5000, hours(10'000));
  fs::create_directories(folder_ / (std::string(32, 'c') + ".stream"));
  EXPECT_EQ(trim_cache(folder_, {0, hours(1), hours(1)}).files, 0U);
  EXPECT_EQ(names().size(), foreign.size() + 1);
  EXPECT_EQ(trim_cache((folder_ / "none").string()).files, 0U);
}

TEST_F(CacheFolder, OnlyTheLastUserIsAlone) {
  auto first = FolderUse::take(folder_).value();
  auto second = FolderUse::take(folder_).value();
  EXPECT_FALSE(first->alone());
  EXPECT_FALSE(second->alone()) << "a failed try keeps the hold";
  first.reset();
  EXPECT_TRUE(second->alone());
  second.reset();
  EXPECT_TRUE(names().empty()) << "the last one leaves nothing behind";
  EXPECT_TRUE(FolderUse::take(folder_).value()->alone());
  std::ofstream(folder_ / "file") << "x";
  EXPECT_EQ(FolderUse::take((folder_ / "file").string()).error().code, "work_folder_unusable");
}

}  // namespace
}  // namespace brevet
