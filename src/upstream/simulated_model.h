// Simulated models: declared competence, latency and price, in a world of questions with known answers.
//
// Made by app (for the demo and for tests of the whole program) and served over HTTP by serve_models.
// Thread-safe. Everything they say is labelled: `system_fingerprint` is "simulated", simulated() is true, and
// a request that is not one of the world's questions gets a reply that says what it is.
//
// How right or wrong comes about (a probit model with a shared hidden part, so that what the text tells is
// as weak as for real pairs: AUROC .55 to .68 for "weak is right", and both models find the same questions
// hard): model m is right on question i when
//     skill_m + topic_loading_m T(family) - size_loading_m size(i) + sqrt(shared) H(i) + sqrt(1 - shared)
//     E(i, m)
// is above 0, with T, H, E standard normal draws keyed by the world's seed. Family and size can be read off
// the text, H and E by nobody. A guide that fits the family adds `guide_gain`; any text around the question
// and other wordings redraw a share of E, which helps as often as it hurts. Same text, same model: same
// answer; ModelCall::seed is not looked at. At a temperature above 0 each seed of the request (`sample` of
// the call) redraws a share of E as well. A prompt that asks for a final answer behind reasoning gets both.
//
// Prompts of our own are recognised by their markers (domain/markers.h): a guide prompt is answered with the
// family's method, a judge prompt by comparing, with the declared flips and position bias, and who is asked
// to grade an answer in advance says one digit, with its alternatives.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "catalog/prices.h"
#include "upstream/faults.h"
#include "upstream/model_client.h"
#include "upstream/simulated_questions.h"

namespace brevet {

struct SimulatedModelProfile {
  std::string name;
  double skill = 0;           ///< probit scale, of the sum's mean
  double topic_loading = 0;   ///< how far families differ
  double size_loading = 0;    ///< how far large parameters hurt
  double guide_gain = 0;      ///< what a fitting guide adds; 0 = guides have no effect
  double guide_redraw = 0.2;  ///< share of E's variance that any change of the prompt redraws, 0..1
  /// What a prompt that asks for reasoning before a final answer adds; 0 = it only costs tokens.
  double reasoning_gain = 0;
  double sample_redraw = 0.5;   ///< share of E's variance that each sample at a temperature redraws, 0..1
  double logprob_signal = 1.2;  ///< distance of right from wrong answers in the log-probability, in s.d.
  double guide_leak_rate = 0;   ///< share of written guides that give the answer away
  /// Share of written guides that are about another family's kind of question, of about equal length: 1 is
  /// the control for what any text around a question does.
  double guide_unrelated = 0;
  double judge_flip_rate = 0;   ///< share of verdicts that are turned
  double judge_first_bias = 0;  ///< share of different pairs where the first answer is called better or equal
  Milliseconds latency{300};    ///< median until the first token
  double latency_spread = 0.3;  ///< s.d. of the natural log of the latency
  Microseconds per_token{8'000};
  ModelPrice price;
  FaultPlan faults;
};

struct SimulationProfile {
  QuestionOptions questions;
  double shared = 0.7;  ///< share of hidden variance that all models have in common, 0..1
  double speed = 0;     ///< 0 = no waiting; 1 = declared latencies; 10 = ten times faster
  std::vector<SimulatedModelProfile> models;

  const SimulatedModelProfile* find(std::string_view name) const;
};

/// JSON; unknown keys and values out of range are errors (kCallerInvalid bad_profile, `param` names the key).
Result<SimulationProfile> parse_simulation_profile(std::string_view json, const std::string& name_for_errors);
/// The embedded default world: weak-sim and strong-sim.
std::string_view default_simulation_profile();

/// The questions and the draws, shared by all models of one world. Immutable.
class SimulatedWorld {
 public:
  static std::shared_ptr<const SimulatedWorld> create(SimulationProfile profile);
  virtual ~SimulatedWorld() = default;
  virtual const SimulationProfile& profile() const = 0;
  virtual const SimulatedQuestions& questions() const = 0;
  /// Whether the model answers the question right, alone or with a text around it (a guide) that fits or not.
  enum class Help { kNone, kUnrelated, kFitting };
  /// How it is asked beside that: for reasoning first, and as which sample at a temperature (0 = none).
  struct Asked {
    bool reasoning = false;
    std::uint64_t sample = 0;
  };
  virtual bool right(const SimulatedModelProfile& model, const SimulatedQuestion& question, Help help,
                     std::uint64_t prompt_hash, Asked asked) const = 0;
  bool right(const SimulatedModelProfile& model, const SimulatedQuestion& question, Help help,
             std::uint64_t prompt_hash) const {
    return right(model, question, help, prompt_hash, Asked{});
  }
};

/// Whether the profile's faults happen in the client itself. Behind serve_models they happen on the wire
/// instead, and a player that asks what a model would have answered wants none.
enum class InjectFaults { kNo, kYes };
/// Errors: unknown_model (names the models of the profile).
Result<ModelClientPtr> make_simulated_model(std::shared_ptr<const SimulatedWorld> world,
                                            const std::string& name, InjectFaults faults = InjectFaults::kNo);

}  // namespace brevet
