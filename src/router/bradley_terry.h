// Strengths of players from weighted wins (Bradley and Terry 1952), by Newton's method.
// Used by sw_ranking while serving, and by train for the ratings that make tiers. Pure.
#pragma once

#include <span>
#include <vector>

namespace brevet {

/// won[a * players + b] = weight of a's wins over b. -> log-strengths whose mean is 0: P(a beats b) =
/// 1 / (1 + exp(strength[b] - strength[a])). A ridge of 1e-6 of the total weight keeps players who only won,
/// only lost or never met finite.
std::vector<double> bradley_terry(std::span<const double> won, std::size_t players);

}  // namespace brevet
