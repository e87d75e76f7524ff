#include "app/more_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "app/commands.h"
#include "app/data_argument.h"
#include "train/fit_more.h"

namespace brevet {
namespace {

constexpr int kInterruptedStatus = 130;

double mean(const std::vector<double>& values) {
  return values.empty()
             ? 0
             : std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

int train_more(const TrainMoreFlags& flags) {
  const auto source = parse_data(flags.data);
  MoreOptions options;
  options.experts = flags.models.empty() ? source.models : split_list(flags.models, ',');
  options.seed = flags.seed;
  options.command = flags.typed;
  options.created = flags.created;
  options.stop = [] { return interrupted(); };
  if (source.file.empty() || options.experts.empty()) {
    return complain(
        {ErrorKind::kCallerInvalid, "missing_key",
         "Say what taught the experts apart and who they are: brevet train more --data FILE --models "
         "\"small|t=factual,small|t=math\" --out FILE.",
         source.file.empty() ? "--data" : "--models", 0, ""},
        2);
  }
  OutcomeReadOptions reading;
  reading.models = options.experts;
  const auto records = read_outcome_file(source.file, reading);
  if (!records) return complain(records.error(), 2);
  auto fit = fit_more(*records, options);
  if (!fit) return complain(fit.error(), fit.error().code == "interrupted" ? kInterruptedStatus : 2);
  fmt::print("Fitted on {} questions; on {} others (n = {}):\n", fit->fitted, fit->tested, fit->tested);
  for (std::size_t i = 0; i < options.experts.size(); ++i)
    fmt::print("  {:.3f}  {}\n", fit->single[i], options.experts[i]);
  fmt::print("  {:.3f}  the best of them on the fitting questions\n", mean(fit->best_single));
  fmt::print("  {:.3f}  what most agree on\n", mean(fit->agreed));
  fmt::print("  {:.3f}  what the forest chooses\n", mean(fit->chosen));
  fmt::print("  {:.3f}  the best answer there was\n\nabstain_below  answered  accuracy of those\n",
             mean(fit->oracle));
  for (const auto& row : fit->coverage)
    fmt::print("{:>13.3f}  {:>7.0f}%  {:.3f}\n", row.threshold, row.covered * 100, row.accuracy);
  if (mean(fit->chosen) <= std::max(mean(fit->best_single), mean(fit->agreed))) {
    fmt::print(
        "\nThat is no better than the best expert alone, or than plain agreement (blender with rank: "
        "agreement): "
        "these experts are right on the same questions.\n");
  }
  const auto hash = write_artefact(fit->artefact, flags.out);
  if (!hash) return complain(hash.error());
  std::string candidates;
  for (const auto& expert : options.experts) candidates += "\"" + expert + "\", ";
  fmt::print(
      "\n{} written, SHA-256 {:.16}...\n\n  strategy: {{name: more, router: {}, abstain_below: .5}}\n"
      "  candidates: [{}REFERENCE]\n",
      flags.out, *hash, flags.out, candidates);
  return 0;
}

}  // namespace brevet
