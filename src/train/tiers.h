// Classes of models of like rating, for similarity-weighted ranking. Used by fit_sw_ranking.cc. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace brevet {

/// Splits the sorted ratings into `tiers` runs with the least sum of variances within them, by dynamic
/// programming. -> [n] tier, 0 lowest; every tier has a member.
std::vector<std::uint32_t> tiers_of(const std::vector<double>& ratings, std::size_t tiers);

}  // namespace brevet
