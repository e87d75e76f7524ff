// What a client's word on a decision can still teach: the newest decisions in which the weak configuration
// served, with what memory needs to learn from them.
//
// Of the learner, on its thread. Kept in memory only, so a word on a decision from before a restart, or on
// one that newer ones pushed out, is stored and teaches nothing (LearnerFigures::feedback_unused).
//
// Rules (our choice; no paper has client feedback). A word is a score: from .5 on the answer was good. It
// speaks of what was served, so it teaches where weak's own answer to the client's prompt was served, alone
// or with a guide, and not where a strategy asked it for one of several or for a step; that the reference's
// answer was bad says nothing of weak's. Of several words on one decision the newest counts, and a word that
// says the same again teaches nothing new.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "domain/decision.h"

namespace brevet {

class ServedByWeak {
 public:
  /// `kept` decisions at most; the oldest go first.
  explicit ServedByWeak(std::size_t kept) : kept_(kept) {}

  /// Keeps what a word on it could teach; nothing unless its route learns and weak served it.
  void add(const Decision& decision);
  /// What this word says in the terms of a shadow; null when it teaches nothing. Marks it as said.
  std::optional<ShadowResult> hear(const Feedback& feedback);
  std::size_t size() const { return found_.size(); }

 private:
  struct Served {
    ShadowResult result;           ///< verdicts not filled in
    std::uint64_t guide_id = 0;    ///< 0: weak alone
    std::optional<bool> was_good;  ///< the newest word
  };

  const std::size_t kept_;
  std::unordered_map<std::string, Served> found_;  ///< by decision id, which is unique over all tenants
  std::deque<std::string> order_;                  ///< oldest first
};

}  // namespace brevet
