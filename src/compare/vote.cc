#include "compare/vote.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace brevet {

std::size_t Vote::votes() const {
  return std::accumulate(counts.begin(), counts.end(), std::size_t{0});
}

std::size_t Vote::first_of_leader() const {
  std::size_t i = 0;
  while (i < group.size() && group[i] != leader) ++i;
  return i;
}

double Vote::entropy() const {
  const auto all = static_cast<double>(votes());
  double sum = 0;
  for (const auto count : counts) {
    const double share = static_cast<double>(count) / all;
    sum -= share * std::log(share);
  }
  return sum;
}

Vote count_votes(const std::vector<const Answer*>& answers, const CompareContext& context,
                 const CompareOptions& options) {
  Vote out;
  std::vector<const Answer*> first;  // of each group
  const auto same = [&](const Answer& a, const Answer& b) {
    return compare_answers(a, b, context, options).verdict == Verdict::kSame;
  };
  for (const auto* answer : answers) {
    std::size_t at = 0;
    while (at < first.size() && !same(*first[at], *answer)) ++at;
    if (at == first.size()) {
      if (!same(*answer, *answer)) {
        out.group.push_back(-1);
        continue;
      }
      first.push_back(answer);
      out.counts.push_back(0);
    }
    ++out.counts[at];
    out.group.push_back(static_cast<int>(at));
  }
  for (std::size_t i = 0; i < out.counts.size(); ++i) {
    if (out.leader < 0 || out.counts[i] > out.leading()) out.leader = static_cast<int>(i);
  }
  for (std::size_t i = 0; i < out.counts.size(); ++i) {
    if (static_cast<int>(i) != out.leader) out.second = std::max(out.second, out.counts[i]);
  }
  return out;
}

}  // namespace brevet
