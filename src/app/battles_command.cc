#include "app/battles_command.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>

#include "app/commands.h"
#include "app/data_argument.h"
#include "train/preference_data.h"

namespace brevet {
namespace {

constexpr std::size_t kPairsShown = 20;

struct BattlesFlags {
  std::vector<std::string> data;     ///< outcome files whose scores become battles
  std::vector<std::string> battles;  ///< battle files that are taken as they are
  std::vector<std::string> without;  ///< outcome files that routers will be measured on
  double tie_margin = 0;
  bool no_ties = false;
  std::string out;
};

std::string base_name(const std::string& file) {
  return std::filesystem::path(file).filename().string();
}

Result<std::vector<Battle>> collect(const BattlesFlags& flags) {
  std::vector<Battle> all;
  for (const auto& file : flags.battles) {
    auto read = read_battle_file(file);
    if (!read) return fail(read.error());
    fmt::print("{}: {} battles\n", file, read->size());
    std::move(read->begin(), read->end(), std::back_inserter(all));
  }
  for (const auto& argument : flags.data) {
    const auto data = parse_data(argument);
    OutcomeReadOptions options;
    options.models = data.models;
    const auto records = read_outcome_file(data.file, options);
    if (!records) return fail(records.error());
    BattlesFromOutcomes how;
    how.configurations = data.models;
    how.tie_margin = flags.tie_margin;
    how.ties = !flags.no_ties;
    how.source = "recorded:" + base_name(data.file);
    auto made = battles_from_outcomes(*records, how);
    if (!made) {
      auto error = made.error();
      error.message = data.file + ": " + error.message;
      return fail(std::move(error));
    }
    fmt::print("{}: {} battles from the scores of {} questions\n", data.file, made->size(), records->size());
    std::move(made->begin(), made->end(), std::back_inserter(all));
  }
  for (const auto& file : flags.without) {
    OutcomeReadOptions options;
    const auto records = read_outcome_file(parse_data(file).file, options);
    if (!records) return fail(records.error());
    const auto count = remove_near_duplicates(all, *records);
    fmt::print("{}: {} battles on {} prompts removed, which are near one of its {} questions\n", file,
               count.removed, count.removed_prompts, count.evaluation_prompts);
  }
  if (all.empty()) {
    return fail(ErrorKind::kCallerInvalid, "no_battles",
                flags.without.empty() ? "Name outcome files (--data) or battle files (--battles)."
                                      : "Every battle is near a question of --without; none is left.");
  }
  return all;
}

int run(const BattlesFlags& flags) {
  const auto all = collect(flags);
  if (!all) return complain(all.error(), all.error().kind == ErrorKind::kCallerInvalid ? 2 : 1);
  const auto rows = count_battles(*all);
  std::size_t shown = 0;
  for (const auto& row : rows) {
    if (shown++ == kPairsShown) {
      fmt::print("... and {} more pairs\n", rows.size() - kPairsShown);
      break;
    }
    fmt::print("{:>8} {} against {}: {} wins, {} losses, {} ties\n", row.a_wins + row.b_wins + row.ties,
               row.a, row.b, row.a_wins, row.b_wins, row.ties);
  }
  if (auto done = write_battle_file(*all, flags.out); !done) return complain(done.error());
  fmt::print(
      "{} battles of {} pairs in {}. Train on them: brevet train mf --battles {} --models WEAK,STRONG --out "
      "mf.router\n",
      all->size(), rows.size(), flags.out, flags.out);
  return 0;
}

}  // namespace

void add_battles_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<BattlesFlags>();
  auto* command = app.add_subcommand(
      "battles",
      "Preference data for routers: from recorded outcomes, other battles, without what is measured on");
  command->add_option(
      "--data", flags->data,
      "FILE or FILE@MODEL,MODEL: recorded outcomes, also a judge's (brevet record --scorer judge)");
  command->add_option("--battles", flags->battles, "Battle files to take as they are")
      ->check(CLI::ExistingFile);
  command->add_option(
      "--without", flags->without,
      "Outcome files that routers will be measured on: battles near their questions are removed");
  command->add_option("--tie-margin", flags->tie_margin, "Scores that differ by no more are a tie")
      ->check(CLI::Range(0.0, 1.0));
  command->add_flag("--no-ties", flags->no_ties, "Leave ties of recorded outcomes out");
  command->add_option("--out", flags->out, "File to write; .gz is compressed")->required();
  command->callback([flags, &status] { status = run(*flags); });
}

}  // namespace brevet
