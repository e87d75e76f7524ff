// Goal: every error kind has the status and body that clients expect, and targets are read as written.
// Method: the pure functions alone.
#include "server/http_status.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "net/http_target.h"

namespace brevet {
namespace {

namespace json = boost::json;

TEST(HttpStatus, AnOpenBreakerSaysLaterAndAnUnreachableProviderSaysBad) {
  Error error;
  error.kind = ErrorKind::kProviderUnavailable;
  error.code = "upstream_unreachable";
  EXPECT_EQ(http_status(error), 502);
  error.code = "upstream_breaker_open";
  EXPECT_EQ(http_status(error), 503);
}

TEST(HttpStatus, ServersOwnErrorsSpeakTheSameProtocol) {
  const auto body = json::parse(http_error_body(413, "body_too_large", "Too large."));
  EXPECT_EQ(body.at("error").at("code").as_string(), "body_too_large");
  EXPECT_EQ(body.at("error").at("type").as_string(), "invalid_request_error");
}

TEST(Target, PathsQueriesAndTypes) {
  using namespace net;
  EXPECT_EQ(normal_path("/v1/models/"), "/models");
  EXPECT_EQ(normal_path("/v1"), "/");
  EXPECT_EQ(normal_path("/v1x"), "/v1x");
  EXPECT_EQ(normal_path("///"), "/");
  EXPECT_EQ(percent_decoded("a%2Fb%zz%4"), "a/b%zz%4");
  EXPECT_EQ(query_value("/x?a=1&b=two+words%21&c", "b"), "two words!");
  EXPECT_EQ(query_value("/x?a=1&c", "c"), "");
  EXPECT_FALSE(query_value("/x", "a").has_value());
  EXPECT_TRUE(json_type("application/JSON; charset=utf-8"));
  EXPECT_TRUE(json_type("application/vnd.api+json"));
  EXPECT_FALSE(json_type("text/json+xml"));
  EXPECT_FALSE(json_type("application/xml"));
}

}  // namespace
}  // namespace brevet
