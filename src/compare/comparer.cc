#include "compare/comparer.h"

#include <bit>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "base/random.h"

namespace brevet {
namespace {

class PlainComparer final : public Comparer {
 public:
  Found compare(const Answer& first, const Answer& second, const CompareContext& context) override {
    Found out;
    out.comparison = compare_answers(first, second, context);
    out.wants_embedding =
        out.comparison.verdict == Verdict::kCannotTell && brevet::wants_embedding(first, second, context);
    return out;
  }
};

struct Pair {
  std::uint64_t one = 0, other = 0;
  bool operator==(const Pair&) const = default;
};
struct PairHash {
  std::size_t operator()(const Pair& pair) const { return pair.one; }
};

std::uint64_t hash_of(const Answer& first, const Answer& second, const CompareContext& context,
                      std::uint64_t seed) {
  // The sizes tell where one text ends and the next begins.
  const std::uint64_t rest[] = {context.question.size(),
                                first.text.size(),
                                first.finish_reason.size(),
                                second.text.size(),
                                second.finish_reason.size(),
                                context.has_response_format,
                                context.embedding_similarity.has_value(),
                                std::bit_cast<std::uint64_t>(context.embedding_similarity.value_or(0))};
  auto hash = hash_bytes({reinterpret_cast<const char*>(rest), sizeof(rest)}, seed);
  for (const std::string_view text :
       {context.question, std::string_view(first.text), std::string_view(first.finish_reason),
        std::string_view(second.text), std::string_view(second.finish_reason)})
    hash = hash_bytes(text, hash);
  return hash;
}

class RememberingComparer final : public Comparer {
 public:
  explicit RememberingComparer(std::size_t pairs_max) : pairs_max_(pairs_max) {}

  Found compare(const Answer& first, const Answer& second, const CompareContext& context) override {
    if (!first.tool_calls.empty() || !second.tool_calls.empty())
      return plain_comparer().compare(first, second, context);
    const Pair pair{hash_of(first, second, context, 1), hash_of(first, second, context, 2)};
    {
      std::shared_lock lock(mutex_);
      if (const auto known = found_.find(pair); known != found_.end()) return known->second;
    }
    auto found = plain_comparer().compare(first, second, context);
    std::unique_lock lock(mutex_);
    if (found_.size() < pairs_max_) found_.try_emplace(pair, found);
    return found;
  }

 private:
  const std::size_t pairs_max_;
  std::shared_mutex mutex_;
  std::unordered_map<Pair, Found, PairHash> found_;  // guarded by mutex_
};

}  // namespace

Comparer& plain_comparer() {
  static PlainComparer comparer;
  return comparer;
}

std::unique_ptr<Comparer> make_remembering_comparer(std::size_t pairs_max) {
  return std::make_unique<RememberingComparer>(pairs_max);
}

}  // namespace brevet
