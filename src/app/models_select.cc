#include "app/models_select.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <iostream>
#include <map>

#include "app/measured_quality.h"
#include "app/models_text.h"
#include "app/models_wish.h"
#include "catalog/model_choice.h"

namespace brevet {
namespace {

namespace json = boost::json;

/// A model of a data file that answered fewer of its records than this would decide what is compared.
constexpr double kCoverageMin = 0.5;

tl::unexpected<Error> bad(const std::string& option, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_value", option + " " + what + ".", option);
}

struct Candidate {
  std::string name;  ///< shown: of the data file, else of the catalogue
  ModelFacts facts;
  Judged judged;
  std::size_t data_index = 0;
  std::optional<double> quality;
  std::optional<Interval> interval;  ///< measured
  std::string quality_source;        ///< published: setup and source
  std::optional<double> cost;
  std::string cost_note;  ///< basis
  bool on_front = false;
  std::optional<Interval> gain;  ///< over the next cheaper one of the front, paired
};

void cannot_tell(Candidate& candidate, const char* constraint, std::string sentence, UnknownRule rule) {
  const auto verdict = rule == UnknownRule::kReject ? Verdict3::kFails : Verdict3::kCannotTell;
  candidate.judged.findings.push_back({constraint, verdict, std::move(sentence)});
  candidate.judged.verdict = verdict;
}

class Selection {
 public:
  Selection(const ModelCatalogue& catalogue, const ModelsFlags& flags, ModelWish wish)
      : catalogue_(catalogue), flags_(flags), wish_(std::move(wish)) {}

  Result<int> run() {
    auto loaded = flags_.data_file.empty() ? from_catalogue() : from_data();
    if (!loaded) return fail(loaded.error());
    for (auto& candidate : candidates_) candidate.judged = judge_model(candidate.facts, wish_);
    auto rated = flags_.data_file.empty() ? rate_published() : rate_measured();
    if (!rated) return fail(rated.error());
    set_costs();
    set_front();
    flags_.json ? print_json() : print_text();
    return meeting().empty() ? 1 : 0;
  }

 private:
  Result<> from_catalogue() {
    for (const auto& [name, model] : catalogue_.models())
      candidates_.push_back({name, catalogue_.resolved(model), {}});
    return {};
  }

  Result<> from_data() {
    if (!flags_.prices_file.empty()) {
      auto prices = PriceTable::load(flags_.prices_file);
      if (!prices) return fail(prices.error());
      prices_ = *std::move(prices);
    }
    auto table = read_measured(flags_.data_file);
    if (!table) return fail(table.error());
    table_ = *std::move(table);
    std::map<std::string, std::string> names;
    for (const auto& pair : flags_.names) {
      const auto equals = pair.find('=');
      if (equals == std::string::npos || equals == 0)
        return bad("--name", "must be DATA_NAME=CATALOGUE_NAME");
      names[pair.substr(0, equals)] = pair.substr(equals + 1);
      if (!catalogue_.find(pair.substr(equals + 1)))
        return fail(ErrorKind::kCallerInvalid, "unknown_model",
                    "The catalogue has no model '" + pair.substr(equals + 1) + "'.", "--name");
      if (std::find(table_.models.begin(), table_.models.end(), pair.substr(0, equals)) ==
          table_.models.end())
        return fail(ErrorKind::kCallerInvalid, "unknown_model",
                    "The data file has no model '" + pair.substr(0, equals) + "'.", "--name");
    }
    for (std::size_t i = 0; i < table_.models.size(); ++i) {
      const auto named = names.find(table_.models[i]);
      const auto* known = catalogue_.find(named == names.end() ? table_.models[i] : named->second);
      Candidate candidate{table_.models[i], known ? catalogue_.resolved(*known) : ModelFacts{}, {}, i};
      if (!known) candidate.facts.name = table_.models[i];
      // The price that was asked for beats the catalogue's.
      if (const auto* price = prices_.find(table_.models[i])) candidate.facts.price = *price;
      candidates_.push_back(std::move(candidate));
    }
    return {};
  }

  std::vector<Candidate*> with(Verdict3 verdict) {
    std::vector<Candidate*> out;
    for (auto& candidate : candidates_) {
      if (candidate.judged.verdict == verdict) out.push_back(&candidate);
    }
    return out;
  }
  std::vector<Candidate*> meeting() { return with(Verdict3::kMeets); }

  Result<> rate_published() {
    std::map<std::string, std::size_t> known;
    for (const auto* candidate : meeting()) {
      std::map<std::string, bool> of_model;
      for (const auto& figure : candidate->facts.benchmarks) of_model[figure.benchmark] = true;
      for (const auto& [benchmark, unused] : of_model) ++known[benchmark];
    }
    benchmark_ = flags_.benchmark;
    std::size_t most = 0;
    for (const auto& [benchmark, count] : known) {
      // What most of the models have a figure of compares most of them.
      if (flags_.benchmark.empty() && count > most) {
        benchmark_ = benchmark;
        most = count;
      }
    }
    if (!flags_.benchmark.empty() && !known.contains(benchmark_)) {
      std::string names;
      for (const auto& [name, unused] : known) names += (names.empty() ? "" : ", ") + name;
      if (!known.empty())
        return bad("--benchmark", "has no figure of any model that is left; there is " + names);
    }
    for (auto* candidate : meeting()) {
      const BenchmarkFigure* found = nullptr;
      for (const auto& figure : candidate->facts.benchmarks) {
        if (figure.benchmark == benchmark_ && !found) found = &figure;
      }
      if (!found) {
        cannot_tell(*candidate, "quality",
                    benchmark_.empty() ? "no published figure is known"
                                       : "no published figure of " + benchmark_ + " is known",
                    wish_.unknown);
        continue;
      }
      candidate->quality = found->score;
      candidate->quality_source =
          fmt::format("{}, {}", found->setup.empty() ? "setup not known" : found->setup, found->source);
      setups_[found->setup].push_back(candidate->name);
    }
    return {};
  }

  Result<> rate_measured() {
    const auto records = table_.rows.size();
    std::vector<Candidate*> compared;
    for (auto* candidate : meeting()) {
      const auto answered = table_.answered(candidate->data_index);
      const auto unpriced = without_cost(*candidate);
      if (static_cast<double>(answered) < kCoverageMin * static_cast<double>(records)) {
        cannot_tell(*candidate, "quality",
                    fmt::format("it answered only {} of the {} records", answered, records), wish_.unknown);
      } else if (unpriced > 0) {
        // Before comparing: its gaps would only make fewer records common to the others.
        cannot_tell(*candidate, "cost",
                    fmt::format("{} of its {} answers have no recorded cost and its price is not known; give "
                                "--prices",
                                unpriced, answered),
                    wish_.unknown);
      } else {
        compared.push_back(candidate);
        compared_.push_back(candidate->data_index);
      }
    }
    const auto rows = measure(table_, compared_, [&](std::size_t index) -> const ModelPrice* {
      for (const auto& candidate : candidates_) {
        if (candidate.data_index == index) return candidate.facts.price ? &*candidate.facts.price : nullptr;
      }
      return nullptr;
    });
    for (std::size_t i = 0; i < compared.size(); ++i) {
      common_ = rows[i].quality.n;
      if (common_ == 0)
        return fail(ErrorKind::kCallerInvalid, "no_data",
                    "No record was answered by all models that are left; compare fewer of them.", "--data");
      compared[i]->quality = rows[i].quality.mean;
      compared[i]->interval = rows[i].quality;
      if (const auto usd = rows[i].usd_per_thousand()) {
        compared[i]->cost = usd->usd();
        compared[i]->cost_note = name_of(rows[i].basis());
      } else {
        compared[i]->cost_note = fmt::format("the token counts of {} of its {} answers are not known",
                                             rows[i].cost.unknown_count, common_);
      }
    }
    return {};
  }

  /// Answers that nothing can put a price on, where the cost is money.
  std::uint64_t without_cost(const Candidate& candidate) const {
    if (wish_.device || wish_.local_only || candidate.facts.price) return 0;
    return static_cast<std::uint64_t>(
        std::count_if(table_.rows.begin(), table_.rows.end(), [&](const auto& row) {
          return candidate.data_index < row.size() && row[candidate.data_index].score >= 0 &&
                 !row[candidate.data_index].cost;
        }));
  }

  void set_costs() {
    cost_unit_ = wish_.device               ? "request s"
                 : wish_.local_only         ? "active B"
                 : flags_.data_file.empty() ? "USD / M"
                                            : "USD / 1k";
    for (auto* candidate : meeting()) {
      std::string missing;
      if (wish_.device) {
        candidate->cost = candidate->judged.fit ? candidate->judged.fit->request_seconds : std::nullopt;
        missing = "its speed on the device cannot be estimated";
      } else if (wish_.local_only) {
        candidate->cost.reset();
        if (candidate->facts.active_parameters)
          candidate->cost = static_cast<double>(*candidate->facts.active_parameters) * 1e-9;
        missing = "its active parameters are not known";
      } else if (flags_.data_file.empty()) {
        if (candidate->facts.price)
          candidate->cost =
              blended_price(*candidate->facts.price, wish_.input_parts, wish_.output_parts).usd();
        missing = "its price is not known";
      } else {
        missing = candidate->cost_note;
      }
      if (!candidate->cost) cannot_tell(*candidate, "cost", missing, wish_.unknown);
    }
  }

  void set_front() {
    auto chosen = meeting();
    std::stable_sort(chosen.begin(), chosen.end(), [](const Candidate* a, const Candidate* b) {
      return *a->cost != *b->cost ? *a->cost < *b->cost : *a->quality > *b->quality;
    });
    std::vector<TradeOff> points;
    for (const auto* candidate : chosen) points.push_back({*candidate->cost, *candidate->quality});
    const Candidate* before = nullptr;
    for (const auto i : pareto_front(points)) {
      chosen[i]->on_front = true;
      if (before && chosen[i]->interval)
        chosen[i]->gain = paired_difference(table_, compared_, chosen[i]->data_index, before->data_index);
      before = chosen[i];
      if (!wanted_ && flags_.min_quality >= 0 && *chosen[i]->quality >= flags_.min_quality)
        wanted_ = chosen[i];
    }
    order_ = std::move(chosen);
  }

  // ---- printing
  std::string wish_text() const {
    std::vector<std::string> parts;
    for (const auto capability : wish_.capabilities) parts.emplace_back(name_of(capability));
    if (wish_.context_min) parts.push_back("context >= " + grouped(wish_.context_min));
    if (!wish_.licences.empty()) {
      std::string kinds;
      for (const auto kind : wish_.licences)
        kinds += (kinds.empty() ? "" : " or ") + std::string(name_of(kind));
      parts.push_back("licence " + kinds);
    }
    if (wish_.price_max)
      parts.push_back(
          fmt::format("price <= {} USD per million tokens at {}", wish_.price_max->to_string(), flags_.mix));
    if (wish_.parameters_max) parts.push_back("size <= " + parameters_text(wish_.parameters_max));
    if (wish_.local_only) parts.emplace_back("runs on your own machine");
    if (!wish_.today.empty()) parts.push_back("offered on " + wish_.today);
    if (wish_.device) {
      const auto& device = *wish_.device;
      parts.push_back(fmt::format("fits {} with {} tokens of context at {}", device.device.title,
                                  grouped(device.assumptions.context_tokens),
                                  device.quantisation ? std::string(device.quantisation->name)
                                                      : fmt::format("{:.4g} bits or more", device.bits_min)));
      if (device.tokens_per_second_min)
        parts.push_back(fmt::format("answers at {:.4g} tokens/s or more", *device.tokens_per_second_min));
    }
    if (parts.empty()) return "none";
    return fmt::format("{}", fmt::join(parts, "; "));
  }

  std::string quality_text() const {
    if (!flags_.data_file.empty())
      return fmt::format(
          "measured: mean score on the {} of {} records of {} that all compared models answered",
          grouped(static_cast<std::int64_t>(common_)), grouped(static_cast<std::int64_t>(table_.rows.size())),
          flags_.data_file);
    if (benchmark_.empty()) return "no published figure of the models that are left is known";
    return "published figures of " + benchmark_ +
           (setups_.size() > 1 ? ", of differing setups: compare with care" : "");
  }

  std::string cost_text() const {
    if (wish_.device)
      return fmt::format(
          "estimated seconds for {} prompt and {} answer tokens on the device (see `models show NAME "
          "--device` for the formula)",
          grouped(wish_.device->assumptions.prompt_tokens), grouped(wish_.device->assumptions.answer_tokens));
    if (wish_.local_only) return "active parameters in billions, to which work per token is proportional";
    if (flags_.data_file.empty())
      return fmt::format("list price in USD per million tokens, {} input to output", flags_.mix);
    return "USD per 1,000 queries; recorded, priced (tokens x price) or assumed (estimated tokens or prices)";
  }

  std::vector<std::string> row_of(const Candidate& candidate) const {
    std::string quality = fmt::format("{:.1f}", *candidate.quality * 100);
    std::vector<std::string> row{candidate.name};
    if (candidate.interval) {
      quality +=
          fmt::format(" [{:.1f}, {:.1f}]", candidate.interval->low * 100, candidate.interval->high * 100);
    }
    row.push_back(quality);
    row.push_back(fmt::format("{:.4g}", *candidate.cost));
    if (wish_.device) {
      row.push_back(candidate.judged.fit->quantisation.name);
    } else if (!flags_.data_file.empty() && !wish_.local_only) {
      row.push_back(candidate.cost_note);
    } else {
      row.push_back(parameters_text(candidate.facts.parameters));
    }
    row.emplace_back(candidate.on_front ? "yes" : "");
    if (!flags_.data_file.empty()) {
      row.push_back(candidate.gain ? fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", candidate.gain->mean * 100,
                                                 candidate.gain->low * 100, candidate.gain->high * 100)
                                   : "");
    } else {
      row.push_back(candidate.quality_source);
    }
    return row;
  }

  std::size_t shown(std::size_t count) const {
    return flags_.limit == 0 ? count : std::min(count, flags_.limit);
  }

  static std::string reasons(const Candidate& candidate) {
    std::string out;
    for (const auto& finding : candidate.judged.findings) out += (out.empty() ? "" : "; ") + finding.sentence;
    return out;
  }

  void print_list(const char* title, const std::vector<Candidate*>& list) const {
    std::cout << fmt::format("\n{} ({} of {})\n", title, list.size(), candidates_.size());
    for (std::size_t i = 0; i < shown(list.size()); ++i)
      std::cout << wrapped(fmt::format("  {}: {}", list[i]->name, reasons(*list[i])), 6);
    if (shown(list.size()) < list.size())
      std::cout << fmt::format("  and {} more; --limit 0 shows all\n", list.size() - shown(list.size()));
  }

  void print_text() {
    std::cout << wrapped("Hard constraints: " + wish_text() + ".", 2);
    std::cout << wrapped("Quality: " + quality_text() + ".", 2);
    std::cout << wrapped("Cost: " + cost_text() + ".", 2);
    std::vector<std::vector<std::string>> rows;
    // The front is what was asked for: it is shown whole, and others as far as there is room.
    auto room = shown(order_.size());
    for (const auto* candidate : order_) room -= candidate->on_front && room > 0 ? 1 : 0;
    for (const auto* candidate : order_) {
      if (!candidate->on_front && room == 0) continue;
      if (!candidate->on_front) --room;
      rows.push_back(row_of(*candidate));
    }
    std::cout << fmt::format("\nMeet them ({} of {})\n", order_.size(), candidates_.size());
    if (!rows.empty()) {
      const bool data = !flags_.data_file.empty();
      std::cout << table_text({"model", data ? "quality % [95%]" : "quality %", cost_unit_,
                               wish_.device                ? "format"
                               : data && !wish_.local_only ? "cost is"
                                                           : "size",
                               "front", data ? "gain over next cheaper" : "figure"},
                              rows);
    }
    if (rows.size() < order_.size())
      std::cout << fmt::format("and {} more, none of the front; --limit 0 shows all\n",
                               order_.size() - rows.size());
    for (const auto* candidate : order_) {
      for (const auto& finding : candidate->judged.findings)
        std::cout << wrapped(
            fmt::format("  allowed though not known: {}: {}", candidate->name, finding.sentence), 6);
    }
    if (!order_.empty())
      std::cout << wrapped(
          "front: no model of the list is as good and cheaper, or better and no dearer. Which of them "
          "is worth its cost is for you to say.",
          0);
    if (wish_.device && flags_.data_file.empty())
      std::cout << wrapped(
          "Figures are of unquantised weights; few bits a weight cost quality. Measure yours with "
          "--data.",
          0);
    if (flags_.min_quality >= 0) {
      std::cout << "\n"
                << (wanted_
                        ? fmt::format("Cheapest with quality of at least {:.1f}%: {}.\n",
                                      flags_.min_quality * 100, wanted_->name)
                        : fmt::format("No model of the list reaches {:.1f}%.\n", flags_.min_quality * 100));
    }
    if (const auto unsure = with(Verdict3::kCannotTell); !unsure.empty()) print_list("Cannot tell", unsure);
    const auto fallen = with(Verdict3::kFails);
    if (fallen.empty()) return;
    if (flags_.explain) return print_list("Fell out", fallen);
    std::map<std::string, std::size_t> counts;
    for (const auto* candidate : fallen) {
      for (const auto& finding : candidate->judged.findings) {
        if (finding.verdict == Verdict3::kFails) ++counts[finding.constraint];
      }
    }
    std::string by;
    for (const auto& [constraint, count] : counts)
      by += fmt::format("{}{} {}", by.empty() ? "" : ", ", constraint, count);
    std::cout << wrapped(
        fmt::format("\nFell out: {} of {}, by constraint (some by several): {}. --explain says why.",
                    fallen.size(), candidates_.size(), by),
        2);
  }

  json::array findings_json(const Candidate& candidate) const {
    json::array out;
    for (const auto& finding : candidate.judged.findings) {
      out.emplace_back(json::object{{"constraint", finding.constraint},
                                    {"known", finding.verdict == Verdict3::kFails},
                                    {"reason", finding.sentence}});
    }
    return out;
  }

  void print_json() {
    json::array meet, unsure, fallen;
    const auto interval = [](const std::optional<Interval>& figure) -> json::value {
      if (!figure) return nullptr;
      return json::object{
          {"mean", figure->mean}, {"ci95", json::array{figure->low, figure->high}}, {"n", figure->n}};
    };
    for (const auto* candidate : order_) {
      json::object row{{"name", candidate->name},
                       {"model", candidate->facts.name},
                       {"quality", *candidate->quality},
                       {"measured", interval(candidate->interval)},
                       {"cost", *candidate->cost},
                       {"on_front", candidate->on_front},
                       {"gain_over_next_cheaper", interval(candidate->gain)},
                       {"allowed_unknowns", findings_json(*candidate)}};
      if (!candidate->quality_source.empty()) row["figure"] = candidate->quality_source;
      if (!candidate->cost_note.empty()) row["cost_basis"] = candidate->cost_note;
      if (candidate->judged.fit) row["quantisation"] = candidate->judged.fit->quantisation.name;
      meet.emplace_back(std::move(row));
    }
    for (const auto* candidate : with(Verdict3::kCannotTell))
      unsure.emplace_back(json::object{{"name", candidate->name}, {"reasons", findings_json(*candidate)}});
    for (const auto* candidate : with(Verdict3::kFails))
      fallen.emplace_back(json::object{{"name", candidate->name}, {"reasons", findings_json(*candidate)}});
    json::object out{{"constraints", wish_text()},   {"quality", quality_text()},
                     {"cost", cost_text()},          {"cost_unit", cost_unit_},
                     {"meet", std::move(meet)},      {"cannot_tell", std::move(unsure)},
                     {"fell_out", std::move(fallen)}};
    if (flags_.min_quality >= 0)
      out["cheapest_with_quality"] = wanted_ ? json::value(wanted_->name) : json::value(nullptr);
    std::cout << json::serialize(out) << "\n";
  }

  const ModelCatalogue& catalogue_;
  const ModelsFlags& flags_;
  const ModelWish wish_;
  PriceTable prices_;
  MeasuredTable table_;
  std::vector<std::size_t> compared_;
  std::uint64_t common_ = 0;
  std::string benchmark_;
  std::map<std::string, std::vector<std::string>> setups_;
  std::string cost_unit_;
  std::vector<Candidate> candidates_;
  std::vector<Candidate*> order_;
  const Candidate* wanted_ = nullptr;
};

}  // namespace

Result<int> select_models(const ModelCatalogue& catalogue, const ModelsFlags& flags) {
  auto wish = wish_of(flags);
  if (!wish) return fail(wish.error());
  return Selection(catalogue, flags, *std::move(wish)).run();
}

}  // namespace brevet
