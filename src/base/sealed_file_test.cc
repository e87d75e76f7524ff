// Goal: a sealed file gives back what was put in, and anything cut, changed or foreign is refused; a replaced
// file is whole. Method: every byte of a small file changed and every length of it cut.
#include "base/sealed_file.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/test_folder.h"

namespace brevet {
namespace {

TEST(SealedFile, gives_back_head_and_body) {
  const auto bytes = sealed_bytes("brevet-thing", 3, R"({"a":1})", std::string("\n\0x", 3));
  const auto opened = open_sealed(bytes, "brevet-thing", 3);
  ASSERT_TRUE(opened) << opened.error().what;
  EXPECT_EQ(opened->head, R"({"a":1})");
  EXPECT_EQ(opened->body, std::string_view("\n\0x", 3));
}

TEST(SealedFile, refuses_what_was_cut_or_changed_before_the_body) {
  const auto bytes = sealed_bytes("brevet-thing", 3, R"({"a":1})", "");
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_FALSE(open_sealed(std::string_view(bytes).substr(0, cut), "brevet-thing", 3)) << cut;
  }
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto changed = bytes;
    changed[i] ^= 1;
    EXPECT_FALSE(open_sealed(changed, "brevet-thing", 3)) << i;
  }
}

TEST(SealedFile, tells_another_version_from_another_file) {
  const auto bytes = sealed_bytes("brevet-thing", 4, R"({"a":1})", "");
  EXPECT_EQ(open_sealed(bytes, "brevet-thing", 3).error().version, "4");
  EXPECT_TRUE(open_sealed(bytes, "brevet-thin", 4).error().version.empty());
  EXPECT_TRUE(open_sealed(bytes, "brevet-things", 4).error().version.empty());
  EXPECT_TRUE(open_sealed("brevet-thing x\n{}", "brevet-thing", 4).error().version.empty());
}

TEST(SealedFile, replaces_a_file_whole_and_reads_it_with_a_bound) {
  const auto path = test_folder() + "sealed";
  ASSERT_TRUE(replace_file(path, "first, longer"));
  ASSERT_TRUE(replace_file(path, "second"));
  EXPECT_EQ(read_whole_file(path, 6).value(), "second");
  EXPECT_FALSE(read_whole_file(path, 5));
  EXPECT_FALSE(read_whole_file(path + "/none", 5));
  EXPECT_FALSE(replace_file(test_folder() + "no/such/folder", "x"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(test_folder()), {}), 1) << "nothing left over";
}

}  // namespace
}  // namespace brevet
