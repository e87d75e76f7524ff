// Where a request under a quality contract asks the gate, and what its shadow must find out. Used inside
// src/gateway only.
//
// A request takes one seat. Before a call whose bytes may reach the client, the gate is asked with booking;
// before one that is held anyway it is asked without, and books when its answer is to be accepted. Whoever
// serves the reference takes the seat when it has answered. A refusal serves the reference, with the gate's
// reason.
#pragma once

#include <memory>
#include <optional>

#include "gateway/contract_gate.h"
#include "gateway/request_flow.h"
#include "strategy/strategy.h"

namespace brevet {

/// What a contract must know of a served request: the other answer, and whether both are the same.
struct ContractCheck {
  ContractSeat seat;
  bool risky_served = false;
  Configuration other;  ///< whom to ask; answered already where an attempt of the request holds it
  MessageEdits edits;
};

namespace flow {

struct Run;
struct Ending;

/// What the contract knows of a request under way.
struct ContractRun {
  bool on = false;
  std::optional<ContractSeat> seat;
  // What the strategy wished to serve instead of the reference, for its shadow.
  bool wished = false;
  bool risky = false;  ///< the strategy's own wish; else the contract's, by the score
  Configuration wish;
  MessageEdits edits;
  std::optional<double> score;
  std::string refused;            ///< reason for which the reference serves
  std::optional<bool> checkable;  ///< empty = not looked at yet; true = a place for a shadow is held
};

/// Served instead of what the strategy wanted.
struct Instead {
  Configuration configuration;
  Reason reason;
  int attempt = -1;  ///< that has answered already, -1 = to be called
};

/// Switches the contract on for this run where its route has one.
void contract_begin(Run& run);
std::optional<Instead> contract_before_calls(Run& run, const Step& step);
std::optional<Instead> contract_before_accept(Run& run, const Accept& accept);
Task<Ending> serve_instead(Run& run, Instead instead);
/// Observe mode and dry runs: the strategy's first step, of which nothing is called. What would be served
/// instead.
std::optional<Instead> contract_would(Run& run, const Step& step);
/// Settles what is known and gives back what is not needed; not null: the shadow that must run, on the place
/// held.
std::shared_ptr<const ContractCheck> contract_finish(Run& run);
/// Gives back the place for a shadow, if one is held.
void contract_let_go(Run& run);

/// In a shadow: asks the other one, compares, lets judge and auditor speak, tells the gate. Never fails; what
/// cannot be found out counts as the worst.
Task<void> contract_check(Run& run, std::shared_ptr<const Decision> parent,
                          std::shared_ptr<const ContractCheck> check);

}  // namespace flow
}  // namespace brevet
