// What a route promises, as configured. Part of the Runtime; immutable. Built by app.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"

namespace brevet {

struct ContractTerms {
  double retain = .95;      ///< of the reference's quality
  double confidence = .95;  ///< at every moment
  /// Tags of requests for which the promise holds on its own; what has none of them is one group more.
  std::vector<std::string> groups;
  double check_share_min = .05;  ///< lower: cheaper checks, slower proof
  double budget_share = .1;      ///< of what always-reference would cost that checks may cost
  std::size_t thresholds = 12;   ///< positions of a score's path; more: finer, each needs its own proof
  std::string judge;             ///< model that compares where nothing else can; empty = nobody
  std::string auditor;           ///< model that checks the judge
  double audit_share = .2;       ///< of the judge's comparisons; higher: dearer, sooner sure
  Microseconds outcome_timeout = std::chrono::seconds(600);  ///< then an outcome counts as the worst there is
  double credit_max = 200;
  double alarm_run_length = 100'000;
  bool stop = false;  ///< the kill switch in the configuration
  /// Changes with anything of the above or below, so that equal keys need no further look.
  std::string key;
  /// Changes when what is promised about does: strategy, its options, its router, the candidates.
  std::string version;
};

}  // namespace brevet
