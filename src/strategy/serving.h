// What serving strategies have in common: the steps that call the weak model or the reference, what happens
// after a call, and which requests are left to the reference.
//
// Used by the strategies of this folder. Pure. A failed weak call goes on to the reference, with its error in
// the reason. A failed reference fails the request with the provider's error: a weaker answer nobody asked
// for is worse than a clear error, unless the option weak_on_reference_failure says otherwise.
#pragma once

#include <optional>
#include <string>

#include "strategy/strategy.h"

namespace brevet {

/// The row that every serving strategy but always_weak and always_strong has.
OptionSpec weak_on_reference_failure_option();
enum class OnReferenceFailure { kFail, kServeWeak };
OnReferenceFailure on_reference_failure(const OptionValues& options);

/// n > 1, images and other parts that are not text.
std::optional<Reason> needs_one_text_answer(const RequestView& view);
/// The above, and tools and response formats, whose prompts resemble each other whatever is asked.
std::optional<Reason> needs_plain_text(const RequestView& view);

Step need(Need what, const char* code, std::string sentence);
struct WeakCall {
  const Guide* guide = nullptr;
  Delivery delivery = Delivery::kStream;
  bool want_logprobs = false;
};
Step call_weak(const RequestView& view, Reason reason, const WeakCall& how = {});
Step call_reference(const RequestView& view, Reason reason);
/// Any candidate, alone, its answer delivered as it comes.
Step call_candidate(const Configuration& candidate, Reason reason);
/// Weak alone or with the guide, as the remembered skill says; the reference when it says strong only or when
/// its guide is gone. `evidence` completes the sentence: "this very request was seen before".
Step call_by_skill(const Turn& turn, const Skill& skill, const std::string& code_prefix,
                   const std::string& evidence);

/// The step after the calls made so far; empty when none was made. Accepts the newest good attempt.
std::optional<Step> after_calls(const Turn& turn, OnReferenceFailure on_failure);

/// "3 requests", "1 request".
std::string counted(std::uint64_t n, const char* singular);
/// A number with two digits after the point.
std::string two_digits(double value);
/// "83%".
std::string percent(double share);

}  // namespace brevet
