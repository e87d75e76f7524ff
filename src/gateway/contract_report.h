// What a contract says of itself to the person who pays: the promise, what is certified now, what was served
// and saved, what is left in the ledger, what is missing and about how many requests it will take, and what
// it stands on.
//
// Used by the admin view (GET /v1/contract); `brevet contract` shows it as text (app/contract_text.h). Pure.
// What is not known is null, never zero.
#pragma once

#include <string>
#include <vector>

#include "gateway/contract_gate.h"
#include "gateway/money_ledger.h"

namespace brevet {

/// JSON: {"schema", "contracts": [...]}, one for each state; `figures` are the money ledger's rows of the
/// same tenant.
std::string contract_json(const std::vector<ContractState>& states, const std::vector<RouteFigures>& figures);

}  // namespace brevet
