// Where the gateway puts what happened, and who learns from it. Implemented by src/learning.
//
// Called on the request path: none of the void methods blocks or does I/O. Thread-safe. "Nothing acknowledged
// is lost": what needs to be on disk before an answer is awaited (feedback).
#pragma once

#include <memory>
#include <vector>

#include "base/async.h"
#include "base/result.h"
#include "domain/decision.h"
#include "store/passed_record.h"

namespace brevet {

class OutcomeSink {
 public:
  virtual ~OutcomeSink() = default;
  /// Takes a place for one decision (and its shadow). False when the queue is full: then no coin is drawn, no
  /// shadow is planned, and the refusal is counted. A place taken is used by exactly one decided() or
  /// passed(), or given back by release().
  virtual bool reserve() = 0;
  virtual void release() = 0;
  /// `shadow` is set when the decision is a shadow's own.
  virtual void decided(std::shared_ptr<const Decision> decision,
                       std::shared_ptr<const ShadowResult> shadow) = 0;
  /// A decision that has a short form, which was made already: as decided() without a shadow.
  virtual void passed(PassedRow row, const std::shared_ptr<const Decision>& decision) {
    static_cast<void>(row);
    decided(decision, nullptr);
  }
  /// Returns once the feedback is on disk. Errors: unknown_decision, store errors.
  virtual Task<Result<>> feedback(Feedback feedback) = 0;
};

}  // namespace brevet
