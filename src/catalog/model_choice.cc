#include "catalog/model_choice.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numeric>

namespace brevet {
namespace {

class Judge {
 public:
  Judge(const ModelFacts& model, const ModelWish& wish) : model_(model), wish_(wish) {}

  Judged run() {
    for (const auto capability : wish_.capabilities) check_capability(capability);
    check_context();
    check_licence();
    check_price();
    check_size();
    check_local();
    check_retired();
    check_device();
    std::stable_partition(out_.findings.begin(), out_.findings.end(),
                          [](const Finding& finding) { return finding.verdict == Verdict3::kFails; });
    for (const auto& finding : out_.findings) {
      if (finding.verdict == Verdict3::kFails) out_.verdict = Verdict3::kFails;
      if (finding.verdict == Verdict3::kCannotTell && out_.verdict == Verdict3::kMeets &&
          wish_.unknown == UnknownRule::kSeparate)
        out_.verdict = Verdict3::kCannotTell;
    }
    return std::move(out_);
  }

 private:
  void fails(std::string constraint, std::string sentence) {
    out_.findings.push_back({std::move(constraint), Verdict3::kFails, std::move(sentence)});
  }
  void unknown(std::string constraint, std::string sentence) {
    const bool reject = wish_.unknown == UnknownRule::kReject;
    out_.findings.push_back(
        {std::move(constraint), reject ? Verdict3::kFails : Verdict3::kCannotTell, std::move(sentence)});
  }

  void check_capability(Capability capability) {
    const auto& has = model_.has(capability);
    if (!has) {
      unknown(name_of(capability), fmt::format("whether it has {} is not known", name_of(capability)));
    } else if (!*has) {
      fails(name_of(capability), fmt::format("has no {}", name_of(capability)));
    }
  }
  void check_context() {
    if (!wish_.context_min) return;
    if (!model_.context_tokens) {
      unknown("context", "its context is not known");
    } else if (*model_.context_tokens < *wish_.context_min) {
      fails("context",
            fmt::format("context of {} tokens, {} wanted", *model_.context_tokens, *wish_.context_min));
    }
  }
  void check_licence() {
    if (wish_.licences.empty()) return;
    if (!model_.licence) {
      unknown("licence", "its licence is not known");
    } else if (std::find(wish_.licences.begin(), wish_.licences.end(), model_.licence->kind) ==
               wish_.licences.end()) {
      fails("licence", fmt::format("licence {} is {}", model_.licence->spdx, name_of(model_.licence->kind)));
    }
  }
  void check_price() {
    if (!wish_.price_max) return;
    if (!model_.price) return unknown("price", "its price is not known");
    const auto price = blended_price(*model_.price, wish_.input_parts, wish_.output_parts);
    if (price > *wish_.price_max) {
      fails("price", fmt::format("{} USD per million tokens ({} input : {} output), at most {} wanted",
                                 price.to_string(), wish_.input_parts, wish_.output_parts,
                                 wish_.price_max->to_string()));
    }
  }
  void check_size() {
    if (!wish_.parameters_max) return;
    if (!model_.parameters) {
      unknown("size", "its size is not known");
    } else if (*model_.parameters > *wish_.parameters_max) {
      fails("size", fmt::format("{:.3g} billion parameters, at most {:.3g} wanted",
                                static_cast<double>(*model_.parameters) * 1e-9,
                                static_cast<double>(*wish_.parameters_max) * 1e-9));
    }
  }
  bool check_weights(const char* constraint) {
    if (!model_.open_weights) {
      unknown(constraint, "whether its weights may be had is not known");
    } else if (!*model_.open_weights) {
      fails(constraint, "runs at its provider only: the weights are not published");
    }
    return model_.open_weights.value_or(false);
  }
  void check_local() {
    if (wish_.local_only) check_weights("local");
  }
  void check_retired() {
    // Weights that are published stay, whatever a provider stops to serve.
    if (wish_.today.empty() || !model_.retires || *model_.retires > wish_.today) return;
    if (model_.open_weights.value_or(false) && (wish_.local_only || wish_.device)) return;
    fails("retired", fmt::format("its provider ended it on {}", *model_.retires));
  }
  void check_device() {
    if (!wish_.device) return;
    if (!wish_.local_only && !check_weights("device")) return;
    if (wish_.local_only && !model_.open_weights.value_or(false)) return;
    const auto& device = *wish_.device;
    if (!model_.parameters) return unknown("device", "its size is not known, so neither is its memory");
    if (!device.device.memory_bytes) return unknown("device", "the memory of the device is not known");
    // From the largest quantisation to the smallest: of those that fit the first that is quick enough.
    std::optional<Fit> best, perhaps, too_slow, smallest;
    for (const auto& fit : estimate_fits(model_, device.device, device.assumptions)) {
      if (device.quantisation ? std::string_view(fit.quantisation.name) != device.quantisation->name
                              : fit.quantisation.bits < device.bits_min)
        continue;
      smallest = fit;
      if (fit.fits == Fits::kUnknown && !perhaps) perhaps = fit;
      if (fit.fits != Fits::kYes) continue;
      const bool slow = device.tokens_per_second_min && fit.answer_tokens_per_second &&
                        *fit.answer_tokens_per_second < *device.tokens_per_second_min;
      if (slow) {
        too_slow = fit;
      } else if (!best) {
        best = fit;
      }
    }
    if (!smallest) return fails("device", "no quantisation has as many bits as wanted");
    if (!best && too_slow) {
      return fails("device", fmt::format("about {:.1f} tokens per second at {}, at least {:.1f} wanted",
                                         *too_slow->answer_tokens_per_second, too_slow->quantisation.name,
                                         *device.tokens_per_second_min));
    }
    if (!best && perhaps) {
      out_.fit = perhaps;
      return unknown("device", fmt::format("weights fit at {}, but the size of its cache is not known",
                                           perhaps->quantisation.name));
    }
    if (!best) {
      return fails("device", fmt::format("needs {}{:.1f} GB at {}, the device has {:.1f} GB for it",
                                         smallest->memory_is_lower_bound ? "more than " : "",
                                         *smallest->memory_bytes * 1e-9, smallest->quantisation.name,
                                         *device.device.memory_bytes * device.device.memory_share * 1e-9));
    }
    out_.fit = best;
    if (device.tokens_per_second_min && !best->answer_tokens_per_second)
      unknown("device", "its speed on the device cannot be estimated");
    if (model_.context_tokens && *model_.context_tokens < device.assumptions.context_tokens)
      fails("device", fmt::format("context of {} tokens, {} wanted on the device", *model_.context_tokens,
                                  device.assumptions.context_tokens));
  }

  const ModelFacts& model_;
  const ModelWish& wish_;
  Judged out_;
};

}  // namespace

Judged judge_model(const ModelFacts& model, const ModelWish& wish) {
  return Judge(model, wish).run();
}

std::vector<std::size_t> pareto_front(const std::vector<TradeOff>& points) {
  std::vector<std::size_t> order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return points[a].cost != points[b].cost ? points[a].cost < points[b].cost
                                            : points[a].quality > points[b].quality;
  });
  std::vector<std::size_t> out;
  double best = -std::numeric_limits<double>::infinity();
  double best_cost = 0;
  for (const auto i : order) {
    const auto& point = points[i];
    // Of one cost the best come first; a later point of that quality is its equal only at the same cost.
    const bool equal = !out.empty() && point.quality == best && point.cost == best_cost;
    if (point.quality <= best && !equal) continue;
    best = point.quality;
    best_cost = point.cost;
    out.push_back(i);
  }
  return out;
}

}  // namespace brevet
