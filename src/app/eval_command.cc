// `brevet eval`: strategies and baselines on recorded outcomes, as JSON, a table and a report in HTML.
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "app/commands.h"
#include "app/data_argument.h"
#include "app/open_encoder.h"
#include "app/paths.h"
#include "eval/engine.h"
#include "eval/report_html.h"
#include "eval/report_json.h"
#include "eval/report_table.h"
#include "features/static_encoder.h"

namespace brevet {
namespace {

Result<> apply_at(const std::string& at, EvalOptions& options) {
  if (at.empty()) return {};
  constexpr std::string_view kShare = "strong_share=";
  double share = -1;
  if (at.starts_with(kShare)) {
    char* end = nullptr;
    share = std::strtod(at.c_str() + kShare.size(), &end);
    if (end == at.c_str() + kShare.size() || *end != '\0') share = -1;
  }
  if (!(share >= 0 && share <= 1)) {
    return fail(ErrorKind::kCallerInvalid, "bad_operating_point",
                "'" + at + "' is no operating point; say strong_share=S with S from 0 to 1.", "--at");
  }
  options.at_strong_share = share;
  return {};
}

double peak_memory_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

Result<> write_file(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  if (!out.flush())
    return fail(ErrorKind::kCallerInvalid, "output_unwritable", "Cannot write " + path + ".", "output");
  return {};
}

/// One line that is drawn over itself on a terminal, and a line now and then elsewhere.
class Progress {
 public:
  void tell(const std::string& what, std::size_t done, std::size_t all, std::optional<double> left) {
    const auto now = std::chrono::steady_clock::now();
    const bool terminal = isatty(STDERR_FILENO) != 0;
    const auto patience = terminal ? std::chrono::milliseconds(100) : std::chrono::milliseconds(10'000);
    if (now - last_ < patience) return;
    last_ = now;
    auto text = fmt::format("{} {} of {}", what, done, all);
    if (left) text += fmt::format(", about {} left", duration(*left));
    if (terminal) {
      fmt::print(stderr, "\r\033[K{}", text);
      drawn_ = true;
    } else {
      fmt::print(stderr, "{}\n", text);
    }
    std::fflush(stderr);
  }
  void end() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
    drawn_ = false;
  }

 private:
  static std::string duration(double seconds) {
    if (seconds < 90) return fmt::format("{:.0f} s", seconds);
    return fmt::format("{:.0f} min", seconds / 60);
  }
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  bool drawn_ = false;
};

Result<EvalOptions> options_of(const EvalFlags& flags) {
  EvalOptions options;
  if (flags.data.empty())
    return fail(ErrorKind::kCallerInvalid, "missing_data", "Say --data FILE: recorded outcomes.", "--data");
  std::shared_ptr<const PriceTable> prices;
  if (!flags.prices.empty()) {
    auto loaded = PriceTable::load(flags.prices);
    if (!loaded) return fail(loaded.error());
    prices = std::make_shared<const PriceTable>(std::move(*loaded));
    options.prices = flags.prices;
  }
  for (const auto& text : flags.data) {
    const auto data = parse_data(text);
    QuestionSetOptions set;
    set.file = data.file;
    set.models = data.models.empty() ? split_list(flags.models, ',') : data.models;
    set.responses_file = flags.responses;
    set.prices = prices;
    set.without_subject = flags.without_subject;
    set.groups_file = flags.groups;
    set.fit_labels = flags.fit_labels.front();
    set.fit_labels_max = *std::max_element(flags.fit_labels.begin(), flags.fit_labels.end());
    set.calibration_labels = flags.calibration_labels;
    set.questions_max = flags.questions;
    set.seed = flags.seed;
    set.truth_signal = flags.signal == "truth";
    for (const auto& what : split_list(flags.drop, ',')) {
      if (what == "contaminated") {
        set.drop.contaminated = true;
      } else if (what == "duplicates") {
        set.drop.duplicates = true;
      } else {
        return fail(ErrorKind::kCallerInvalid, "bad_drop",
                    "'" + what + "' cannot be dropped; say contaminated, duplicates or both.", "--drop");
      }
    }
    // Two runs over one file, such as with two pairs of models, are two data sets of the report.
    std::size_t same = 0;
    for (const auto& other : options.sets) same += other.file == set.file ? 1 : 0;
    if (same > 0 || !data.models.empty()) {
      auto name = std::filesystem::path(set.file).filename().string();
      set.name = name.substr(0, name.find(".jsonl"));
      if (same > 0) set.name += fmt::format("@{},{}", set.models.front(), set.models.back());
    }
    options.sets.push_back(std::move(set));
  }
  for (const auto& text : split_list(flags.strategies, ',')) {
    auto strategy = parse_eval_strategy(text);
    if (!strategy) return fail(strategy.error());
    const bool again = std::any_of(options.strategies.begin(), options.strategies.end(),
                                   [&](const auto& other) { return other.text == strategy->text; });
    if (again) {
      return fail(ErrorKind::kCallerInvalid, "contradictory", "'" + text + "' is named twice.",
                  "--strategies");
    }
    options.strategies.push_back(std::move(*strategy));
  }
  auto order = parse_order(flags.order);
  if (!order) return fail(order.error());
  options.order = *order;
  options.seeds = flags.seeds;
  options.seed = flags.seed;
  options.splits = flags.splits;
  options.more_labels.assign(flags.fit_labels.begin() + 1, flags.fit_labels.end());
  if (auto done = apply_at(flags.at, options); !done) return fail(done.error());
  options.lag = flags.lag;
  options.learning.budget_share = flags.budget_share;
  options.learning.allowance = Money::from_usd(flags.allowance_usd);
  options.learning.guides = flags.guides;
  options.bootstrap_rounds = flags.bootstrap;
  options.threads =
      flags.threads > 0 ? flags.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  options.dials = flags.dials;
  options.show_decisions = flags.decisions;
  options.transfer = flags.transfer;
  options.cache_folder = flags.cache.empty() ? eval_cache_folder() : flags.cache;
  options.work_folder = flags.work.empty() ? options.cache_folder + "/streams" : flags.work;
  options.build = own_build_hash();
  options.command = flags.command;
  return options;
}

}  // namespace

int eval_command(const EvalFlags& flags) {
  interrupted();
  auto options = options_of(flags);
  if (!options) return complain(options.error(), 2);
  KeptEmbedding embedding;
  if (flags.encoder) {
    EmbeddingPoolOptions pool;
    pool.threads = options->threads;
    auto opened = open_kept_embedding(flags.encoder_file, pool, options->cache_folder);
    if (!opened) return complain(opened.error());
    embedding = std::move(*opened);
  }
  if (!flags.static_encoder.empty()) {
    auto beside = read_static_encoder(flags.static_encoder);
    if (!beside) return complain(beside.error(), 2);
    options->static_encoder = std::move(*beside);
  }
  Progress progress;
  options->progress = [&](const std::string& what, std::size_t done, std::size_t all,
                          std::optional<double> left) { progress.tell(what, done, all, left); };
  options->stop = [] { return interrupted(); };
  const auto started = utc_now();
  auto report = evaluate(*options, flags.encoder ? &embedding.use() : nullptr);
  progress.end();
  if (!report) return complain(report.error(), report.error().code == "interrupted" ? 130 : 1);
  report->timing.started_utc = started;
  report->timing.peak_memory_mib = peak_memory_mib();
  report->timing.machine = fmt::format("{} threads", options->threads);
  fmt::print("{}", report_table(*report));
  if (!flags.json.empty()) {
    if (auto done = write_file(flags.json, report_json(*report)); !done) return complain(done.error());
  }
  if (!flags.report.empty()) {
    if (auto done = write_file(flags.report, report_html(*report)); !done) return complain(done.error());
  }
  return 0;
}

}  // namespace brevet
