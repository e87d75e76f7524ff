// Goal: a router file comes back as it was written, and one that was cut, changed or made elsewhere is
// refused with a sentence. Method: every prefix of a small file, every bit of it flipped, and files whose
// hashes are right and whose contents are absurd.
#include "router/artefact.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/test_folder.h"

namespace brevet {
namespace {

using ::testing::HasSubstr;

Artefact small() {
  Artefact out;
  auto& info = out.info;
  info.kind = "mf";
  info.configurations = {"weak", "strong"};
  info.encoder_hash = "abc";
  info.lexical_version = 1;
  info.data_hash = "def";
  info.command = "brevet train mf --data 'a b.jsonl'";
  info.created = "2026-01-02T03:04:05Z";
  info.fitted = 1500;
  info.seed = 18'446'744'073'709'551'615U;
  info.mean_cost_usd = {.000123, std::nan("")};
  info.measured = {{"apgr", .61}, {"n", 1500}};
  out.tensors["a"] = {{2, 3}, {1, 2, 3, -4, 5e-20F, 6}};
  out.tensors["b.none"] = {{4, 0}, {}};
  out.tensors["c"] = {{}, {7}};
  return out;
}

/// `line` sealed with the hashes that fit it; "@" stands for the hash of the numbers.
std::string sealed(std::string line, const std::string& numbers) {
  const auto mark = line.find('@');
  if (mark != std::string::npos) line.replace(mark, 1, sha256_hex(numbers));
  const auto seal = sha256_hex(line);
  line.pop_back();
  return "brevet-router 1\n" + line + R"(,"line_sha256":")" + seal + "\"}\n" + numbers;
}

std::string line_with(const std::string& tensors) {
  return R"({"kind":"mf","configurations":["w","s"],"encoder_hash":"e","lexical_version":0,"data_hash":"d",)"
         R"("command":"c","created":"t","fitted":1,"seed":1,"mean_cost_usd":[],"measured":[],"tensors":)" +
         tensors + R"(,"numbers_sha256":"@"})";
}

TEST(Artefact, ComesBackAsItWasWritten) {
  const auto made = small();
  const auto path = test_folder() + "router";
  const auto hash = write_artefact(made, path);
  ASSERT_TRUE(hash) << hash.error().message;
  const auto read = read_artefact(path);
  ASSERT_TRUE(read) << read.error().message;
  const auto& info = (*read)->info;
  EXPECT_EQ((*read)->hash, *hash);
  EXPECT_EQ(info.kind, "mf");
  EXPECT_EQ(info.configurations, made.info.configurations);
  EXPECT_EQ(info.command, made.info.command);
  EXPECT_EQ(info.seed, made.info.seed);
  EXPECT_EQ(info.fitted, 1500u);
  ASSERT_EQ(info.mean_cost_usd.size(), 2u);
  EXPECT_DOUBLE_EQ(info.mean_cost_usd[0], .000123);
  EXPECT_TRUE(std::isnan(info.mean_cost_usd[1])) << "unknown stays unknown";
  EXPECT_EQ(info.measured, made.info.measured);
  ASSERT_EQ((*read)->tensors.size(), 3u);
  for (const auto& [name, tensor] : made.tensors) {
    EXPECT_EQ((*read)->tensors.at(name).shape, tensor.shape);
    EXPECT_EQ((*read)->tensors.at(name).values, tensor.values);
  }
  EXPECT_EQ(artefact_bytes(**read), artefact_bytes(made)) << "same contents, same file";
  for (const auto& entry : std::filesystem::directory_iterator(test_folder())) {
    EXPECT_THAT(entry.path().string(), ::testing::Not(HasSubstr(".tmp")));
  }
}

TEST(Artefact, EveryCutIsRefused) {
  const auto bytes = artefact_bytes(small());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto read = parse_artefact(std::string_view(bytes).substr(0, size), "cut");
    ASSERT_FALSE(read) << size;
    ASSERT_EQ(read.error().code, "router_corrupt") << size;
    ASSERT_THAT(read.error().message, HasSubstr("cut is not a whole router file"));
  }
  EXPECT_FALSE(parse_artefact(bytes + "x", "longer"));
}

TEST(Artefact, EveryFlippedBitIsRefused) {
  auto bytes = artefact_bytes(small());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
      const auto read = parse_artefact(bytes, "flipped");
      ASSERT_FALSE(read) << i << "." << bit;
      ASSERT_TRUE(read.error().code == "router_corrupt" || read.error().code == "router_version");
      bytes[i] = static_cast<char>(bytes[i] ^ (1 << bit));
    }
  }
  EXPECT_TRUE(parse_artefact(bytes, "whole"));
}

TEST(Artefact, AnotherVersionIsRefusedAsSuch) {
  auto bytes = artefact_bytes(small());
  bytes.replace(bytes.find('1'), 1, "2");
  const auto read = parse_artefact(bytes, "new.router");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "router_version");
  EXPECT_THAT(read.error().message, HasSubstr("new.router is a router file of version 2"));
}

TEST(Artefact, AbsurdContentsWithRightHashesAreRefused) {
  const std::string six(24, '\0');
  ASSERT_TRUE(parse_artefact(sealed(line_with(R"([["a",[2,3]]])"), six), "good"));
  for (const auto& tensors :
       {R"([["a",[2,4]]])",                                          // more numbers than there are
        R"([["a",[2,2]]])",                                          // fewer
        R"([["a",[4294967295,4294967295,4294967295,4]]])",           // a product that overflows
        R"([["a",[2147483648,2147483648,2147483648,2147483648]]])",  // one that overflows to 0
        R"([["a",[-2,-3]]])", R"([["a",[2.5,2.4]]])", R"([["a",[1,1,1,2,3]]])",
        R"([["b",[3]],["a",[3]]])",  // not in order
        R"([["a",[3]],["a",[3]]])",  // twice
        R"([["",[6]]])", R"([[1,[6]]])", R"([["a",6]])", R"([["a"]])", R"({})", R"(null)",
        R"([[[[[[[[[[]]]]]]]]]])"}) {
    const auto read = parse_artefact(sealed(line_with(tensors), six), "absurd");
    ASSERT_FALSE(read) << tensors;
    EXPECT_EQ(read.error().code, "router_corrupt") << tensors;
  }
  const auto good = line_with(R"([["a",[2,3]]])");
  for (const auto& [what, with] :
       std::vector<std::pair<std::string, std::string>>{{R"("kind":"mf")", R"("kind":"")"},
                                                        {R"("kind":"mf")", R"("kind":7)"},
                                                        {R"("kind":"mf",)", ""},
                                                        {R"(["w","s"])", R"(["w"])"},
                                                        {R"(["w","s"])", R"(["w",""])"},
                                                        {R"("lexical_version":0)", R"("lexical_version":-1)"},
                                                        {R"("fitted":1)", R"("fitted":"many")"},
                                                        {R"("mean_cost_usd":[])", R"("mean_cost_usd":[1])"},
                                                        {R"("measured":[])", R"("measured":[["x"]])"}}) {
    auto line = good;
    line.replace(line.find(what), what.size(), with);
    const auto read = parse_artefact(sealed(line, six), "absurd");
    ASSERT_FALSE(read) << line;
    EXPECT_EQ(read.error().code, "router_corrupt") << line;
  }
}

TEST(Artefact, SaysWhichNumbersAreMissing) {
  const auto made = small();
  EXPECT_TRUE(made.tensor("a", {2, 3}));
  EXPECT_TRUE(made.tensor("a", {0, 3}));
  EXPECT_TRUE(made.tensor("c", {}));
  for (const auto& [name, shape] : std::vector<std::pair<std::string, std::vector<std::uint32_t>>>{
           {"a", {3, 2}}, {"a", {6}}, {"a", {}}, {"z", {0}}}) {
    const auto found = made.tensor(name, shape);
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, "router_corrupt");
    EXPECT_THAT(found.error().message, HasSubstr("'" + name + "'"));
  }
}

TEST(Artefact, FilesThatCannotBeReadOrWrittenSaySo) {
  auto read = read_artefact(test_folder() + "nowhere");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "router_unreadable");
  EXPECT_THAT(read.error().message, HasSubstr("nowhere"));
  const auto written = write_artefact(small(), test_folder() + "no/folder/router");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, "router_unwritable");
}

}  // namespace
}  // namespace brevet
