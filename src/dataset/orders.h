// Seeded orders in which recorded questions are asked. Called by the evaluation engine. Pure: the same
// arguments give the same order.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace brevet {

enum class OrderKind {
  kRandom,        ///< a seeded permutation
  kTopicBlocked,  ///< topics one after the other in seeded order, shuffled within each
  kDrifting,  ///< the mix of topics changes gradually from one end of a seeded order of topics to the other
};
const char* name_of(OrderKind kind);  ///< "random", "topic-blocked", "drifting"

struct OrderOptions {
  OrderKind kind = OrderKind::kRandom;
  double repeat_share = 0;      ///< share of the requests that ask an earlier question again, 0..0.9
  double paraphrase_share = 0;  ///< share of those repeats that come as a surface paraphrase
  /// More than 1: requests come as conversations of up to so many questions of one topic, interleaved with
  /// others.
  std::size_t session_turns = 1;
  std::size_t requests_max = 10'000'000;
};

/// "random", "topic-blocked", "drifting", each with "+repeats=.3", "+paraphrases=.5" (share of the repeats;
/// alone it means repeats=.3 with it), "+sessions=4" added in any order. Short forms of a random
/// order: "repeats", "paraphrases", "multi-turn". Errors (kCallerInvalid): bad_order.
Result<OrderOptions> parse_order(std::string_view text);
std::string order_text(const OrderOptions& options);

struct OrderedRequest {
  std::uint32_t question = 0;
  std::uint32_t variant = 0;  ///< 0 = as recorded, else see surface_paraphrase
  std::uint32_t session = 0;  ///< requests of one conversation share it; its turns come in this list's order
};

/// Every question is asked once as recorded, at least; repeats come on top, so that a list of n questions
/// becomes n / (1 - repeat_share) requests. A repeat comes after the first time at a place drawn uniformly
/// from the rest. `topic` is per question (empty = all one topic) and reaches no strategy.
std::vector<OrderedRequest> make_order(std::size_t questions, const std::vector<std::uint32_t>& topic,
                                       const OrderOptions& options, std::uint64_t seed);

/// The same request in other clothes, by fixed rules: first letter's case, blanks, a polite opening and
/// closing. It is a surface paraphrase: wording, word order and meaning stay, so it tests robustness to
/// typing, not to rewording. Variant 0 returns the text, variants 1 .. kParaphraseVariants never do; equal
/// arguments give equal bytes. Lines after the
/// first one, and so lists of choices, are left as they are.
inline constexpr std::uint32_t kParaphraseVariants = 48;
std::string surface_paraphrase(std::string_view text, std::uint32_t variant);

}  // namespace brevet
