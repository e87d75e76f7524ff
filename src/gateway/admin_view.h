// What an operator may see: stored decisions, the report, and gauges of what runs in the background.
//
// Called by server for /v1/decisions, /v1/report and /metrics, and by the command line. Thread-safe. Reading
// the store may take milliseconds, so those methods are awaitable and must not hold up other requests of the
// thread. It changes nothing and calls no model.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/async.h"
#include "base/result.h"
#include "domain/decision.h"

namespace brevet {

struct DecisionQuery {
  DecisionQuery() = default;  // see RequestOptions

  std::string tenant;  ///< never empty: a tenant sees its own decisions only
  std::string route;   ///< empty = all
  std::size_t limit = 20;
};

struct ReportQuery {
  ReportQuery() = default;  // see RequestOptions

  std::string tenant;
  std::string route;  ///< empty = all
};

/// One value of a metric as Prometheus shows it. Names are static and label values come from the
/// configuration, so that the number of series is bounded.
struct MetricSample {
  std::string name;  ///< with the prefix brevet_
  std::string help;
  bool counter = false;  ///< else a gauge
  std::vector<std::pair<std::string, std::string>> labels;
  double value = 0;
};

class AdminView {
 public:
  virtual ~AdminView() = default;
  /// JSON object of one decision with its shadows and feedback; nullopt when this tenant has none of this id.
  virtual Task<Result<std::optional<std::string>>> decision_json(std::string tenant, std::string id) = 0;
  /// JSON objects, newest first.
  virtual Task<Result<std::vector<std::string>>> decisions_json(DecisionQuery query) = 0;
  /// JSON object: counts, cost with learning, agreement with intervals, what would have been saved.
  virtual Task<Result<std::string>> report_json(ReportQuery query) = 0;
  /// JSON object of the tenant's contracts (contract_report.h).
  virtual std::string contract_json(const ReportQuery&) { return R"({"schema":1,"contracts":[]})"; }
  /// The kill switch of a contract; on disk when it returns. Errors: no_contract, log_write_failed.
  virtual Result<> set_contract_switch(const std::string& tenant, const std::string& route, bool on) {
    static_cast<void>(tenant), static_cast<void>(on);
    return fail(ErrorKind::kCallerNotFound, "no_contract", "Route '" + route + "' has no contract.", "route");
  }
  /// JSON object of a dry run's decision, which is stored nowhere: the form of decision_json plus
  /// "explanation", the sentences that a person reads in a terminal. Pure.
  virtual std::string dry_run_json(const Decision& decision) const = 0;
  /// Shadows, learning and encoder queues, memory, learning cost. Never blocks.
  virtual std::vector<MetricSample> samples() const = 0;
};

}  // namespace brevet
