#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <fstream>
#include <memory>

#include "app/cascade_command.h"
#include "app/commands.h"
#include "app/data_argument.h"
#include "train/tuning_data.h"

namespace brevet {
namespace {

struct TuningFlags {
  std::string data, responses, without, format = "sft", out;
  double score_min = 1;
};

int run(const TuningFlags& flags) {
  TuningOptions options;
  const auto format = parse_tuning_format(flags.format);
  if (!format) return complain(format.error(), 2);
  options.format = *format;
  options.score_min = flags.score_min;
  const auto data = parse_data(flags.data);
  const bool pair = options.format != TuningFormat::kSft;
  if (data.models.size() != (pair ? 2U : 1U)) {
    return complain({ErrorKind::kCallerInvalid, "models_needed",
                     pair ? "Pairs need two models: --data FILE@WEAK,STRONG."
                          : "Say whose answers are to be learned: --data FILE@STRONG.",
                     "--data", 0, ""},
                    2);
  }
  options.weak = data.models.front();
  options.strong = data.models.back();
  auto records = read_outcome_file(data.file);
  if (!records) return complain(records.error(), 2);
  if (!flags.responses.empty()) {
    OutcomeReadOptions joined;
    joined.prompt = PromptField::kOptional;
    if (auto done = join_responses(*records, flags.responses, joined); !done)
      return complain(done.error(), 2);
  }
  std::set<std::uint64_t> held_out;
  if (!flags.without.empty()) {
    const auto kept = read_outcome_file(flags.without);
    if (!kept) return complain(kept.error(), 2);
    for (const auto& record : *kept) held_out.insert(text_key_of(record));
  }
  const auto made = tuning_data(*records, options, held_out);
  std::ofstream file(flags.out);
  for (const auto& line : made.lines) file << line << '\n';
  if (!file.flush()) {
    return complain(
        {ErrorKind::kInternal, "data_file_unwritable", "Cannot write " + flags.out + ".", "--out", 0, ""});
  }
  fmt::print(
      "{} examples of {} in {} ({}). Left out: {} without an answer, {} not right or not better, {} that "
      "say the same, {} too long, {} that decline, {} held out.\n",
      made.lines.size(), options.strong, flags.out, flags.format, made.without_answer, made.too_wrong,
      made.same, made.too_long, made.declined, made.held_out);
  fmt::print(
      "A provider's terms may forbid training on its answers. Serve the tuned model as one more candidate "
      "beside its base, and measure both: brevet cascade --data FILE@BASE,TUNED,STRONG.\n");
  return made.lines.empty() ? 1 : 0;
}

}  // namespace

void add_tuning_command(CLI::App& app, int& status) {
  auto flags = std::make_shared<TuningFlags>();
  auto* command = app.add_subcommand(
      "tuning", "Recorded answers of the strong model as data to fine-tune a cheap one on");
  command->add_option("--data", flags->data, "FILE@STRONG, or FILE@WEAK,STRONG for pairs")->required();
  command->add_option("--responses", flags->responses, "Answers' texts, joined by id")
      ->check(CLI::ExistingFile);
  command->add_option("--format", flags->format, "sft, dpo (TRL) or openai_dpo");
  command->add_option("--score-min", flags->score_min, "Of an answer that is learned")
      ->check(CLI::Range(0.0, 1.0));
  command->add_option("--without", flags->without, "Outcome file whose questions must not teach")
      ->check(CLI::ExistingFile);
  command->add_option("--out", flags->out, "JSON Lines file to write")->required();
  command->callback([flags, &status] { status = run(*flags); });
}

}  // namespace brevet
