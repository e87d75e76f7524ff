// An example: "What is 2+2?" and "what is 2 + 2" have equal normalised text and are joined at once. Two long
// word problems that differ in one name share most of their shingles; in one of the bands all rows of their
// signatures agree with high probability, so the pair is looked at, its true similarity computed, and joined
// when it is high enough. Known weakness: paraphrases in other words share no shingles and are not found.
#include "dataset/clusters.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "base/random.h"
#include "dataset/prompt_text.h"

namespace brevet {
namespace {

class UnionFind {
 public:
  explicit UnionFind(std::size_t size) : parent_(size) { std::iota(parent_.begin(), parent_.end(), 0u); }
  std::uint32_t root(std::uint32_t i) {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
  }
  /// The lower number becomes the root, so that the result does not depend on the order of joins. False when
  /// they were one already.
  bool join(std::uint32_t a, std::uint32_t b) {
    a = root(a);
    b = root(b);
    if (a == b) return false;
    parent_[std::max(a, b)] = std::min(a, b);
    return true;
  }

 private:
  std::vector<std::uint32_t> parent_;
};

using Shingles = std::vector<std::uint64_t>;  // hashes, sorted, unique

Shingles shingles_of(std::string_view text, const ClusterOptions& options) {
  std::vector<std::size_t> starts, ends;
  for (std::size_t at = 0; at < text.size() && starts.size() < options.shingles_max + options.shingle;) {
    const auto end = std::min(text.find(' ', at), text.size());
    starts.push_back(at);
    ends.push_back(end);
    at = end + 1;
  }
  Shingles out;
  const auto width = std::clamp<std::size_t>(options.shingle, 1, std::max<std::size_t>(starts.size(), 1));
  for (std::size_t i = 0; i + width <= starts.size() && i < options.shingles_max; ++i)
    out.push_back(hash_bytes(text.substr(starts[i], ends[i + width - 1] - starts[i])));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

double jaccard(const Shingles& a, const Shingles& b) {
  std::size_t common = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (*i == *j) {
      ++common;
      ++i;
      ++j;
    } else if (*i < *j) {
      ++i;
    } else {
      ++j;
    }
  }
  const auto either = a.size() + b.size() - common;
  return either ? static_cast<double>(common) / static_cast<double>(either) : 0;
}

void drop_boilerplate(std::vector<Shingles>& shingles, const ClusterOptions& options) {
  const auto limit = std::max(static_cast<double>(options.common_min),
                              options.common_share * static_cast<double>(shingles.size()));
  if (static_cast<double>(shingles.size()) <= limit) return;
  std::unordered_map<std::uint64_t, std::uint32_t> texts;
  for (const auto& set : shingles) {
    for (const auto hash : set) ++texts[hash];
  }
  for (auto& set : shingles)
    std::erase_if(set, [&](std::uint64_t hash) { return texts.find(hash)->second > limit; });
}

/// Signatures for one band: `rows` minima under multiply-shift hashes.
std::uint64_t band_key(const Shingles& set, std::size_t band, const ClusterOptions& options) {
  std::uint64_t key = band;
  for (std::size_t row = 0; row < options.rows; ++row) {
    const auto number = band * options.rows + row;
    const auto factor = mix_bits(options.seed, 2 * number) | 1,
               offset = mix_bits(options.seed, 2 * number + 1);
    auto least = std::numeric_limits<std::uint64_t>::max();
    for (const auto hash : set) least = std::min(least, hash * factor + offset);
    key = mix_bits(key, least);
  }
  return key;
}

}  // namespace

std::string text_for_clusters(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool kept =
        upper || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<signed char>(c) < 0;
    if (kept) {
      out.push_back(upper ? static_cast<char>(c - 'A' + 'a') : c);
    } else if (!out.empty() && out.back() != ' ') {
      out.push_back(' ');
    }
  }
  if (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

std::string cluster_text(const OutcomeRecord& record) {
  return render_prompt(record);
}

Clusters cluster_texts(const std::vector<std::string>& texts, const ClusterOptions& options,
                       const std::vector<std::string>& source_ids) {
  const auto n = static_cast<std::uint32_t>(texts.size());
  Clusters out;
  UnionFind sets(n);

  std::unordered_map<std::string_view, std::uint32_t> by_id;
  for (std::uint32_t i = 0; i < std::min<std::size_t>(n, source_ids.size()); ++i) {
    if (source_ids[i].empty()) continue;
    const auto [found, fresh] = by_id.emplace(source_ids[i], i);
    if (!fresh && sets.join(found->second, i)) ++out.id_joined;
  }

  std::vector<std::string> normal(n);
  std::unordered_map<std::string_view, std::uint32_t> by_text;
  std::vector<std::uint32_t> distinct;  // one question per text
  for (std::uint32_t i = 0; i < n; ++i) {
    normal[i] = text_for_clusters(texts[i]);
    if (normal[i].empty()) normal[i] = texts[i];
    const auto [found, fresh] = by_text.emplace(normal[i], i);
    if (fresh) {
      distinct.push_back(i);
    } else if (sets.join(found->second, i)) {
      ++out.exact_joined;
    }
  }

  std::vector<Shingles> shingles;
  shingles.reserve(distinct.size());
  for (const auto i : distinct) shingles.push_back(shingles_of(normal[i], options));
  drop_boilerplate(shingles, options);

  std::vector<std::pair<std::uint64_t, std::uint32_t>> buckets;  // band key, place in `distinct`
  for (std::size_t band = 0; band < options.bands; ++band) {
    buckets.clear();
    for (std::uint32_t d = 0; d < distinct.size(); ++d) {
      if (!shingles[d].empty()) buckets.emplace_back(band_key(shingles[d], band, options), d);
    }
    std::sort(buckets.begin(), buckets.end());
    for (std::size_t begin = 0, at = 0; at < buckets.size(); ++at) {
      if (buckets[at].first != buckets[begin].first) begin = at;
      if (at - begin > options.bucket_max) ++out.not_compared;
      const auto end = std::min(at, begin + options.bucket_max);
      for (std::size_t other = begin; other < end; ++other) {
        const auto a = buckets[other].second, b = buckets[at].second;
        if (sets.root(distinct[a]) == sets.root(distinct[b])) continue;
        if (jaccard(shingles[a], shingles[b]) >= options.jaccard_min && sets.join(distinct[a], distinct[b]))
          ++out.near_joined;
      }
    }
  }

  out.of.resize(n);
  std::vector<std::uint32_t> number(n, std::numeric_limits<std::uint32_t>::max());
  std::vector<std::size_t> size;
  for (std::uint32_t i = 0; i < n; ++i) {
    auto& mine = number[sets.root(i)];
    if (mine == std::numeric_limits<std::uint32_t>::max()) {
      mine = out.count++;
      size.push_back(0);
    }
    out.of[i] = mine;
    out.largest = std::max(out.largest, ++size[mine]);
  }
  return out;
}

}  // namespace brevet
