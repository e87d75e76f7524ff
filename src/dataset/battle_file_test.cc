// Goal: battle files are read strictly, written so that they read back, and a broken line says where and
// what. Method: lines by hand, and a file written and read in this process's own folder.
#include "dataset/battle_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/test_folder.h"

namespace brevet {
namespace {

TEST(BattleFile, ALineIsRead) {
  const auto battle = parse_battle(
      R"({"prompt":"2+2?","a":"x|t=cot","b":"y","winner":"b","source":"judge:z","choices":["3","4"],)"
      R"("system_prompt":"Be brief.","weight":2.5,"id":"q1","unknown":[1]})",
      "f:1");
  ASSERT_TRUE(battle) << battle.error().message;
  EXPECT_EQ(battle->prompt, "2+2?");
  EXPECT_EQ(battle->a, "x|t=cot");
  EXPECT_EQ(battle->winner, Winner::kB);
  EXPECT_EQ(battle->weight, 2.5);
  ASSERT_EQ(battle->choices.size(), 2u);
  EXPECT_EQ(battle->choices[1].label, "B");
  EXPECT_EQ(battle->choices[1].text, "4");
}

TEST(BattleFile, ABrokenLineSaysWhereAndWhat) {
  struct Case {
    const char* line;
    const char* field;
  };
  for (const auto& one :
       {Case{"{", "(line)"}, Case{"[]", "(line)"},
        Case{R"({"a":"x","b":"y","winner":"a","source":"s"})", "prompt"},
        Case{R"({"prompt":"","a":"x","b":"y","winner":"a","source":"s"})", "prompt"},
        Case{R"({"prompt":"p","a":"x","b":"x","winner":"a","source":"s"})", "b"},
        Case{R"({"prompt":"p","a":"x","b":"y","winner":"A","source":"s"})", "winner"},
        Case{R"({"prompt":"p","a":"x","b":"y","winner":1,"source":"s"})", "winner"},
        Case{R"({"prompt":"p","a":"x","b":"y","winner":"a"})", "source"},
        Case{R"({"prompt":"p","a":"x","b":"y","winner":"a","source":"s","weight":0})", "weight"},
        Case{R"({"prompt":"p","a":"x","b":"y","winner":"a","source":"s","weight":"1"})", "weight"},
        Case{R"({"prompt":"p","a":"x","b":"y","winner":"a","source":"s","choices":7})", "choices"},
        Case{R"({"schema":2,"prompt":"p","a":"x","b":"y","winner":"a","source":"s"})", "schema"}}) {
    const auto battle = parse_battle(one.line, "battles.jsonl:7");
    ASSERT_FALSE(battle) << one.line;
    EXPECT_EQ(battle.error().code, "broken_data_file");
    EXPECT_EQ(battle.error().param, one.field) << one.line;
    EXPECT_THAT(battle.error().message, testing::StartsWith("battles.jsonl:7"));
  }
}

TEST(BattleFile, WhatIsWrittenReadsBack) {
  Battle battle;
  battle.prompt = "line\n\"quoted\" é";
  battle.choices = {{"A", "one"}, {"B", "two"}};
  battle.a = "x";
  battle.b = "y|s=3";
  battle.winner = Winner::kTie;
  battle.source = "arena";
  battle.weight = .25;
  Battle bare;
  bare.prompt = "p";
  bare.a = "x";
  bare.b = "z";
  bare.winner = Winner::kA;
  bare.source = "arena";
  for (const char* name : {"/battles.jsonl", "/battles.jsonl.gz"}) {
    const auto path = test_folder() + name;
    ASSERT_TRUE(write_battle_file({battle, bare}, path));
    const auto read = read_battle_file(path);
    ASSERT_TRUE(read) << read.error().message;
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ(read->front().prompt, battle.prompt);
    EXPECT_EQ(read->front().b, battle.b);
    EXPECT_EQ(read->front().choices[1].text, "two");
    EXPECT_EQ(read->front().winner, Winner::kTie);
    EXPECT_EQ(read->front().weight, .25);
    EXPECT_EQ(battle_json(read->back()), battle_json(bare));
  }
}

TEST(BattleFile, AFileThatIsNotThereOrEmptyIsRefused) {
  EXPECT_EQ(read_battle_file(test_folder() + "/none.jsonl").error().code, "data_file_unreadable");
  std::ofstream(test_folder() + "/empty.jsonl") << "\n \n";
  EXPECT_EQ(read_battle_file(test_folder() + "/empty.jsonl").error().code, "broken_data_file");
  EXPECT_EQ(write_battle_file({}, test_folder() + "/no/such/folder.jsonl").error().code,
            "data_file_unwritable");
}

}  // namespace
}  // namespace brevet
