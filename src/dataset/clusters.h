// Near-duplicate questions, so that a split never has one of them on either side. Called by the evaluation
// engine and by split.h's callers. Pure and deterministic; does not read files.
//
// Exact: hash of the normalised text (case, white space and punctuation do not count). Near: MinHash over
// word shingles (Broder 1997), banded (LSH), each candidate pair verified by the true Jaccard similarity of
// its shingle sets before it is joined. Union-find makes clusters, so similarity is transitive: a chain of
// edits is one cluster. Because punctuation does not count, "3 + 4" and "3 - 4" are one question here: for a
// split that is the safe side. LSH misses a pair at the threshold itself now and then (see `bands`); far
// above it hardly ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataset/outcome_file.h"

namespace brevet {

struct ClusterOptions {
  double jaccard_min = .8;  ///< of word shingles; pairs at or above it are one question
  std::size_t shingle = 3;  ///< words per shingle; shorter texts are one shingle
  std::size_t bands =
      20;  ///< with `rows`: a pair of similarity s is looked at with probability 1-(1-s^rows)^bands
  std::size_t rows = 5;  ///< .9996 at s = .8, .47 at s = .5
  /// A shingle found in more than this share of the texts (and in more than `common_min` of them) is
  /// boilerplate, such as "answer with a, b, c or d": it makes nothing similar and does not count.
  double common_share = .02;
  std::size_t common_min = 50;
  std::size_t bucket_max = 100;     ///< questions compared with each other within one bucket
  std::size_t shingles_max = 2000;  ///< of a text; the rest of a longer one is not looked at
  std::uint64_t seed = 1;
};

struct Clusters {
  std::vector<std::uint32_t> of;  ///< cluster of each question, numbered by first occurrence
  std::uint32_t count = 0;
  std::size_t largest = 0;
  std::size_t exact_joined = 0;  ///< joined by equal normalised text
  std::size_t near_joined = 0;   ///< and by verified similarity
  std::size_t id_joined = 0;     ///< and by a common source id
  std::size_t not_compared =
      0;  ///< bucket places beyond bucket_max: compared with the bucket's first ones only
};

/// `source_ids`, when not empty, has one entry per text; equal entries that are not empty are one question.
Clusters cluster_texts(const std::vector<std::string>& texts, const ClusterOptions& options = {},
                       const std::vector<std::string>& source_ids = {});

/// What a record is compared by: its prompt and, where the prompt does not hold them, its choices.
std::string cluster_text(const OutcomeRecord& record);

/// Lower case, runs of anything but letters and digits as one blank; bytes beyond ASCII are kept.
std::string text_for_clusters(std::string_view text);

}  // namespace brevet
