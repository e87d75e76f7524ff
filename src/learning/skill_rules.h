// The rules by which requests become skills and skills stop being ones (RAR, arXiv 2411.09837; what the paper
// leaves open is our choice and marked so).
//
// After a shadow of a request q whose answer by the reference was served:
//   weak alone the same            -> q is weak_ok
//   weak with a known guide same   -> q is weak_with_guide; wins and losses of every guide tried are counted
//   weak with the new guide same   -> the guide is saved, q is weak_with_guide
//   otherwise, something differed  -> q is strong_only until retry_after (the new guide is thrown away)
//   nothing could be told          -> counted; q's entry, if there is one, is only marked as tried
// After a spot check (weak had served, the reference was asked afterwards), besides the above for q (our
// choice):
//   same     -> the skill that decided is confirmed once more
//   differs  -> it is refuted. If it is q's own entry it becomes strong_only at once. If it was only similar
//   to q, it
//               becomes strong_only when refutations outnumber confirmations; q itself is remembered as
//               strong_only anyway, so what is near q is no longer decided by it.
// Every "weak alone" verdict is also an outcome for the estimate. Counts of confirmations start anew when an
// entry leaves strong_only: they speak about the present status.
//
// After a client's word on an answer that weak had served: as after a spot check, with the word as the
// verdict (our choice: what is good enough is for the client to say).
//
// Pure: called by the learner with the changes of its batch. Not thread-safe.
#pragma once

#include "domain/decision.h"
#include "learning/learner.h"
#include "learning/pending_changes.h"

namespace brevet {

/// Model ids, scores and hits that a decision shows; `counts` receives what happened.
void learn_from_decision(const Decision& decision, PendingChanges& changes, LearnerFigures& counts);

/// The same of a decision in its short form, which has no more to say than this.
void learn_from_passed(const PassedModels& passed, PendingChanges& changes, LearnerFigures& counts);

/// `decision` is the shadow's own (its time is the time of the trial, its parent the provenance of a new
/// guide).
void learn_from_shadow(const ShadowResult& result, const Decision& decision, PendingChanges& changes,
                       LearnerFigures& counts);

/// `said` is what ServedByWeak made of the client's word.
void learn_from_feedback(const ShadowResult& said, const Feedback& feedback, PendingChanges& changes,
                         LearnerFigures& counts);

}  // namespace brevet
