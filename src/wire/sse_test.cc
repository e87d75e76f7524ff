// Goal: the same events whatever the split of the bytes, and line rules of the specification. Method: cases
// by hand, then seeded random streams cut at random places.
#include "wire/sse.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace brevet::wire {
namespace {

std::string joined(const std::vector<SseEvent>& events) {
  std::string out;
  for (const auto& event : events) out += event.event + "\x01" + event.data + "\x02";
  return out;
}

std::string read_all(std::string_view bytes, SseReader reader = SseReader()) {
  const auto events = reader.feed(bytes);
  return events ? joined(*events) : events.error().code;
}

TEST(Sse, ReadsDataEventCommentsAndUnknownFields) {
  EXPECT_EQ(read_all("data: {\"a\":1}\n\n"), "\x01{\"a\":1}\x02");
  EXPECT_EQ(read_all(": ping\n\nevent: error\ndata:x\nid: 7\nretry: 3\nwhat\n\n"), "error\x01x\x02");
  EXPECT_EQ(read_all("data: a\ndata:  b\n\n"),
            "\x01"
            "a\n b\x02");
  EXPECT_EQ(read_all("data: a\r\n\r\ndata: b\r\rdata: c\n\n"),
            "\x01"
            "a\x02\x01"
            "b\x02\x01"
            "c\x02");
  EXPECT_EQ(read_all("\xEF\xBB\xBF"
                     "data: a\n\n"),
            "\x01"
            "a\x02");
  EXPECT_EQ(read_all("event: lost\n\ndata\n\n"), "\x01\x02");
  EXPECT_EQ(read_all("data: not finished"), "");
}

TEST(Sse, KnowsWhenTheStreamWasCutInsideAnEvent) {
  SseReader reader;
  ASSERT_TRUE(reader.feed("data: a\n\n"));
  EXPECT_FALSE(reader.in_event());
  ASSERT_TRUE(reader.feed("dat"));
  EXPECT_TRUE(reader.in_event());
  ASSERT_TRUE(reader.feed("a: b\n"));
  EXPECT_TRUE(reader.in_event());
  ASSERT_TRUE(reader.feed("\n"));
  EXPECT_FALSE(reader.in_event());
}

TEST(Sse, TooLargeAnEventFailsForGood) {
  SseReader reader(64);
  const auto first = reader.feed("data: " + std::string(80, 'x'));
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().code, "sse_event_too_large");
  EXPECT_EQ(first.error().kind, ErrorKind::kProviderGarbage);
  EXPECT_FALSE(reader.feed("data: a\n\n"));

  SseReader many_lines(64);  // the bound counts the whole event, not a line of it
  bool failed = false;
  for (int i = 0; i < 20 && !failed; ++i) failed = !many_lines.feed("data: 12345678\n");
  EXPECT_TRUE(failed);
}

TEST(Sse, AnySplitGivesTheSameEvents) {
  const std::string_view pieces[] = {"data:",   " ",    "\n",   "\r", "\r\n",        "\n\n",        ": c",
                                     "event:e", "{\"}", "data", "ä😀", "data: x\n\n", "\xEF\xBB\xBF"};
  Draws draws(7, 1);
  int events_seen = 0;
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    for (auto n = draws.choose("n", 40); n-- > 0;) stream += pieces[draws.choose("piece", std::size(pieces))];
    SseReader whole;
    const auto expected = whole.feed(stream);
    ASSERT_TRUE(expected);
    SseReader split;
    std::vector<SseEvent> got;
    for (std::size_t at = 0; at < stream.size();) {
      const auto length = std::min<std::size_t>(draws.choose("cut", 6), stream.size() - at);
      const auto some = split.feed(std::string_view(stream).substr(at, length));
      ASSERT_TRUE(some);
      got.insert(got.end(), some->begin(), some->end());
      at += length;
    }
    ASSERT_EQ(joined(got), joined(*expected)) << stream;
    ASSERT_EQ(split.in_event(), whole.in_event());
    events_seen += static_cast<int>(got.size());
  }
  EXPECT_GT(events_seen, 3000);
}

TEST(Sse, WritingAndReadingAgree) {
  EXPECT_EQ(sse_data("{}"), "data: {}\n\n");
  EXPECT_EQ(read_all(sse_data("a\nb\r\nc\rd")),
            "\x01"
            "a\nb\nc\nd\x02");
  EXPECT_EQ(read_all(sse_data("")), "\x01\x02");
}

}  // namespace
}  // namespace brevet::wire
