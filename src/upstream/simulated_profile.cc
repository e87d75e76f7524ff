// The declared world as JSON: the embedded default and the strict reader.
#include <boost/json.hpp>
#include <cmath>
#include <functional>
#include <map>
#include <set>

#include "upstream/simulated_model.h"

namespace brevet {
namespace {

tl::unexpected<Error> bad(const std::string& name, const std::string& field, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_profile", name + ": " + field + " " + what + ".", field);
}

/// Reads the keys of one object, each by its own function; an unknown or unreadable one is the error.
using Readers = std::map<std::string, std::function<bool(const boost::json::value&)>>;

std::optional<std::string> read_object(const boost::json::object& object, const Readers& readers,
                                       std::string& what) {
  for (const auto& [key, value] : object) {
    const auto reader = readers.find(std::string(key));
    if (reader == readers.end()) {
      what = "is not known; known are ";
      for (const auto& [name, unused] : readers) what += (what.ends_with("are ") ? "" : ", ") + name;
      return std::string(key);
    }
    if (!reader->second(value)) {
      what = "has a value of the wrong type or out of range";
      return std::string(key);
    }
  }
  return std::nullopt;
}

auto number(double& out, double low, double high) {
  return [&out, low, high](const boost::json::value& value) {
    if (!value.is_number()) return false;
    out = value.to_number<double>();
    return std::isfinite(out) && out >= low && out <= high;
  };
}
auto text(std::string& out) {
  return [&out](const boost::json::value& value) {
    if (!value.is_string()) return false;
    out = std::string(value.get_string());
    return true;
  };
}

/// Default values say what a field means when a profile leaves it out; skill and price have none.
Result<SimulatedModelProfile> read_model(const boost::json::value& value, const std::string& name,
                                         const std::string& where) {
  const auto* object = value.if_object();
  if (!object) return bad(name, where, "must be an object");
  SimulatedModelProfile model;
  double latency_ms = static_cast<double>(model.latency.count());
  double per_token_ms = static_cast<double>(model.per_token.count()) / 1000;
  double input = -1, output = -1;
  std::string faults;
  const Readers readers = {
      {"name", text(model.name)},
      {"skill", number(model.skill, -10, 10)},
      {"topic_loading", number(model.topic_loading, 0, 10)},
      {"size_loading", number(model.size_loading, 0, 10)},
      {"guide_gain", number(model.guide_gain, 0, 10)},
      {"guide_redraw", number(model.guide_redraw, 0, 1)},
      {"reasoning_gain", number(model.reasoning_gain, 0, 10)},
      {"sample_redraw", number(model.sample_redraw, 0, 1)},
      {"logprob_signal", number(model.logprob_signal, 0, 10)},
      {"guide_leak_rate", number(model.guide_leak_rate, 0, 1)},
      {"guide_unrelated", number(model.guide_unrelated, 0, 1)},
      {"judge_flip_rate", number(model.judge_flip_rate, 0, 1)},
      {"judge_first_bias", number(model.judge_first_bias, 0, 1)},
      {"latency_ms", number(latency_ms, 0, 3.6e6)},
      {"latency_spread", number(model.latency_spread, 0, 3)},
      {"per_token_ms", number(per_token_ms, 0, 1e5)},
      {"input_usd_per_million", number(input, 0, 1e4)},
      {"output_usd_per_million", number(output, 0, 1e4)},
      {"faults", text(faults)},
  };
  std::string what;
  if (const auto key = read_object(*object, readers, what)) return bad(name, where + "." + *key, what);
  for (const char* key : {"name", "skill", "input_usd_per_million", "output_usd_per_million"}) {
    if (!object->contains(key)) return bad(name, where + "." + key, "is missing");
  }
  if (model.name.empty() || model.name.find('|') != std::string::npos) {
    return bad(name, where + ".name", "must not be empty or hold '|'");
  }
  model.latency = Milliseconds{static_cast<std::int64_t>(latency_ms)};
  model.per_token = Microseconds{static_cast<std::int64_t>(per_token_ms * 1000)};
  model.price.input_per_million = Money::from_usd(input);
  model.price.output_per_million = Money::from_usd(output);
  auto plan = parse_faults(faults);
  if (!plan) return bad(name, where + ".faults", "is wrong: " + plan.error().message);
  model.faults = *plan;
  return model;
}

}  // namespace

const SimulatedModelProfile* SimulationProfile::find(std::string_view name) const {
  for (const auto& model : models) {
    if (model.name == name) return &model;
  }
  return nullptr;
}

Result<SimulationProfile> parse_simulation_profile(std::string_view json, const std::string& name) {
  boost::system::error_code error;
  const auto root = boost::json::parse(json, error);
  if (error) return bad(name, "(file)", "is not JSON: " + error.message());
  const auto* object = root.if_object();
  if (!object) return bad(name, "(file)", "must be a JSON object");
  SimulationProfile profile;
  double seed = 1, requests = static_cast<double>(profile.questions.requests);
  const boost::json::object* questions = nullptr;
  const boost::json::array* models = nullptr;
  std::string note;
  const Readers readers = {
      {"note", text(note)},
      {"questions", [&](const auto& value) { return (questions = value.if_object()) != nullptr; }},
      {"shared", number(profile.shared, 0, 1)},
      {"speed", number(profile.speed, 0, 1e6)},
      {"models", [&](const auto& value) { return (models = value.if_array()) != nullptr; }},
  };
  std::string what;
  if (const auto key = read_object(*object, readers, what)) return bad(name, *key, what);
  if (questions) {
    const Readers inner = {{"seed", number(seed, 0, 9e15)},
                           {"requests", number(requests, 1, 1e6)},
                           {"repeat_share", number(profile.questions.repeat_share, 0, 1)},
                           {"reworded_share", number(profile.questions.reworded_share, 0, 1)}};
    if (const auto key = read_object(*questions, inner, what)) return bad(name, "questions." + *key, what);
  }
  if (profile.questions.repeat_share + profile.questions.reworded_share > 1) {
    return bad(name, "questions.repeat_share", "and reworded_share add up to more than 1");
  }
  profile.questions.seed = static_cast<std::uint64_t>(seed);
  profile.questions.requests = static_cast<std::size_t>(requests);
  if (!models || models->empty()) return bad(name, "models", "is missing: a world needs at least one model");
  std::set<std::string> names;
  for (std::size_t i = 0; i < models->size(); ++i) {
    const std::string where = "models[" + std::to_string(i) + "]";
    auto model = read_model((*models)[i], name, where);
    if (!model) return fail(model.error());
    if (!names.insert(model->name).second) return bad(name, where + ".name", "occurs twice");
    profile.models.push_back(std::move(*model));
  }
  return profile;
}

std::string_view default_simulation_profile() {
  // Skills give about .60 and .88 right; loadings give what a text can tell of "weak is right" (AUROC about
  // .65 at best); prices are those of a small and a large model of one family.
  return R"({
  "note": "A made-up world: no real model is behind these names. See docs/recorded-and-simulated.md.",
  "questions": {"seed": 1, "requests": 20000, "repeat_share": 0.15, "reworded_share": 0.10},
  "shared": 0.5,
  "speed": 0,
  "models": [
    {"name": "weak-sim", "skill": 0.27, "topic_loading": 0.28, "size_loading": 0.2, "guide_gain": 0.6,
     "guide_redraw": 0.2, "logprob_signal": 1.2, "judge_flip_rate": 0.15, "judge_first_bias": 0.2,
     "latency_ms": 180, "latency_spread": 0.3, "per_token_ms": 6,
     "input_usd_per_million": 0.15, "output_usd_per_million": 0.60},
    {"name": "strong-sim", "skill": 1.26, "topic_loading": 0.25, "size_loading": 0.15, "guide_gain": 0.1,
     "guide_redraw": 0.1, "logprob_signal": 1.2, "guide_leak_rate": 0.05, "judge_flip_rate": 0.04,
     "judge_first_bias": 0.06, "latency_ms": 600, "latency_spread": 0.35, "per_token_ms": 18,
     "input_usd_per_million": 2.5, "output_usd_per_million": 10.0}
  ]
}
)";
}

}  // namespace brevet
