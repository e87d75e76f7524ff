// Goal: a model that cannot take a request falls out with every reason, and one of which it is not known
// stays in and is named. Method: requests and limits by hand, through the real parser where bytes count.
#include "gateway/capabilities.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace brevet {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

ChatRequest text(std::size_t bytes) {
  ChatRequest out;
  out.raw = std::make_shared<const std::string>("{}");
  ChatMessage message;
  message.role = "user";
  message.text = std::string(bytes, 'a');
  out.messages.push_back(std::move(message));
  return out;
}

CanTake ask(const ChatRequest& request, ModelLimits limits) {
  return who_can_take(request, {{"small", limits}});
}

TEST(Capabilities, PlainTextIsForEverybody) {
  const auto found = who_can_take(text(100), {{"a", {}}, {"b", {8192, false, false, false}}});
  EXPECT_THAT(found.why_not, ElementsAre("", ""));
  EXPECT_EQ(found.not_known, "");
}

TEST(Capabilities, EachNeedKeepsOutWhoIsKnownNotToMeetIt) {
  auto request = text(10);
  request.has_images = true;
  EXPECT_EQ(ask(request, {{}, false, {}, {}}).why_not[0],
            "small takes text only, and the request holds other parts");
  EXPECT_EQ(ask(request, {{}, true, false, false}).why_not[0], "");
  request = text(10);
  request.has_tools = true;
  EXPECT_THAT(ask(request, {{}, {}, false, {}}).why_not[0], HasSubstr("takes no tools"));
  EXPECT_EQ(ask(request, {{}, {}, true, {}}).why_not[0], "");
  request = text(10);
  request.has_response_format = true;
  EXPECT_THAT(ask(request, {{}, {}, {}, false}).why_not[0], HasSubstr("promises no response format"));
  request.has_tools = true;
  EXPECT_EQ(ask(request, {{}, {}, false, false}).why_not[0],
            "small takes no tools, and the request offers some, promises no response format, and the request "
            "asks for one");
}

TEST(Capabilities, ContextIsCountedWithTheAnswer) {
  const auto request = text(4000);
  EXPECT_EQ(context_needed(request), 1004);
  EXPECT_EQ(ask(request, {1004, {}, {}, {}}).why_not[0], "");
  EXPECT_EQ(ask(request, {1003, {}, {}, {}}).why_not[0],
            "small has a context of 1003 tokens, and the request needs about 1004");
  auto longer = text(4000);
  longer.max_tokens = 500;
  EXPECT_EQ(context_needed(longer), 1504);
  auto tools = text(4000);
  tools.has_tools = true;
  tools.raw = std::make_shared<const std::string>(std::string(8000, ' '));
  tools.messages_value = {0, 4000};
  EXPECT_EQ(context_needed(tools), 2004) << "what stands beside the messages counts";
}

TEST(Capabilities, WhatIsNotKnownKeepsNobodyOutAndIsSaid) {
  auto request = text(10);
  request.has_tools = true;
  const auto found =
      who_can_take(request, {{"a", {}}, {"b", {{}, {}, true, {}}}, {"c", {{}, {}, false, {}}}});
  EXPECT_EQ(found.why_not[0], "");
  EXPECT_NE(found.why_not[2], "");
  EXPECT_EQ(found.not_known, "It is not known whether a takes tools; what is not known keeps no model out.");
  EXPECT_THAT(ask(text(40'000), {}).not_known, HasSubstr("small takes about 10004 tokens"));
  EXPECT_EQ(ask(text(4'000), {}).not_known, "") << "fits everywhere";
}

}  // namespace
}  // namespace brevet
