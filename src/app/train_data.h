// Labelled requests for routers, from the three sources that a user has: recorded outcomes, battles, and what
// the gateway itself found out.
//
// Used by `brevet train` and `brevet calibrate --router`. Reads files and embeds.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "app/embed_texts.h"
#include "base/result.h"
#include "router/artefact.h"
#include "train/fit.h"

namespace brevet {

/// Where labels come from: exactly one of the first three.
struct TrainSource {
  std::string data;                 ///< FILE or FILE@WEAK,STRONG: recorded outcomes
  std::string battles;              ///< a battle file
  std::string data_dir;             ///< folder of a gateway, which must be stopped
  std::vector<std::string> models;  ///< cheapest first, strong last; may be empty where the source says
  std::string prices;               ///< price file for outcomes without costs
  std::string tenant;               ///< data_dir: of this tenant alone
  std::size_t labels_max = 0;       ///< only so many labelled requests, whole clusters; 0 = all
  std::uint64_t seed = 1;           ///< of which ones
};

struct LabelledRequests {
  FitData fit;
  /// Hash of each request's normalised text (of its request hash, from a gateway), equal across files.
  std::vector<std::uint64_t> text_keys;
  std::vector<std::string> texts;  ///< as they are asked; empty from a gateway, which keeps none
  std::size_t available = 0;       ///< labelled requests of the source, before labels_max
  std::string from;                ///< "outcomes.jsonl.gz"
  std::string label;               ///< what a label says: "scores", "battles", "agreement with the reference"
  double need_share = 0;           ///< share of labelled comparisons in which strong was better
};

/// Errors: those of the readers and of the encoder; one_source (none or several sources), models_needed (the
/// source speaks of several models or pairs and `models` does not say which), no_data, no_labels.
Result<LabelledRequests> load_labelled(const TrainSource& source, TextEmbedder& embedder);

/// So that calibration can keep away from what taught the router: the keys of its fitting requests ride along
/// in its file, 48 bits each.
void remember_text_keys(Artefact& artefact, const std::vector<std::uint64_t>& text_keys);
/// True where the router learned from a request with this key. Sorted keys from fitted_text_keys().
std::vector<std::uint64_t> fitted_text_keys(const Artefact& artefact);
bool was_fitted(const std::vector<std::uint64_t>& fitted, std::uint64_t text_key);

}  // namespace brevet
