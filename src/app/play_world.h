// Questions to play against a gateway, with what the player knows of them and the gateway does not: what
// either model alone would have answered, scored and cost.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "app/player.h"
#include "base/result.h"
#include "domain/money.h"
#include "upstream/model_client.h"
#include "upstream/recorded_model.h"
#include "upstream/simulated_model.h"
#include "upstream/upstream_command.h"

namespace brevet {

/// What each model alone gives on a request: known to the player only.
struct Truth {
  double weak_score = 0;
  double strong_score = 0;
  Cost weak_cost;
  Cost strong_cost;
};

struct PlayWorld {
  std::string name;  ///< for reports: the file, or "simulated"
  std::string weak;  ///< model names, as the gateway's configuration calls them
  std::string strong;
  ModelClientPtr weak_client;  ///< the models themselves, for replay in process
  ModelClientPtr strong_client;
  std::vector<PlayItem> items;  ///< every distinct request of the world, in the order of its file or stream
  std::vector<Truth> truth;     ///< beside items
  /// Score of an answer text that was really served, 0..1; null: scored by which model served (recorded
  /// files).
  std::function<double(std::uint32_t item, const std::string& text)> grade;
  std::uint64_t dropped = 0;  ///< records left out as duplicates, contaminated or without both models
};

struct RecordedWorldOptions {
  std::string file;
  std::string responses_file;
  std::string prices_file;
  std::string weak;
  std::string strong;
  bool drop_duplicates = true;  ///< records whose rendered prompt occurred before
  bool drop_contaminated = true;
  std::string without_subject;  ///< leave one subject out, such as high_school_mathematics
};
/// Errors: those of the reader, unknown_model, no_questions.
Result<PlayWorld> recorded_world(const RecordedWorldOptions& options);

/// `requests` of the profile's stream; weak and strong are its first and last model.
Result<PlayWorld> simulated_world(const std::shared_ptr<const SimulatedWorld>& world, std::size_t requests);

/// Where the command line takes a world from: a data file, or a simulation profile (empty: the embedded one).
struct WorldSource {
  std::string data_file;
  std::string responses_file;
  std::string prices_file;
  std::string models;  ///< "WEAK,STRONG", with a data file
  std::string without_subject;
  std::string profile;
  std::size_t requests = 6'000;  ///< of a simulation
};
/// Errors: those of both worlds, missing_models, profile_unreadable.
Result<PlayWorld> make_world(const WorldSource& source);
/// Plays both models of the world over HTTP, on any free port.
Result<std::unique_ptr<UpstreamServer>> start_world(const WorldSource& source, const PlayWorld& world);

}  // namespace brevet
