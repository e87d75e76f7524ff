#include "app/record_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>

#include "app/commands.h"
#include "app/record_flags.h"
#include "base/log.h"
#include "record/from_decisions.h"

namespace brevet {
namespace {

constexpr int kBudgetStatus = 3;
constexpr int kIncompleteStatus = 4;
constexpr int kInterruptedStatus = 130;

tl::unexpected<Error> unwritable(const std::string& path) {
  return fail(ErrorKind::kCallerInvalid, "data_file_unwritable",
              "Cannot write " + path + ": " + std::strerror(errno) + ".", "--out");
}

/// The file is there whole under its name or not at all.
Result<> write_whole(const std::string& path, const std::vector<std::string>& lines) {
  const auto unfinished = path + ".tmp";
  gzFile file = gzopen(unfinished.c_str(), path.ends_with(".gz") ? "wb6" : "wbT");
  if (file == nullptr) return unwritable(unfinished);
  bool good = true;
  for (const auto& line : lines) {
    good = good &&
           gzwrite(file, line.data(), static_cast<unsigned>(line.size())) == static_cast<int>(line.size()) &&
           gzputc(file, '\n') == '\n';
  }
  good = gzclose(file) == Z_OK && good;
  const int descriptor = good ? ::open(unfinished.c_str(), O_RDONLY | O_CLOEXEC) : -1;
  good = descriptor >= 0 && ::fsync(descriptor) == 0;
  if (descriptor >= 0) ::close(descriptor);
  if (!good || std::rename(unfinished.c_str(), path.c_str()) != 0) return unwritable(path);
  return {};
}

/// A line that is drawn over itself on a terminal, and a line now and then elsewhere.
class ProgressLine {
 public:
  void tell(const record::RecordProgress& now) {
    const auto time = std::chrono::steady_clock::now();
    const bool terminal = isatty(STDERR_FILENO) != 0;
    if (time - last_ < (terminal ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000)))
      return;
    last_ = time;
    auto text = fmt::format("{} of {} questions, {} calls, {} USD spent", now.done, now.questions, now.calls,
                            now.spent.to_string());
    const double seconds = std::chrono::duration<double>(time - start_).count();
    // Questions that the journal answers take no time, so the pace is that of the others.
    if (now.done_asking > 0 && now.done < now.questions) {
      const double left =
          seconds / static_cast<double>(now.done_asking) * static_cast<double>(now.questions - now.done);
      text += left < 90 ? fmt::format(", about {:.0f} s left", left)
                        : fmt::format(", about {:.0f} min left", left / 60);
    }
    fmt::print(stderr, "{}{}{}", terminal ? "\r\033[K" : "", text, terminal ? "" : "\n");
    drawn_ = terminal;
    std::fflush(stderr);
  }
  void end() {
    if (drawn_) fmt::print(stderr, "\r\033[K");
    drawn_ = false;
  }

 private:
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point last_ = start_;
  bool drawn_ = false;
};

const char* word_of(record::RecordEnd end) {
  switch (end) {
    case record::RecordEnd::kComplete:
      return "complete";
    case record::RecordEnd::kIncomplete:
      return "incomplete";
    case record::RecordEnd::kBudget:
      return "budget";
    case record::RecordEnd::kInterrupted:
      return "interrupted";
    case record::RecordEnd::kFailures:
      return "failures";
  }
  return "";
}
int status_of(record::RecordEnd end) {
  switch (end) {
    case record::RecordEnd::kComplete:
      return 0;
    case record::RecordEnd::kBudget:
      return kBudgetStatus;
    case record::RecordEnd::kInterrupted:
      return kInterruptedStatus;
    case record::RecordEnd::kIncomplete:
    case record::RecordEnd::kFailures:
      break;
  }
  return kIncompleteStatus;
}

boost::json::object counts_json(const std::map<std::string, std::uint64_t>& counts) {
  boost::json::object out;
  for (const auto& [name, count] : counts) out[name] = count;
  return out;
}

std::string summary_json(const record::RecordSummary& sum, std::size_t written, std::size_t skipped,
                         const Money& budget) {
  boost::json::object out = {{"end", word_of(sum.end)},
                             {"message", sum.message},
                             {"records", written},
                             {"records_without_outcome", skipped},
                             {"outcomes", sum.cells},
                             {"outcomes_missing", sum.cells_missing},
                             {"calls", sum.calls},
                             {"answered", sum.answered},
                             {"failed", sum.failed},
                             {"reused", sum.reused},
                             {"lost", sum.lost},
                             {"unknown_left", sum.unknown_left},
                             {"unscored", sum.unscored},
                             {"cut", sum.cut},
                             {"judged", sum.judged},
                             {"orders_differ", sum.orders_differ},
                             {"judge_unreadable", sum.judge_unreadable},
                             {"budget_usd", budget.to_string()},
                             {"spent_usd", sum.spent.to_string()},
                             {"judge_spent_usd", sum.judge_spent.to_string()},
                             {"calls_without_price", sum.unpriced},
                             {"failures", counts_json(sum.failures)},
                             {"no_score", counts_json(sum.no_score)}};
  return boost::json::serialize(out) + "\n";
}

std::string list_of(const std::map<std::string, std::uint64_t>& counts) {
  std::string out;
  for (const auto& [name, count] : counts)
    out += fmt::format("{}{} {}", out.empty() ? "" : ", ", count, name);
  return out;
}

void print_summary(const record::RecordSummary& sum, std::size_t written, std::size_t skipped,
                   const RecordFlags& flags, bool simulated) {
  fmt::print("{}: {} records, {} outcomes of this recording{}.\n", flags.out, written, sum.cells,
             simulated ? " (models that are simulated or recorded among them)" : "");
  if (skipped > 0) fmt::print("{} questions have no outcome yet and are not in it.\n", skipped);
  fmt::print("{} calls now ({} answered, {} failed), {} answers taken from the journal.\n", sum.calls,
             sum.answered, sum.failed, sum.reused);
  fmt::print("{} USD charged over all runs{}{}.\n", sum.spent.to_string(),
             flags.budget_usd.empty() ? "" : " of " + flags.budget_usd,
             sum.judge_spent.pico_usd > 0 ? ", " + sum.judge_spent.to_string() + " of it to the judge" : "");
  if (sum.unpriced > 0) fmt::print("{} calls went to models without a known price.\n", sum.unpriced);
  if (!sum.failures.empty()) fmt::print("Failed: {}.\n", list_of(sum.failures));
  if (!sum.no_score.empty()) fmt::print("Without a score, left out: {}.\n", list_of(sum.no_score));
  if (sum.judged > 0) {
    fmt::print("Judged {} answers in both orders; in {} the judge turned with the order (a tie, .5).\n",
               sum.judged, sum.orders_differ);
  }
  if (sum.cut > 0) fmt::print("{} answers met --max-tokens and were scored as they are.\n", sum.cut);
  if (sum.lost > 0)
    fmt::print("{} calls were cut off by a crash: each is charged at its whole booking.\n", sum.lost);
  if (sum.unknown_left > 0) {
    fmt::print(
        "{} calls may have been paid without an answer and were not repeated; --retry-unknown asks (and "
        "pays) again.\n",
        sum.unknown_left);
  }
  if (sum.cells_missing > 0 && sum.end == record::RecordEnd::kIncomplete)
    fmt::print("{} outcomes are missing.\n", sum.cells_missing);
  if (sum.failed_unpaid > 0)
    fmt::print("{} calls failed unpaid; running it again asks for them.\n", sum.failed_unpaid);
  if (!sum.message.empty()) fmt::print("{}\n", sum.message);
}

int record_decisions(const RecordFlags& flags) {
  if (flags.data_dir.empty()) {
    return complain({ErrorKind::kCallerInvalid, "no_data", "Say --data-dir DIR: the gateway's data folder.",
                     "--data-dir", 0, ""},
                    2);
  }
  auto copy = StoreCopy::open(flags.data_dir);
  if (!copy) return complain(copy.error());
  record::DecisionOptions options;
  options.tenant = flags.tenant;
  options.route = flags.route;
  if (!flags.dataset.empty()) options.dataset = flags.dataset;
  const auto found = record::outcomes_of_decisions((*copy)->store(), options);
  if (!found) return complain(found.error());
  fmt::print(
      "{} decisions read: {} used; left out {} of shadows, {} without text (routes with store: text have "
      "it), {} "
      "without an answer, {} without feedback scores.\n",
      found->decisions, found->used, found->shadows, found->without_text, found->without_answer,
      found->without_score);
  if (found->decisions == options.decisions_max)
    fmt::print("Only the newest {} decisions are read.\n", options.decisions_max);
  if (found->simulated > 0)
    fmt::print("{} of those used were served by simulated models.\n", found->simulated);
  if (found->lines.empty()) {
    return complain(
        {ErrorKind::kCallerInvalid, "no_data",
         "No decision has both a stored text and a feedback score, so there is no outcome to write.",
         "--from-decisions", 0, ""});
  }
  if (auto done = write_whole(flags.out, found->lines); !done) return complain(done.error());
  fmt::print("{}: {} records, {} outcomes; a score is the mean of the clients' feedback.\n", flags.out,
             found->lines.size(), found->outcomes);
  return 0;
}

int record_command(const RecordFlags& flags) {
  if (flags.from_decisions) return record_decisions(flags);
  for (const auto& [value, name] :
       {std::pair{&flags.prompts, "--prompts"}, std::pair{&flags.scorer, "--scorer"}}) {
    if (!value->empty()) continue;
    return complain({ErrorKind::kCallerInvalid, "missing_option",
                     fmt::format("Say {} (or --from-decisions).", name), name, 0, ""},
                    2);
  }
  // Single failures are counted and told at the end; a line for each would bury the progress.
  if (std::getenv("BREVET_LOG") == nullptr) set_up_log("error");
  interrupted();
  record::QuestionReadOptions read;
  read.dataset = flags.dataset;
  const auto questions = record::read_questions(flags.prompts, read);
  if (!questions) return complain(questions.error(), 2);
  RecordSetup setup;
  if (auto done = set_up_recording(flags, setup); !done) return complain(done.error(), 2);
  const auto journal_path = flags.journal.empty() ? flags.out + ".journal" : flags.journal;
  auto journal = record::Journal::open(journal_path);
  if (!journal) return complain(journal.error());
  if ((*journal)->was_torn())
    fmt::print(stderr, "The last line of {} was torn by a crash and is cut off.\n", journal_path);
  ProgressLine progress;
  setup.options.progress = [&](const record::RecordProgress& now) { progress.tell(now); };
  setup.options.stop = [&, told = false]() mutable {
    if (!interrupted()) return false;
    if (!told)
      fmt::print(stderr,
                 "\nCalls in flight are waited for, they are paid; interrupt again to end at once.\n");
    told = true;
    return true;
  };
  const auto sum = record::record(*questions, **journal, setup.options);
  progress.end();
  if (!sum) return complain(sum.error(), sum.error().kind == ErrorKind::kCallerInvalid ? 2 : 1);
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < questions->size(); ++i) {
    if ((*questions)[i].outcomes.empty() && sum->outcomes[i].empty()) continue;
    lines.push_back(record::outcome_line((*questions)[i], sum->outcomes[i]));
  }
  const auto skipped = questions->size() - lines.size();
  if (lines.empty()) {
    fmt::print("No outcome was recorded, so {} is not written.\n", flags.out);
  } else if (auto done = write_whole(flags.out, lines); !done) {
    return complain(done.error());
  }
  print_summary(*sum, lines.size(), skipped, flags, setup.simulated);
  if (!flags.json.empty()) {
    auto text = summary_json(*sum, lines.size(), skipped, setup.options.limits.usd);
    text.pop_back();
    if (auto done = write_whole(flags.json, {text}); !done) return complain(done.error());
  }
  return status_of(sum->end);
}

}  // namespace

void add_record_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<RecordFlags>();
  auto* sub =
      app.add_subcommand("record", "Build an outcome file from your own prompts and models, within a budget");
  sub->add_option("--prompts", flags->prompts, "JSON Lines with prompt or messages, or an outcome file")
      ->check(CLI::ExistingFile);
  sub->add_option("--out", flags->out, "The outcome file; .gz compresses")->required();
  sub->add_option("--journal", flags->journal, "What was paid; OUT.journal by default");
  sub->add_option("--config", flags->config, "Gateway configuration whose models are asked")
      ->check(CLI::ExistingFile);
  sub->add_option("--url", flags->url, "Or: a running gateway, or another endpoint of the OpenAI API");
  sub->add_option("--key-env", flags->key_env, "Environment variable with the key for --url");
  sub->add_option("--prices", flags->prices, "Price file for models without a price of their own")
      ->check(CLI::ExistingFile);
  sub->add_option("--models", flags->models,
                  "Models or configurations by comma: small,large,small|g=hints|s=3")
      ->delimiter(',');
  sub->add_option("--guide", flags->guides, "NAME=FILE: the text of g=NAME");
  sub->add_option("--data-dir", flags->data_dir,
                  "Gateway's data folder: guides of its store, as g3; decisions");
  sub->add_option("--dataset", flags->dataset,
                  "Name of the data set for lines that have none; default: the file's name");
  sub->add_option("--scorer", flags->scorer, "exact, choice, number, json_schema, command or judge");
  sub->add_option("--schema", flags->schema, "JSON Schema of the scorer json_schema")
      ->check(CLI::ExistingFile);
  sub->add_option("--command", flags->command,
                  "Program of the scorer command, run by sh; exit 0 = right, 1 = wrong");
  sub->add_option("--command-timeout", flags->command_timeout_s, "Its time in seconds")
      ->check(CLI::Range(0.01, 86400.0));
  sub->add_option("--judge", flags->judge,
                  "Model of the scorer judge; its calls are paid by the same budget");
  sub->add_option("--against", flags->against,
                  "Whose answers the judge compares with; default: the right answers");
  sub->add_option("--budget-usd", flags->budget_usd, "The most that all runs with this journal may spend");
  sub->add_option("--allow-unknown-cost", flags->unknown_cost_calls,
                  "So many calls to models without a known price");
  sub->add_option("--max-tokens", flags->max_tokens, "Of one answer")->check(CLI::Range(1, 10'000'000));
  sub->add_option("--limit-field", flags->limit_field, "How the limit is sent")
      ->check(CLI::IsMember({"max_tokens", "max_completion_tokens"}));
  sub->add_option("--temperature", flags->temperature, "Of single answers; 'provider' sends none");
  sub->add_option("--sample-temperature", flags->sample_temperature, "Of configurations with s=2 or more")
      ->check(CLI::Range(0.0, 2.0));
  sub->add_option("--concurrency", flags->concurrency, "Questions in work at once")
      ->check(CLI::Range(1, 1024));
  sub->add_option("--gateway-tries", flags->gateway_tries,
                  "With --url: paid tries that one call may cause behind it")
      ->check(CLI::Range(1, 100));
  sub->add_option("--failures-max", flags->failures_max, "Unpaid failures in a row that end the run")
      ->check(CLI::Range(1, 1'000'000));
  sub->add_flag("--retry-unknown", flags->retry_unknown,
                "Ask again what may have been paid without an answer (pays twice at worst)");
  sub->add_option("--json", flags->json, "Write the summary there");
  sub->add_flag("--from-decisions", flags->from_decisions,
                "Instead: a gateway's stored decisions that have text and feedback scores");
  sub->add_option("--tenant", flags->tenant, "Decisions of one tenant only");
  sub->add_option("--route", flags->route, "Decisions of one route only");
  sub->callback([flags, &status] { status = record_command(*flags); });
}

}  // namespace brevet
