// What memory costs: publishing at 1k, 10k and 100k entries, neighbour search at 10k and 100k with its
// recall, and the estimate; beside hnswlib, the usual graph, on the same vectors. And how far the bytes that
// Memory counts (MemoryOptions::bytes_max) are from those that malloc gave out, glibc only.
//
// memory_bench [--vectors FILE] [--graph-max N]
//   FILE: raw little-endian float32, 384 a row, unit length; without it vectors are drawn around 300 topics
//   (seeded). N: the graph is built for at most N entries (default 10000; 100000 takes minutes).
#include <hnswlib/hnswlib.h>
#include <malloc.h>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "memory/memory.h"
#include "memory/simd.h"

namespace {

using namespace brevet;

constexpr std::size_t kDimension = 384;
constexpr std::size_t kQueries = 500;
constexpr std::size_t kNear = 10;

using Vectors = std::vector<std::shared_ptr<const Embedding>>;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::shared_ptr<const Embedding> unit(Embedding v) {
  const float norm = std::sqrt(dot(v.data(), v.data(), v.size()));
  for (float& x : v) x /= norm;
  return std::make_shared<Embedding>(std::move(v));
}

Vectors draw(std::size_t count) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto noise = [&] {
    Embedding v(kDimension);
    for (float& x : v) x = normal(random);
    return v;
  };
  std::vector<Embedding> topics;
  for (int t = 0; t < 300; ++t) topics.push_back(noise());
  Vectors out;
  for (std::size_t i = 0; i < count; ++i) {
    auto v = noise();
    const auto& topic = topics[random() % topics.size()];
    for (std::size_t d = 0; d < kDimension; ++d) v[d] += 1.2F * topic[d];
    out.push_back(unit(std::move(v)));
  }
  return out;
}

Vectors read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  Vectors out;
  Embedding v(kDimension);
  while (in.read(reinterpret_cast<char*>(v.data()), kDimension * sizeof(float))) out.push_back(unit(v));
  std::shuffle(out.begin(), out.end(), std::mt19937(1));
  return out;
}

struct Timing {
  std::vector<double> micros;
  double at(double quantile) {
    std::sort(micros.begin(), micros.end());
    return micros[static_cast<std::size_t>(quantile * static_cast<double>(micros.size() - 1))];
  }
};

Skill skill_of(std::uint64_t id, const std::shared_ptr<const Embedding>& embedding) {
  Skill skill;
  skill.id = id;
  skill.request_hash = std::to_string(id);
  skill.embedding = embedding;
  return skill;
}

void measure(const Vectors& vectors, std::size_t entries, std::size_t graph_max) {
  const Partition partition{"t", "enc", "weak", "strong", ""};
  MemoryOptions options;
  options.skills_max = 10'000'000;
  Memory memory(options);
  for (std::size_t i = 0; i < entries; ++i) memory.put_skill(partition, skill_of(i + 1, vectors[i]));
  (void)memory.publish();
  Timing publish;
  for (std::size_t i = 0; i < 300; ++i) {
    const std::size_t extra = entries + i;
    const double begin = seconds();
    memory.put_skill(partition, skill_of(extra + 1, vectors[entries + kQueries + i]));
    const auto snapshot = memory.publish();
    publish.micros.push_back((seconds() - begin) * 1e6);
    memory.remove_skill(extra + 1);
  }
  const auto snapshot = memory.publish();
  std::printf("%7zu entries | add one and publish: median %.1f us, p99 %.1f us\n", entries, publish.at(.5),
              publish.at(.99));

  std::vector<std::vector<std::uint64_t>> exact(kQueries);
  Timing naive;
  for (std::size_t q = 0; q < kQueries; ++q) {
    const double begin = seconds();
    std::vector<std::pair<float, std::uint64_t>> all(entries);
    for (std::size_t i = 0; i < entries; ++i) {
      all[i] = {-dot(vectors[entries + q]->data(), vectors[i]->data(), kDimension), i + 1};
    }
    std::partial_sort(all.begin(), all.begin() + kNear, all.end());
    naive.micros.push_back((seconds() - begin) * 1e6);
    for (std::size_t k = 0; k < kNear; ++k) exact[q].push_back(all[k].second);
  }
  const auto recall_of = [&](std::size_t q, std::uint64_t id) {
    return static_cast<std::size_t>(std::count(exact[q].begin(), exact[q].end(), id));
  };
  Timing ours;
  std::size_t found = 0;
  for (std::size_t q = 0; q < kQueries; ++q) {
    const double begin = seconds();
    const auto near = snapshot->nearest(partition, *vectors[entries + q], kNear);
    ours.micros.push_back((seconds() - begin) * 1e6);
    for (const auto& n : near) found += recall_of(q, n.skill.id);
  }
  std::printf(
      "        | nearest %zu: median %.0f us, p99 %.0f us, recall %.4f (n=%zu queries) | full scan median "
      "%.0f us\n",
      kNear, ours.at(.5), ours.at(.99), static_cast<double>(found) / (kQueries * kNear), kQueries,
      naive.at(.5));
  if (entries > graph_max) return;
  hnswlib::InnerProductSpace space(kDimension);
  hnswlib::HierarchicalNSW<float> graph(&space, entries, 16, 200, 1);
  const double begin = seconds();
  for (std::size_t i = 0; i < entries; ++i) graph.addPoint(vectors[i]->data(), i + 1);
  const double built = seconds() - begin;
  for (const std::size_t effort : {std::size_t{50}, std::size_t{200}}) {
    graph.setEf(effort);
    Timing times;
    found = 0;
    for (std::size_t q = 0; q < kQueries; ++q) {
      const double start = seconds();
      auto near = graph.searchKnn(vectors[entries + q]->data(), kNear);
      times.micros.push_back((seconds() - start) * 1e6);
      for (; !near.empty(); near.pop()) found += recall_of(q, near.top().second);
    }
    std::printf(
        "        | hnswlib M=16 ef=%zu: median %.0f us, p99 %.0f us, recall %.4f, built in %.1f s (%.0f us "
        "an entry)\n",
        effort, times.at(.5), times.at(.99), static_cast<double>(found) / (kQueries * kNear), built,
        built * 1e6 / static_cast<double>(entries));
  }
}

void measure_estimate(const Vectors& vectors, std::size_t outcomes) {
  const Partition partition{"t", "enc", "weak", "strong", ""};
  Memory memory;
  std::mt19937 random(2);
  const auto words = [&] {
    auto out = std::make_shared<SparseVector>();
    std::vector<std::uint32_t> slots;
    for (int i = 0; i < 120; ++i) slots.push_back(random() % (1U << 18));
    std::sort(slots.begin(), slots.end());
    slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
    out->index = slots;
    out->value.assign(slots.size(), 1 / std::sqrt(static_cast<float>(slots.size())));
    return out;
  };
  Timing absorb;
  Timing publish;
  for (std::size_t i = 0; i < outcomes; ++i) {
    const Outcome outcome{i + 1, std::to_string(i), vectors[i], words(), random() % 2 == 0, -0.1, false};
    const double begin = seconds();
    memory.absorb(partition, outcome);
    const double middle = seconds();
    const auto snapshot = memory.publish();
    if (i + 500 > outcomes) {
      absorb.micros.push_back((middle - begin) * 1e6);
      publish.micros.push_back((seconds() - middle) * 1e6);
    }
  }
  const auto snapshot = memory.publish();
  Timing ask;
  RequestFeatures features;
  for (std::size_t q = 0; q < kQueries; ++q) {
    features.embedding = vectors[outcomes + q];
    features.words = *words();
    const double begin = seconds();
    (void)snapshot->estimate(partition, features);
    ask.micros.push_back((seconds() - begin) * 1e6);
  }
  std::printf(
      "%7zu outcomes | estimate: median %.0f us, p99 %.0f us | learn one: median %.0f us | publish: %.1f "
      "us\n",
      outcomes, ask.at(.5), ask.at(.99), absorb.at(.5), publish.at(.5));
}

}  // namespace

namespace {

std::string hash_of(std::size_t number) {
  char text[80];
  std::snprintf(text, sizeof text, "%064zu", number);
  return text;
}

Partition partition_of(std::size_t user) {
  return {"tenant", hash_of(0), "weak-model-name|t=cot", "strong-model-name", hash_of(user)};
}

template <class F>
void measure_bytes(const char* what, F&& fill) {
  const auto in_use = [] {
    const auto info = mallinfo2();
    return static_cast<double>(info.uordblks + info.hblkhd) / 1e6;
  };
  const double before = in_use();
  MemoryOptions options;
  options.bytes_max = SIZE_MAX;
  Memory memory(options);
  fill(memory);
  memory.evict_over_bounds();
  const SnapshotPtr held = memory.publish();
  const double real = in_use() - before;
  const double counted = static_cast<double>(memory.figures().bytes) / 1e6;
  std::printf("%-44s malloc %7.2f MB, counted %7.2f MB (%.2f)\n", what, real, counted, counted / real);
}

/// Embeddings are copied, for in a gateway nobody else holds them.
void measure_all_bytes(const Vectors& vectors) {
  const auto copy = [&](std::size_t i) { return std::make_shared<Embedding>(*vectors[i % vectors.size()]); };
  const auto words = [](std::mt19937& random) {
    auto out = std::make_shared<SparseVector>();
    for (int i = 0; i < 120; ++i) {
      out->index.push_back(static_cast<std::uint32_t>(random() % (1U << 18)));
      out->value.push_back(0.1F);
    }
    return out;
  };
  const auto skill = [&](std::size_t id, std::shared_ptr<const Embedding> embedding) {
    Skill out;
    out.id = id;
    out.request_hash = hash_of(id);
    out.embedding = std::move(embedding);
    out.weak_model_id = "weak-model-2026";
    return out;
  };
  measure_bytes("1,000 partitions of one skill and outcome", [&](Memory& memory) {
    std::mt19937 random(1);
    for (std::size_t i = 1; i <= 1'000; ++i) {
      const auto embedding = copy(i);
      memory.put_skill(partition_of(i), skill(i, embedding));
      memory.absorb(partition_of(i), {i, hash_of(i), embedding, words(random), true, -0.1, false});
      for (int s = 0; s < 500; ++s) memory.observe_score(partition_of(i), 0.5);
    }
  });
  measure_bytes("20,000 skills", [&](Memory& memory) {
    for (std::size_t i = 1; i <= 20'000; ++i) memory.put_skill(partition_of(0), skill(i, copy(i)));
  });
  measure_bytes("2,000 guides of 600 bytes", [&](Memory& memory) {
    for (std::size_t i = 1; i <= 2'000; ++i) {
      Guide guide;
      guide.id = i;
      guide.text = std::string(600, 'g');
      guide.source_request_hash = hash_of(i);
      guide.author = "strong-model-name";
      guide.decision_id = "dec_0123456789abcdef";
      guide.embedding = copy(i);
      memory.put_guide(partition_of(0), std::move(guide));
    }
  });
  measure_bytes("4,000 outcomes with embeddings", [&](Memory& memory) {
    for (std::size_t i = 1; i <= 4'000; ++i)
      memory.absorb(partition_of(0), {i, hash_of(i), copy(i), nullptr, true, -0.1, false});
  });
  measure_bytes("20,000 outcomes with every word there is", [&](Memory& memory) {
    std::mt19937 random(1);
    for (std::size_t i = 1; i <= 20'000; ++i)
      memory.absorb(partition_of(0), {i, hash_of(i), nullptr, words(random), true, -0.1, false});
  });
}

}  // namespace

int main(int argc, char** argv) {
  std::string file;
  std::size_t graph_max = 10'000;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (std::strcmp(argv[i], "--vectors") == 0) file = argv[i + 1];
    if (std::strcmp(argv[i], "--graph-max") == 0) graph_max = std::strtoull(argv[i + 1], nullptr, 10);
  }
  const Vectors vectors = file.empty() ? draw(100'000 + kQueries + 300) : read(file);
  std::printf("%zu vectors of %zu numbers, %s\n", vectors.size(), kDimension,
              file.empty() ? "drawn around 300 topics" : file.c_str());
  const std::size_t most = vectors.size() - std::min(vectors.size(), kQueries + 300);
  for (const std::size_t entries :
       {std::size_t{1'000}, std::size_t{10'000}, std::size_t{20'000}, std::size_t{100'000}}) {
    if (entries <= most) measure(vectors, entries, graph_max);
  }
  if (most >= 10'000) measure_estimate(vectors, 10'000);
  measure_all_bytes(vectors);
  return 0;
}
