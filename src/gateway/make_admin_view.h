// The admin view over the store, the newest decisions in memory, the ledger and the shadows. Made by app.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "gateway/admin_view.h"
#include "gateway/contract_gate.h"
#include "gateway/money_ledger.h"
#include "gateway/recent_decisions.h"
#include "gateway/shadow_runner.h"
#include "store/store.h"

namespace brevet {

struct AdminParts {
  const Store& store;
  const RecentDecisions& recent;
  const MoneyLedger& ledger;
  const ShadowRunner* shadows = nullptr;
  ContractGate* contracts = nullptr;
  /// What only app can see: learning, encoder and memory. Never blocks.
  std::function<std::vector<MetricSample>()> more_samples;
};

/// Reads the store on one thread of its own. All parts outlive it.
std::unique_ptr<AdminView> make_admin_view(AdminParts parts);

}  // namespace brevet
