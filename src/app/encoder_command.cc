#include "app/encoder_command.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <memory>
#include <thread>

#include "app/commands.h"
#include "app/data_argument.h"
#include "app/paths.h"
#include "base/clock.h"
#include "dataset/outcome_file.h"
#include "dataset/prompt_text.h"
#include "features/static_encoder.h"
#include "train/distil_encoder.h"

namespace brevet {
namespace {

constexpr int kInterruptedStatus = 130;

struct DistilFlags {
  std::string out;
  std::vector<std::string> data;
  std::string typed;
  std::size_t dimension = DistilOptions{}.dimension;
  double sif = DistilOptions{}.sif;
  std::size_t pieces_max = DistilOptions{}.pieces_max;
  int threads = 0;
};

/// The prompts of outcome files, as they are asked.
Result<std::vector<std::string>> texts_of(const std::vector<std::string>& files) {
  std::vector<std::string> out;
  for (const auto& file : files) {
    const auto records = read_outcome_file(parse_data(file).file);
    if (!records) return fail(records.error());
    for (const auto& record : *records) out.push_back(render_prompt(record));
  }
  return out;
}

void print_info(const StaticEncoderInfo& info) {
  fmt::print("  distilled from  {:.16}...\n", info.source_hash);
  fmt::print("  dimension       {}\n", info.dimension);
  fmt::print("  longest text    {} pieces\n", info.pieces_max);
  fmt::print("  weighted by     {}\n",
             info.texts == 0 ? std::string("rank in the vocabulary (Zipf)")
                             : fmt::format("{} texts, SHA-256 {:.16}...", info.texts, info.texts_hash));
  for (const auto& [name, value] : info.measured) fmt::print("  {:<15} {:.4g}\n", name, value);
  fmt::print("  made            {} by: {}\n", info.created, info.command);
}

int distil(const DistilFlags& flags) {
  interrupted();
  EncoderOptions encoder_options;
  encoder_options.folder = encoder_folder();
  const auto encoder = make_encoder(encoder_options);
  if (!encoder) return complain(encoder.error());
  DistilOptions options;
  options.dimension = flags.dimension;
  options.sif = flags.sif;
  options.pieces_max = flags.pieces_max;
  options.threads =
      flags.threads > 0 ? flags.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  options.command = flags.typed;
  options.created = utc_now();
  auto texts = texts_of(flags.data);
  if (!texts) return complain(texts.error(), 2);
  options.texts = std::move(*texts);
  const bool terminal = isatty(STDERR_FILENO) != 0;
  auto told = std::chrono::steady_clock::now();
  options.progress = [&](std::size_t done, std::size_t all) {
    const auto now = std::chrono::steady_clock::now();
    if (now - told < (terminal ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10'000))) return;
    told = now;
    fmt::print(stderr, "{}{} of {} pieces{}", terminal ? "\r\033[K" : "", done, all, terminal ? "" : "\n");
    std::fflush(stderr);
  };
  options.stop = [] { return interrupted(); };
  const auto started = std::chrono::steady_clock::now();
  const auto file = distil_encoder(**encoder, options);
  if (terminal) fmt::print(stderr, "\r\033[K");
  if (!file) return complain(file.error(), file.error().code == "interrupted" ? kInterruptedStatus : 1);
  const auto hash = write_static_encoder(*file, flags.out);
  if (!hash) return complain(hash.error());
  const auto seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  fmt::print("{} written in {:.0f} s, {} bytes, SHA-256 {:.16}...\n", flags.out, seconds,
             std::filesystem::file_size(flags.out), *hash);
  print_info(file->info);
  fmt::print(
      "\nIn the configuration, and as --encoder of `brevet train`, `calibrate` and `eval`:\n\n"
      "  server: {{encoder: {{static: {}}}}}\n",
      flags.out);
  return 0;
}

int show_encoder(const std::string& path) {
  StaticEncoderInfo info;
  const auto encoder = read_static_encoder(path, &info);
  if (!encoder) return complain(encoder.error(), 2);
  fmt::print("{}: static encoder, SHA-256 {}\n", path, (*encoder)->hash());
  print_info(info);
  return 0;
}

}  // namespace

void add_encoder_command(CLI::App& app, const std::string& typed, int& status) {
  auto* command = app.add_subcommand("encoder", "Static encoders: embedding in microseconds");
  command->require_subcommand(1);
  auto flags = std::make_shared<DistilFlags>();
  flags->typed = typed;
  auto* distil_app = command->add_subcommand("distil", "One vector per piece, from the sentence encoder");
  distil_app->add_option("--out", flags->out, "File of the static encoder")->required();
  distil_app->add_option("--data", flags->data,
                         "Outcome files: the frequencies of words in your own prompts weight them");
  distil_app->add_option("--dimension", flags->dimension, "Principal components kept")
      ->check(CLI::Range(1, 4096));
  distil_app->add_option("--sif", flags->sif, "Words more frequent than this count less")
      ->check(CLI::Range(1e-9, 1.0));
  distil_app->add_option("--pieces-max", flags->pieces_max, "Of a text; longer ones are cut in the middle")
      ->check(CLI::Range(1, 65536));
  distil_app->add_option("--threads", flags->threads, "0 = one per core")->check(CLI::Range(0, 256));
  distil_app->callback([flags, &status] { status = distil(*flags); });
  auto file = std::make_shared<std::string>();
  auto* show = command->add_subcommand("show", "What a static encoder's file says of itself");
  show->add_option("file", *file, "File that brevet encoder distil made")->required();
  show->callback([file, &status] { status = show_encoder(*file); });
}

}  // namespace brevet
