// The contract on recorded outcomes: streams drawn with replacement from questions outside the router's fit,
// with the violations, the weak share and the whole cost of learning, beside what else could choose a
// threshold. Usage: contract_recorded SCORES [--streams N] [--length N] [--floor P] [--start P] [--positions
// H] [--retain R]
//        [--surplus truth|one_sided|agreement] [--budget SHARE] [--decay N] [--seed S]
// SCORES are lines of contract_scores. Everything the contract does goes through Contract and LearningPlan.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "base/random.h"
#include "quality/contract.h"
#include "quality/learning_plan.h"
#include "quality/proportion.h"

using namespace brevet;

namespace {

struct Row {
  double score, weak, strong, weak_cost, strong_cost;
  std::uint32_t position = 1;
  double z_risky = 0, z_reference = 0;
};

struct Settings {
  std::string file;
  int streams = 100, length = 20'000;
  double floor = .1, start = 1, retain = .95, budget = .05, decay = 500, credit = 60, confidence = .95;
  std::uint32_t positions = 20;
  SurplusKind surplus = SurplusKind::kTruth;
  std::uint64_t seed = 1;
};

/// Of the policy "weak at positions <= j", over the whole file.
struct Truth {
  std::vector<double> surplus, share, cost;  ///< [0..h]
  std::uint32_t best = 0;                    ///< largest j whose mean surplus is not negative
  double mixture_share = 0, mixture_cost = 1;
  double exact_share = 0, exact_cost = 1;  ///< best threshold in hindsight among all scores
};

std::vector<Row> read_rows(const Settings& settings) {
  std::vector<Row> rows;
  std::ifstream in(settings.file);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    Row row{};
    if (fields >> row.score >> row.weak >> row.strong >> row.weak_cost >> row.strong_cost)
      rows.push_back(row);
  }
  std::stable_sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.score < b.score; });
  const double n = static_cast<double>(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::size_t first = i;
    while (first > 0 && rows[first - 1].score == rows[i].score) --first;  // equal scores are one threshold
    rows[i].position = 1 + static_cast<std::uint32_t>(settings.positions * static_cast<double>(first) / n);
    rows[i].z_risky = risky_surplus(settings.surplus, settings.retain, {rows[i].strong, rows[i].weak});
    rows[i].z_reference = reference_surplus(settings.surplus, settings.retain, rows[i].strong);
  }
  return rows;
}

Truth truth_of(const std::vector<Row>& rows, std::uint32_t positions) {
  Truth truth;
  const double n = static_cast<double>(rows.size());
  for (std::uint32_t j = 0; j <= positions; ++j) {
    double surplus = 0, share = 0, cost = 0;
    for (const Row& row : rows) {
      const bool risky = row.position <= j;
      surplus += risky ? row.z_risky : row.z_reference;
      share += risky ? 1 : 0;
      cost += risky ? row.weak_cost : row.strong_cost;
    }
    truth.surplus.push_back(surplus / n);
    truth.share.push_back(share / n);
    truth.cost.push_back(cost / n);
    if (surplus >= 0) truth.best = j;
  }
  const double all = truth.surplus[positions], none = truth.surplus[0];
  double weak = 0, strong = 0, total = none * n, sent = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    weak += rows[i].weak_cost / n;
    strong += rows[i].strong_cost / n;
    total += rows[i].z_risky - rows[i].z_reference;
    sent += 1;
    if (i + 1 < rows.size() && rows[i + 1].score == rows[i].score) continue;
    if (total >= 0) truth.exact_share = sent / n;
  }
  double z = 0;
  for (const Row& row : rows) z += row.z_risky / n;
  truth.mixture_share = z >= 0 ? 1 : none / (none - z);
  truth.mixture_cost = truth.mixture_share * weak + (1 - truth.mixture_share) * strong;
  truth.exact_cost = 0;
  for (std::size_t i = 0; i < rows.size(); ++i)
    truth.exact_cost +=
        (static_cast<double>(i) < truth.exact_share * n ? rows[i].weak_cost : rows[i].strong_cost) / n;
  (void)all;
  return truth;
}

constexpr std::array<int, 3> kMarks = {1'000, 5'000, 1'000'000'000};

struct Sums {
  double share = 0, window = 0, certified_share = 0, cost = 0, retention = 0, runs = 0;
};

struct Totals {
  std::array<Sums, 3> at;
  int broken = 0, false_certificate = 0, alarms = 0;
  double first_risky = 0, served_anything = 0, refused_credit = 0;
};

void play(const std::vector<Row>& rows, const Truth& truth, const Settings& settings, std::uint64_t seed,
          Totals& totals) {
  ContractOptions options;
  options.retain = settings.retain;
  options.confidence = settings.confidence;
  options.surplus = settings.surplus;
  options.positions = settings.positions;
  options.shadow_floor = 1;
  options.credit_max = settings.credit;
  options.alarm_run_length = 1e6;
  options.key = {mix_bits(seed, 1), mix_bits(seed, 2)};
  auto contract = std::move(*Contract::create(options));
  LearningPlan plan({.floor = settings.floor,
                     .start = settings.start,
                     .budget_share = settings.budget,
                     .horizon = static_cast<double>(settings.length),
                     .decay_from = settings.decay});
  Draws draws(seed, 5);
  std::vector<double> squares(settings.positions + 2, .1), counts(settings.positions + 2, 1);
  double surplus = 0, cost = 0, strong_cost = 0, quality = 0, strong_quality = 0, declared = 1;
  int risky = 0, window = 0, window_from = 0;
  bool broken = false, false_certificate = false;
  std::uint32_t certified = 0;
  std::size_t mark = 0;
  std::uint64_t first_risky = 0;
  for (int t = 1; t <= settings.length; ++t) {
    const Row& row = rows[static_cast<std::size_t>(draws.uniform() * static_cast<double>(rows.size()))];
    ShadowQuestion question{row.strong_cost, row.weak_cost, squares[row.position] / counts[row.position],
                            certified > 0};
    const ShadowOdds odds = plan.odds(question);
    if (odds.floor != declared) {
      contract->set_floor({0, probability_of(odds.floor)});
      declared = odds.floor;
    }
    AdmitEvent event;
    event.number = contract->next_number();
    event.wish = Wish::kRisky;
    event.position = row.position;
    event.shadow_if_risky = probability_of(odds.if_risky);
    event.shadow_if_reference = probability_of(odds.if_reference);
    const Admission admission = contract->admit(event);
    const bool weak = admission.served == Served::kRisky;
    surplus += weak ? row.z_risky : row.z_reference;
    broken |= surplus < -1e-6;
    quality += weak ? row.weak : row.strong;
    strong_quality += row.strong;
    const double shadow = admission.shadow ? (weak ? row.strong_cost : row.weak_cost) : 0;
    cost += (weak ? row.weak_cost : row.strong_cost) + shadow;
    strong_cost += row.strong_cost;
    plan.admitted(row.strong_cost, shadow, question.loss_second_moment);
    risky += weak;
    window += weak;
    if (weak && first_risky == 0) first_risky = static_cast<std::uint64_t>(t);
    if (admission.shadow) {
      plan.compared();
      squares[row.position] += row.z_risky * row.z_risky;
      counts[row.position] += 1;
      SettleEvent settle;
      settle.number = admission.number;
      settle.truth = Qualities{row.strong, row.weak};
      totals.alarms += contract->settle(settle).alarm;
    }
    if (t % 16 == 0 || t == settings.length || t == kMarks[mark]) {
      certified = contract->report(0).certified;
      for (std::uint32_t j = 1; j <= certified; ++j) false_certificate |= truth.surplus[j] < 0;
    }
    if (t == kMarks[mark] || t == settings.length) {
      Sums& at = totals.at[t == settings.length ? 2 : mark];
      at.share += static_cast<double>(risky) / t;
      at.window += static_cast<double>(window) / (t - window_from);
      at.certified_share += truth.share[certified];
      at.cost += cost / strong_cost;
      at.retention += quality / strong_quality;
      at.runs += 1;
      window = 0;
      window_from = t;
      ++mark;
    }
  }
  totals.broken += broken;
  totals.false_certificate += false_certificate;
  totals.refused_credit += static_cast<double>(contract->report(0).refused_credit);
  if (first_risky > 0) {
    totals.first_risky += static_cast<double>(first_risky);
    totals.served_anything += 1;
  }
}

/// The same first n requests, both models asked, then a threshold for ever: what is usually done.
struct Chosen {
  std::string name;
  std::map<int, std::pair<double, double>> share_and_wrong;  ///< by n: sum of file share, violations
};

struct Prefix {
  std::vector<double> sum, squares, losses;  ///< [0..h] of Z, Z^2, risky losses at positions <= j
  double reference = 0;
  int n = 0;
};

/// Largest j such that good(j) holds for all up to it, or for any where `in_order` is false.
template <class Good>
std::uint32_t largest(std::uint32_t positions, bool in_order, const Good& good) {
  std::uint32_t found = 0;
  for (std::uint32_t j = 1; j <= positions; ++j) {
    if (good(j))
      found = j;
    else if (in_order)
      break;
  }
  return found;
}

void baselines(const std::vector<Row>& rows, const Truth& truth, const Settings& settings, std::uint64_t seed,
               std::map<std::string, std::map<int, std::array<double, 2>>>& table) {
  const std::uint32_t h = settings.positions;
  Draws draws(seed, 5);
  Prefix prefix;
  prefix.sum.resize(h + 1);
  prefix.squares.resize(h + 1);
  prefix.losses.resize(h + 1);
  const double range = surplus_max(settings.surplus, settings.retain) + settings.retain,
               delta = 1 - settings.confidence;
  std::vector<bool> mean_peek(h + 1), normal_peek(h + 1), hoeffding(h + 1);
  const auto book = [&](const std::string& name, int n, std::uint32_t j, bool wrong) {
    table[name][n][0] += truth.share[j];
    table[name][n][1] += wrong ? 1 : 0;
  };
  for (int t = 1; t <= 5'000; ++t) {
    const Row& row = rows[static_cast<std::size_t>(draws.uniform() * static_cast<double>(rows.size()))];
    ++prefix.n;
    prefix.reference += row.strong;
    for (std::uint32_t j = 0; j <= h; ++j) {
      const double z = row.position <= j ? row.z_risky : row.z_reference;
      prefix.sum[j] += z;
      prefix.squares[j] += z * z;
      prefix.losses[j] += row.position <= j && row.weak < row.strong ? row.strong - row.weak : 0;
    }
    const double n = t;
    // Hoeffding's bound at every n at once: union over n with weights 6 / (pi n)^2, and over positions in
    // order.
    const double radius = range * std::sqrt(std::log(1.645 * n * n / delta) / (2 * n));
    for (std::uint32_t j = 1; j <= h; ++j) {
      const double mean = prefix.sum[j] / n;
      const double error = std::sqrt(std::max(0.0, prefix.squares[j] / n - mean * mean) / n);
      if (t >= 100 && mean > 0) mean_peek[j] = true;
      if (t >= 100 && mean > 1.645 * error) normal_peek[j] = true;
      if (mean > radius) hoeffding[j] = true;
    }
    if (t != 1'000 && t != 5'000) continue;
    const auto wrong_any = [&](const std::vector<bool>& served) {
      for (std::uint32_t j = 1; j <= h; ++j)
        if (served[j] && truth.surplus[j] < 0) return true;
      return false;
    };
    const auto validated = largest(h, false, [&](auto j) { return prefix.sum[j] >= 0; });
    book("validation-tuned threshold", t, validated, truth.surplus[validated] < 0);
    const auto gate = largest(h, true, [&](auto j) {
      // The share of lost answers must be below (1 - rho) of the reference's quality, both bounds exact at
      // delta / 2.
      const auto high = exact_proportion(static_cast<std::uint64_t>(std::ceil(prefix.losses[j])),
                                         static_cast<std::uint64_t>(t), 1 - delta)
                            .high;
      const double low = exact_lower_bound(static_cast<std::uint64_t>(prefix.reference),
                                           static_cast<std::uint64_t>(t), 1 - delta / 2);
      return high <= (1 - settings.retain) * low;
    });
    book("Clopper-Pearson gate", t, gate, truth.surplus[gate] < 0);
    book("Hoeffding sequence", t, largest(h, true, [&](auto j) { return hoeffding[j]; }),
         wrong_any(hoeffding));
    book("empirical mean, peeking", t, largest(h, false, [&](auto j) { return mean_peek[j]; }),
         wrong_any(mean_peek));
    book("normal interval, peeking", t, largest(h, false, [&](auto j) { return normal_peek[j]; }),
         wrong_any(normal_peek));
  }
}

std::string interval(int count, int runs) {
  const Interval exact =
      exact_proportion(static_cast<std::uint64_t>(count), static_cast<std::uint64_t>(runs));
  return fmt::format("{} of {} [{:.2f}%, {:.2f}%]", count, runs, 100 * exact.low, 100 * exact.high);
}

bool parse(int argc, char** argv, Settings& s) {
  if (argc < 2 || argc % 2 != 0) return false;
  s.file = argv[1];
  for (int i = 2; i + 1 < argc; i += 2) {
    const std::string name = argv[i], text = argv[i + 1];
    const std::map<std::string, double*> numbers = {{"--floor", &s.floor},          {"--start", &s.start},
                                                    {"--retain", &s.retain},        {"--budget", &s.budget},
                                                    {"--decay", &s.decay},          {"--credit", &s.credit},
                                                    {"--confidence", &s.confidence}};
    const std::map<std::string, int*> counts = {{"--streams", &s.streams}, {"--length", &s.length}};
    if (numbers.contains(name))
      *numbers.at(name) = std::stod(text);
    else if (counts.contains(name))
      *counts.at(name) = std::stoi(text);
    else if (name == "--positions")
      s.positions = static_cast<std::uint32_t>(std::stoul(text));
    else if (name == "--seed")
      s.seed = std::stoull(text);
    else if (name == "--surplus")
      s.surplus = text == "agreement"   ? SurplusKind::kAgreement
                  : text == "one_sided" ? SurplusKind::kOneSided
                                        : SurplusKind::kTruth;
    else
      return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  if (!parse(argc, argv, settings)) {
    fmt::print(stderr, "usage: contract_recorded SCORES [--streams N] [--length N] [--floor P] ...\n");
    return 2;
  }
  const auto rows = read_rows(settings);
  if (rows.empty()) {
    fmt::print(stderr, "contract_recorded: {} holds no scores\n", settings.file);
    return 1;
  }
  const Truth truth = truth_of(rows, settings.positions);
  double weak = 0, strong = 0;
  for (const Row& row : rows) {
    weak += row.weak / static_cast<double>(rows.size());
    strong += row.strong / static_cast<double>(rows.size());
  }
  fmt::print(
      "{}: {} questions, weak {:.4f}, strong {:.4f}; retain {} ({}), {} positions, floor {}, start {}\n",
      settings.file, rows.size(), weak, strong, settings.retain, name_of(settings.surplus),
      settings.positions, settings.floor, settings.start);
  fmt::print(
      "in hindsight: best threshold share {:.3f} cost {:.3f} (on the path {:.3f}, {:.3f}); random mixture "
      "share "
      "{:.3f} cost {:.3f}\n",
      truth.exact_share, truth.exact_cost, truth.share[truth.best], truth.cost[truth.best],
      truth.mixture_share, truth.mixture_cost);
  Totals totals;
  std::map<std::string, std::map<int, std::array<double, 2>>> table;
  for (int s = 0; s < settings.streams; ++s) {
    play(rows, truth, settings, settings.seed + static_cast<std::uint64_t>(s), totals);
    baselines(rows, truth, settings, settings.seed + static_cast<std::uint64_t>(s), table);
  }
  const char* const names[] = {"1,000", "5,000", "all"};
  for (std::size_t m = 0; m < 3; ++m) {
    const Sums& at = totals.at[m];
    if (at.runs == 0) continue;
    fmt::print(
        "contract after {:>5}: certified share {:.3f}, weak share so far {:.3f} (since the line before "
        "{:.3f}), cost "
        "so far {:.3f}, quality of strong {:.4f}\n",
        names[m], at.certified_share / at.runs, at.share / at.runs, at.window / at.runs, at.cost / at.runs,
        at.retention / at.runs);
  }
  fmt::print(
      "first weak answer after {:.0f} requests (in {:.0f} of {} streams); refused for credit {:.0f} a "
      "stream; alarms {}\n",
      totals.served_anything > 0 ? totals.first_risky / totals.served_anything : 0, totals.served_anything,
      settings.streams, totals.refused_credit / settings.streams, totals.alarms);
  fmt::print("surplus below 0 at any time: {}\n", interval(totals.broken, settings.streams));
  fmt::print("certified what is not so: {}\n", interval(totals.false_certificate, settings.streams));
  for (const auto& [name, by_n] : table)
    for (const auto& [n, sums] : by_n)
      fmt::print("{} at {}: share {:.3f}, wrong {}\n", name, n, sums[0] / settings.streams,
                 interval(static_cast<int>(sums[1]), settings.streams));
  return 0;
}
