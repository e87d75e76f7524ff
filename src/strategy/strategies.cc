#include <fmt/format.h>

#include <algorithm>

#include "strategy/checked_options.h"
#include "strategy/kinds.h"

namespace brevet {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const auto above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

/// " Did you mean 'x'?" for the nearest name, else the list of all.
std::string suggestion(std::string_view wrong, const std::vector<std::string>& known) {
  const std::string* best = nullptr;
  std::size_t distance = 4;
  for (const auto& name : known) {
    const auto d = edit_distance(wrong.substr(0, 64), name);
    if (d < distance) distance = d, best = &name;
  }
  if (best) return fmt::format(" Did you mean '{}'?", *best);
  return fmt::format(" Known are: {}.", fmt::join(known, ", "));
}

const char* type_name(const OptionValue& value) {
  static constexpr const char* kNames[] = {"a number", "a whole number", "true or false", "a text"};
  return kNames[value.index()];
}

tl::unexpected<Error> bad_option(std::string_view strategy, const OptionSpec& spec, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_option",
              fmt::format("Option '{}' of strategy '{}' {}.", spec.name, strategy, what), spec.name);
}

}  // namespace

const std::vector<StrategyKind>& strategies() {
  static const std::vector<StrategyKind> list = [] {
    std::vector<StrategyKind> out = {
        adaptive_kind(),  // the default: calibrated estimate, exact repeats, log-probability of the answer
        rar_kind(),       // RAR as published: nearest remembered request over a threshold
        knn_kind(),       // agreement among similar remembered requests
        exact_lookup_kind(),      // what remembering repeats alone gives
        random_mixture_kind(),    // what any router must beat
        self_consistency_kind(),  // several samples and a vote
        blended_kind(),           // a random candidate for each turn
        blender_kind(),           // every candidate, ranked in pairs, fused
        tree_of_thoughts_kind(),  // a search over steps
        more_kind(),              // experts by prompt, a forest chooses
        causal_llm_kind(),        // RouteLLM's causal classifier: a model is asked for a grade
        always_weak_kind(),
        always_strong_kind(),
        cascade_kind(),          // the cheapest answer whose signal is enough
        frugal_cascade_kind(),   // learned list and thresholds
        cascade_routing_kind(),  // learned: the next model or the end, after every answer
        rar_shadow_kind(),       // not for serving: what is tried off the request path
    };
    add_trained_kinds(out);  // one per kind of router that src/router knows
    return out;
  }();
  return list;
}

const Comparison* Evidence::comparison(int first, int second) const {
  for (auto it = comparisons.rbegin(); it != comparisons.rend(); ++it) {
    if (it->first == first && it->second == second) return &*it;
  }
  return nullptr;
}

Result<OptionValues> checked_options(std::string_view name, const std::vector<OptionSpec>& options,
                                     const OptionValues& given) {
  OptionValues complete;
  std::vector<std::string> known;
  for (const auto& spec : options) {
    known.push_back(spec.name);
    complete[spec.name] = spec.fallback;
  }
  for (const auto& entry : given) {
    const auto& key = entry.first;
    const auto& value = entry.second;
    const auto spec =
        std::find_if(options.begin(), options.end(), [&](const OptionSpec& row) { return row.name == key; });
    if (spec == options.end()) {
      return fail(ErrorKind::kCallerInvalid, "unknown_option",
                  fmt::format("Strategy '{}' has no option '{}'.{}", name, key, suggestion(key, known)), key);
    }
    OptionValue checked = value;
    // YAML writes 1 for 1.0.
    if (std::holds_alternative<double>(spec->fallback) && std::holds_alternative<std::int64_t>(value)) {
      checked = static_cast<double>(std::get<std::int64_t>(value));
    }
    if (checked.index() != spec->fallback.index()) {
      return bad_option(name, *spec,
                        fmt::format("is {}, not {}", type_name(spec->fallback), type_name(value)));
    }
    std::optional<double> number;
    if (const auto* d = std::get_if<double>(&checked)) number = *d;
    if (const auto* i = std::get_if<std::int64_t>(&checked)) number = static_cast<double>(*i);
    if (number && !(*number >= spec->low.value_or(-1e300) && *number <= spec->high.value_or(1e300))) {
      return bad_option(
          name, *spec,
          fmt::format("must lie between {} and {}", spec->low.value_or(-1e300), spec->high.value_or(1e300)));
    }
    complete[key] = std::move(checked);
  }
  return complete;
}

Result<StrategyPtr> make_strategy(std::string_view name, const OptionValues& given, RouterPtr router) {
  const StrategyKind* kind = nullptr;
  std::vector<std::string> names;
  for (const auto& row : strategies()) {
    names.push_back(row.name);
    if (row.name == name) kind = &row;
  }
  if (!kind) {
    return fail(ErrorKind::kCallerInvalid, "unknown_strategy",
                fmt::format("There is no strategy '{}'.{}", name, suggestion(name, names)), "strategy");
  }
  const auto& options = router && !kind->trained_options.empty() ? kind->trained_options : kind->options;
  auto complete = checked_options(name, options, given);
  if (!complete) return fail(complete.error());
  if (!router) {
    if (kind->make) return kind->make(*complete);
    return fail(
        ErrorKind::kCallerInvalid, "router_missing",
        fmt::format("Strategy '{}' reads a trained router, and none was given. `brevet train {}` makes "
                    "one; name its file in the option 'router'.",
                    name, name),
        "router");
  }
  if (!kind->make_trained) {
    return fail(ErrorKind::kCallerInvalid, "router_not_read",
                fmt::format("Strategy '{}' reads no trained router, and one was given.", name), "router");
  }
  if (!kind->any_router && router->info().kind != name) {
    return fail(ErrorKind::kCallerInvalid, "router_kind_mismatch",
                fmt::format("Strategy '{}' was given a router of kind '{}'.", name, router->info().kind),
                "router");
  }
  return kind->make_trained(*complete, std::move(router));
}

Result<StrategyPtr> make_serving_strategy(std::string_view name, const OptionValues& given,
                                          RouterPtr router) {
  for (const auto& kind : strategies()) {
    if (kind.name != name || !kind.shadow_plan) continue;
    return fail(
        ErrorKind::kCallerInvalid, "shadow_plan_cannot_serve",
        fmt::format(
            "'{}' only learns off the request path and never serves an answer. Choose a strategy such "
            "as 'adaptive'; learning.enabled: true runs '{}' beside it.",
            name, name),
        "strategy");
  }
  return make_strategy(name, given, std::move(router));
}

}  // namespace brevet
