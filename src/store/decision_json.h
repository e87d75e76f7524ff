// A decision as JSON: what GET /v1/decisions/{id}, POST /v1/route, `brevet route` and the store show.
//
// Called by store and the gateway's admin view. Pure. The form is stable and versioned by "schema": fields
// are added, never renamed. What is unknown is null, never zero. Money is a pair: "usd" as an exact decimal
// text and "usd_number" for reading with a spreadsheet. Embeddings and words stay out; request text appears
// only where the route stores text, and answer text never does.
//
//   schema, id, number, parent_id, time (RFC 3339), tenant, route, strategy, state,
//   error{kind, code, message, param, upstream_status}, reason{code, sentence}, model,
//   cost{usd, usd_number, basis}, baseline{usd, usd_number, basis, estimate, note},
//   estimate{p_agree, lower, upper, effective_n, score, score_rank, outcomes},
//   neighbours[{skill, request_hash, status, guide, similarity, hits, confirmed, refuted, created, text}],
//   exact_repeat, skill, degraded, would_have, simulated, steps[{code, sentence}], accepted,
//   attempts[{id, configuration, purpose, state, returned_model, finish_reason, usage, mean_logprob,
//   min_logprob, cost, latency_us, first_token_us, tries, error, tag, prompt_bytes_added, and of a composed
//   candidate parts[attempts] and steps}], comparisons[{first, second, verdict, method, similarity}],
//   draws[{what, probability, outcome}], snapshot_version, embedding_dimension, partition{encoder, weak,
//   reference, system_hash}, session, request_hash, latency_us, overhead_us, streamed, learn, tags,
//   request_text
// The store adds when it reads one: feedback[{score, comment, time}] and shadows[ids].
#pragma once

#include <string>

#include "domain/decision.h"

namespace brevet {

inline constexpr int kDecisionSchema = 1;

std::string decision_json(const Decision& decision);

/// "2026-11-24T06:00:00.000001Z".
std::string rfc3339(Instant time);

}  // namespace brevet
