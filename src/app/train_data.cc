#include "app/train_data.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <map>
#include <set>
#include <unordered_map>

#include "app/data_argument.h"
#include "base/random.h"
#include "dataset/battle_file.h"
#include "dataset/clusters.h"
#include "dataset/prompt_text.h"
#include "dataset/split.h"
#include "eval/question_set.h"
#include "store/store.h"

namespace brevet {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
/// A float32 holds every whole number of 24 bits.
constexpr int kHalfBits = 24;
constexpr std::uint64_t kHalfMask = (std::uint64_t{1} << kHalfBits) - 1;
constexpr std::uint64_t kKeyMask = (std::uint64_t{1} << 2 * kHalfBits) - 1;
constexpr const char* kKeysTensor = "fitted.text_keys";

std::string base_name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

tl::unexpected<Error> no_labels(const std::string& from) {
  return fail(ErrorKind::kCallerInvalid, "no_labels",
              fmt::format("{} has nothing that says when one of the models is better.", from), "--data");
}

/// Which requests are used: all, or whole clusters up to a number of labels.
std::vector<std::uint32_t> chosen(const std::vector<std::uint32_t>& cluster,
                                  const std::vector<std::uint64_t>& keys, const TrainSource& source) {
  std::vector<std::uint32_t> all(cluster.size());
  for (std::uint32_t i = 0; i < all.size(); ++i) all[i] = i;
  if (source.labels_max == 0 || source.labels_max >= all.size()) return all;
  SplitOptions split;
  split.fitting_max = source.labels_max;
  split.test_share_min = 0;
  split.seed = source.seed;
  split.key = keys;
  return split_by_cluster(cluster, {}, split).fitting;
}

/// Of texts and labels, in their order.
class LabelHash {
 public:
  void add(std::uint64_t key, std::initializer_list<double> labels) {
    text_ += fmt::format("{:016x}", key);
    for (const double label : labels) text_ += fmt::format(" {:.6g}", label);
    text_ += '\n';
  }
  std::string hex() const { return sha256_hex(text_); }

 private:
  std::string text_;
};

Result<LabelledRequests> from_outcomes(const TrainSource& source, TextEmbedder& embedder) {
  const auto data = parse_data(source.data);
  QuestionSetOptions options;
  options.file = data.file;
  options.models = data.models.empty() ? source.models : data.models;
  options.seed = source.seed;
  if (options.models.size() < 2) {
    return fail(ErrorKind::kCallerInvalid, "models_needed",
                fmt::format("Say which models of {} to choose among, cheapest first: --data {}@WEAK,STRONG.",
                            data.file, data.file),
                "--data");
  }
  if (!source.prices.empty()) {
    auto prices = PriceTable::load(source.prices);
    if (!prices) return fail(prices.error());
    options.prices = std::make_shared<const PriceTable>(std::move(*prices));
  }
  auto loaded = QuestionSet::load(options);
  if (!loaded) return fail(loaded.error());
  const auto& set = **loaded;
  std::vector<std::uint64_t> keys;
  for (std::uint32_t i = 0; i < set.size(); ++i) keys.push_back(set.text_key(i));
  const auto used = chosen(set.clusters().of, keys, source);
  LabelledRequests out;
  out.available = set.size();
  out.from = base_name(data.file);
  out.label = "scores";
  auto& fit = out.fit;
  fit.configurations = options.models;
  const auto m = fit.configurations.size();
  fit.quality.assign(m, {});
  fit.cost_usd.assign(m, {});
  std::vector<std::vector<std::vector<float>>> samples(m);
  bool sampled = false;
  std::vector<std::string> texts;
  LabelHash hash;
  std::size_t needed = 0;
  for (const auto question : used) {
    const auto& record = set.record(question);
    texts.push_back(render_prompt(record));
    out.text_keys.push_back(keys[question]);
    fit.cluster.push_back(set.clusters().of[question]);
    for (std::size_t c = 0; c < m; ++c) {
      const auto score = set.table().at(c, question).quality;
      const auto cost = set.cost(question, c);
      fit.quality[c].push_back(score ? static_cast<float>(*score) : kUnknown);
      fit.cost_usd[c].push_back(cost.amount ? cost.amount->usd() : std::nan(""));
      hash.add(keys[question], {score.value_or(std::nan(""))});
      auto& draws = samples[c].emplace_back();
      if (const auto* outcome = record.outcome(fit.configurations[c])) {
        for (const double sample : outcome->sample_scores) draws.push_back(static_cast<float>(sample));
      }
      sampled |= !draws.empty();
    }
    needed += fit.quality[m - 1].back() > fit.quality[0].back() ? 1 : 0;
  }
  if (used.empty()) return no_labels(out.from);
  if (sampled) fit.samples = std::move(samples);
  out.need_share = static_cast<double>(needed) / static_cast<double>(used.size());
  fit.data_hash = hash.hex();
  auto features = embedder.embed(texts);
  if (!features) return fail(features.error());
  fit.features = std::move(*features);
  out.texts = std::move(texts);
  fit.encoder_hash = embedder.encoder_hash();
  return out;
}

Result<LabelledRequests> from_battles(const TrainSource& source, TextEmbedder& embedder) {
  const auto battles = read_battle_file(source.battles);
  if (!battles) return fail(battles.error());
  LabelledRequests out;
  out.from = base_name(source.battles);
  out.label = "battles";
  auto& fit = out.fit;
  fit.configurations = source.models;
  if (fit.configurations.size() < 2) {
    return fail(ErrorKind::kCallerInvalid, "models_needed",
                "Battles do not say which model is cheap: name them, --models WEAK,STRONG.", "--models");
  }
  std::map<std::string, std::uint32_t> place;
  for (const auto& model : fit.configurations) place.emplace(model, static_cast<std::uint32_t>(place.size()));
  for (const auto& battle : *battles) {
    for (const auto& model : {battle.a, battle.b}) {
      if (place.emplace(model, static_cast<std::uint32_t>(place.size())).second) fit.others.push_back(model);
    }
  }
  // A prompt is one request, however many battles were fought on it.
  std::unordered_map<std::string, std::uint32_t> numbers;
  std::vector<std::string> texts, normal;
  std::vector<std::uint32_t> request_of;
  for (const auto& battle : *battles) {
    const auto record = question_of(battle);
    auto text = render_prompt(record);
    const auto found = numbers.emplace(text, static_cast<std::uint32_t>(texts.size()));
    if (found.second) {
      texts.push_back(std::move(text));
      normal.push_back(cluster_text(record));
    }
    request_of.push_back(found.first->second);
  }
  out.available = texts.size();
  const auto clusters = cluster_texts(normal);
  std::vector<std::uint64_t> keys;
  for (const auto& text : normal) keys.push_back(hash_bytes(text_for_clusters(text)));
  const auto used = chosen(clusters.of, keys, source);
  std::vector<std::int64_t> new_number(texts.size(), -1);
  std::vector<std::string> kept;
  for (const auto i : used) {
    new_number[i] = static_cast<std::int64_t>(kept.size());
    kept.push_back(texts[i]);
    out.text_keys.push_back(keys[i]);
    fit.cluster.push_back(clusters.of[i]);
  }
  LabelHash hash;
  const auto strong = static_cast<std::uint32_t>(fit.configurations.size() - 1);
  std::size_t compared = 0, needed = 0;
  for (std::size_t b = 0; b < battles->size(); ++b) {
    if (new_number[request_of[b]] < 0) continue;
    const auto& battle = (*battles)[b];
    LabelledPair pair;
    pair.request = static_cast<std::uint32_t>(new_number[request_of[b]]);
    pair.first = place.at(battle.a);
    pair.second = place.at(battle.b);
    pair.outcome = battle.winner == Winner::kA ? 1.0F : battle.winner == Winner::kB ? 0.0F : .5F;
    pair.weight = static_cast<float>(battle.weight);
    hash.add(keys[request_of[b]],
             {static_cast<double>(pair.first), static_cast<double>(pair.second), pair.outcome, pair.weight});
    if ((pair.first == strong && pair.second == 0) || (pair.first == 0 && pair.second == strong)) {
      ++compared;
      needed += (pair.first == strong ? pair.outcome == 1.0F : pair.outcome == 0.0F) ? 1 : 0;
    }
    fit.pairs.push_back(pair);
  }
  if (fit.pairs.empty()) return no_labels(out.from);
  out.need_share = compared > 0 ? static_cast<double>(needed) / static_cast<double>(compared) : std::nan("");
  fit.data_hash = hash.hex();
  auto features = embedder.embed(kept);
  if (!features) return fail(features.error());
  fit.features = std::move(*features);
  out.texts = std::move(kept);
  fit.encoder_hash = embedder.encoder_hash();
  return out;
}

Result<LabelledRequests> from_gateway(const TrainSource& source, TextEmbedder& embedder) {
  const auto path = source.data_dir + "/brevet.db";
  if (!std::filesystem::exists(path)) {
    return fail(ErrorKind::kCallerInvalid, "no_data",
                "There is no " + path + "; name the gateway's data folder.", "--data-dir");
  }
  StoreOptions options;
  options.path = path;
  options.retention = Microseconds{0};
  auto store = open_store(options);
  if (!store) return fail(store.error());
  std::vector<StoredOutcome> outcomes;
  std::map<std::pair<std::string, std::string>, std::size_t> pairs;
  const auto loaded =
      (*store)->load({[](StoredSkill) {}, [](StoredGuide) {},
                      [&](StoredOutcome outcome) {
                        if (outcome.guide_id != 0 || !outcome.embedding) return;
                        if (!source.tenant.empty() && outcome.partition.tenant != source.tenant) return;
                        // Another encoder's embeddings lie in another space.
                        if (outcome.partition.encoder_hash != embedder.encoder_hash()) return;
                        ++pairs[{outcome.partition.weak, outcome.partition.reference}];
                        outcomes.push_back(std::move(outcome));
                      }});
  if (!loaded) return fail(loaded.error());
  LabelledRequests out;
  out.from = source.data_dir;
  out.label = "agreement with the reference";
  auto& fit = out.fit;
  fit.configurations = source.models;
  if (fit.configurations.empty() && pairs.size() == 1)
    fit.configurations = {pairs.begin()->first.first, pairs.begin()->first.second};
  if (fit.configurations.size() != 2) {
    std::string known;
    for (const auto& [pair, count] : pairs)
      known +=
          fmt::format("{}{},{} ({} outcomes)", known.empty() ? "" : "; ", pair.first, pair.second, count);
    if (pairs.empty()) return no_labels(out.from);
    return fail(ErrorKind::kCallerInvalid, "models_needed",
                fmt::format("{} has outcomes of several pairs; choose one by --models: {}.", out.from, known),
                "--models");
  }
  std::erase_if(outcomes, [&](const StoredOutcome& outcome) {
    return outcome.partition.weak != fit.configurations[0] ||
           outcome.partition.reference != fit.configurations[1];
  });
  // The newest word on a request holds.
  std::sort(outcomes.begin(), outcomes.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  std::unordered_map<std::string, std::size_t> newest;
  for (std::size_t i = 0; i < outcomes.size(); ++i) newest[outcomes[i].request_hash] = i;
  out.available = newest.size();
  fit.quality.assign(2, {});
  LabelHash hash;
  std::size_t needed = 0;
  for (std::size_t i = outcomes.size(); i-- > 0;) {
    auto& outcome = outcomes[i];
    if (newest.at(outcome.request_hash) != i) continue;
    if (source.labels_max > 0 && fit.features.size() >= source.labels_max) break;
    RequestFeatures features;
    features.embedding = outcome.embedding;
    if (outcome.words) features.words = *outcome.words;
    fit.features.push_back(std::move(features));
    // The reference is the measure here: it agrees with itself.
    fit.quality[0].push_back(outcome.agrees ? 1.0F : 0.0F);
    fit.quality[1].push_back(1.0F);
    needed += outcome.agrees ? 0 : 1;
    const auto key = hash_bytes(outcome.request_hash);
    fit.cluster.push_back(static_cast<std::uint32_t>(fit.cluster.size()));
    out.text_keys.push_back(key);
    hash.add(key, {outcome.agrees ? 1.0 : 0.0});
  }
  if (fit.features.empty()) return no_labels(out.from);
  out.need_share = static_cast<double>(needed) / static_cast<double>(fit.features.size());
  fit.data_hash = hash.hex();
  fit.encoder_hash = embedder.encoder_hash();
  return out;
}

}  // namespace

Result<LabelledRequests> load_labelled(const TrainSource& source, TextEmbedder& embedder) {
  const int sources =
      (source.data.empty() ? 0 : 1) + (source.battles.empty() ? 0 : 1) + (source.data_dir.empty() ? 0 : 1);
  if (sources != 1) {
    return fail(ErrorKind::kCallerInvalid, "one_source",
                "Name one source of labels: --data FILE@WEAK,STRONG (recorded outcomes), --battles FILE, or "
                "--data-dir DIR (a stopped gateway's own outcomes).",
                "--data");
  }
  if (!source.data.empty()) return from_outcomes(source, embedder);
  if (!source.battles.empty()) return from_battles(source, embedder);
  return from_gateway(source, embedder);
}

void remember_text_keys(Artefact& artefact, const std::vector<std::uint64_t>& text_keys) {
  Tensor tensor;
  tensor.shape = {static_cast<std::uint32_t>(text_keys.size()), 2};
  for (const auto key : text_keys) {
    tensor.values.push_back(static_cast<float>(key & kHalfMask));
    tensor.values.push_back(static_cast<float>((key >> kHalfBits) & kHalfMask));
  }
  artefact.tensors[kKeysTensor] = std::move(tensor);
}

std::vector<std::uint64_t> fitted_text_keys(const Artefact& artefact) {
  std::vector<std::uint64_t> out;
  const auto tensor = artefact.tensor(kKeysTensor, {0, 2});
  if (!tensor) return out;
  const auto& values = (*tensor)->values;
  for (std::size_t i = 0; i + 1 < values.size(); i += 2) {
    const auto half = [](float value) {
      return value >= 0 && value <= static_cast<float>(kHalfMask) ? static_cast<std::uint64_t>(value) : 0;
    };
    out.push_back(half(values[i]) | half(values[i + 1]) << kHalfBits);
  }
  std::sort(out.begin(), out.end());
  return out;
}

bool was_fitted(const std::vector<std::uint64_t>& fitted, std::uint64_t text_key) {
  return std::binary_search(fitted.begin(), fitted.end(), text_key & kKeyMask);
}

}  // namespace brevet
