// Goal: what a scraper reads is well formed, says what happened, and is bounded. Method: as
// gateway_server_test.
#include "server/metrics.h"

#include "server/test_fakes.h"

namespace brevet {
namespace {

class MetricsTest : public GatewayServerTest {};

TEST_F(MetricsTest, MetricsAreWellFormed) {
  chat(kHello);
  chat(kHello);
  chat("{");
  const auto text = ask("GET", "/metrics").body;
  for (const char* line :
       {"brevet_requests_total{route=\"auto\",outcome=\"served\"} 2",
        "brevet_decisions_total{route=\"auto\",model=\"weak\",reason=\"skill_hit\"} 2",
        "brevet_tokens_total{model=\"weak\",type=\"input\"} 6",
        "brevet_http_requests_total{endpoint=\"chat_completions\",status=\"200\"} 2",
        "brevet_http_requests_total{endpoint=\"chat_completions\",status=\"400\"} 1",
        "brevet_retries_total{model=\"weak\"} 2", "brevet_cost_usd_total{route=\"auto\"} 0.000246",
        "brevet_request_duration_seconds_bucket{route=\"auto\",le=\"0.025\"} 2",
        "brevet_request_duration_seconds_bucket{route=\"auto\",le=\"+Inf\"} 2",
        "brevet_request_duration_seconds_count{route=\"auto\"} 2", "brevet_in_flight_requests 0",
        "brevet_open_streams 0", "brevet_breaker_state{model=\"weak\"} 0",
        "brevet_upstream_in_flight{model=\"weak\"} 2", "brevet_learning_queue 7",
        "brevet_shadows_total{result=\"finished\"} 4", "brevet_shadows_total{result=\"we\\\"ird\\n\"} 1"}) {
    EXPECT_NE(text.find(std::string(line) + "\n"), std::string::npos) << line;
  }
  // One HELP and one TYPE a name, and every sample belongs to the name above it.
  std::string name;
  std::map<std::string, int> helps;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const auto end = text.find('\n', begin);
    ASSERT_NE(end, std::string::npos);
    const auto line = text.substr(begin, end - begin);
    begin = end + 1;
    if (line.rfind("# HELP ", 0) == 0) {
      name = line.substr(7, line.find(' ', 7) - 7);
      EXPECT_EQ(++helps[name], 1) << name;
    } else if (line[0] != '#') {
      EXPECT_EQ(line.rfind(name, 0), 0u) << line;
    }
  }
}

TEST_F(MetricsTest, AnUnreachableReferenceIsCountedByWhatBecameOfTheRequest) {
  auto kind = ErrorKind::kProviderUnavailable;
  std::string code = "upstream_unreachable";
  flow_.act = [&](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                  ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    decision->partition.reference = "strong";
    Attempt failed;
    failed.configuration.model = "strong";
    failed.state = AttemptState::kFailed;
    failed.error = Error{kind, code, "Away."};
    decision->attempts.push_back(std::move(failed));
    decision->accepted = 0;
    co_await sink.whole(*decision, decision->attempts[0]);
    co_return decision;
  };
  chat(kHello);
  kind = ErrorKind::kProviderRejected;
  chat(kHello);
  // The route's own deadline says nothing of the provider.
  kind = ErrorKind::kProviderTimeout;
  code = "deadline_exceeded";
  chat(kHello);
  EXPECT_NE(ask("GET", "/metrics")
                .body.find(R"(brevet_reference_unreachable_total{route="auto",outcome="served"} 1)"),
            std::string::npos);
}

TEST_F(MetricsTest, MetricSeriesAreBounded) {
  int i = 0;
  flow_.act = [&](std::shared_ptr<const ChatRequest> request, RequestOptions options,
                  ResponseSink& sink) -> Task<std::shared_ptr<const Decision>> {
    auto decision = decision_of(*request, options);
    decision->reason.code = "reason_" + std::to_string(i++);
    co_await sink.whole(*decision, decision->attempts[0]);
    co_return decision;
  };
  for (int k = 0; k < 520; ++k) chat(kHello);
  const auto text = ask("GET", "/metrics").body;
  EXPECT_NE(text.find("brevet_decisions_total{route=\"other\",model=\"other\",reason=\"other\"} 20"),
            std::string::npos);
  EXPECT_NE(text.find("brevet_metrics_overflow_total 20"), std::string::npos);
}

}  // namespace
}  // namespace brevet
