// `brevet router predict`: what routers say of prompts in a file, without a gateway and without a model.
//
// For comparing routers on the user's own prompts, and for checking them against other programs: with
// --embeddings each line carries what the encoder made of the text. Called by main() through
// add_router_command. Does not choose a model.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <iostream>

#include "app/commands.h"
#include "app/embed_texts.h"
#include "app/open_encoder.h"
#include "app/train_command.h"
#include "dataset/prompt_text.h"
#include "record/json_out.h"
#include "record/prompt_file.h"
#include "router/artefact.h"
#include "router/router.h"

namespace brevet {
namespace {

Result<RouterPtr> load_router(const std::string& file) {
  auto artefact = read_artefact(file);
  if (!artefact) return fail(artefact.error());
  return make_router(std::move(*artefact));
}

/// The router sees what it was trained on.
Result<> check_seen(const RouterInfo& info, const std::string& file, const std::string& encoder_hash,
                    const std::string& classifier_hash) {
  if (!info.model_hash.empty() && info.model_hash != classifier_hash) {
    return fail(
        ErrorKind::kCallerInvalid, "router_classifier_mismatch",
        fmt::format("{} was calibrated on another text classifier than the one in {}.", file, info.model));
  }
  const auto& wanted = info.encoder_hash;
  if (wanted != "none" && wanted != encoder_hash) {
    return fail(ErrorKind::kCallerInvalid, "router_encoder_mismatch",
                fmt::format("{} was trained with another encoder ({:.16}..., this one is {:.16}...).", file,
                            wanted, encoder_hash));
  }
  return {};
}

void append_numbers(fmt::memory_buffer& out, const std::vector<float>& numbers) {
  out.push_back('[');
  for (std::size_t i = 0; i < numbers.size(); ++i)
    fmt::format_to(std::back_inserter(out), "{}{:.9g}", i > 0 ? "," : "", numbers[i]);
  out.push_back(']');
}

void append_prediction(fmt::memory_buffer& out, const std::optional<RouterPrediction>& said) {
  auto to = std::back_inserter(out);
  if (!said) {
    fmt::format_to(to, "null");
    return;
  }
  fmt::format_to(to, "{{\"need_strong\":{:.9g},\"familiarity\":{:.9g}", said->need_strong, said->familiarity);
  if (!said->quality.empty()) {
    fmt::format_to(to, ",\"quality\":");
    append_numbers(out, said->quality);
  }
  out.push_back('}');
}

}  // namespace

int predict_routers(const RouterPredictFlags& flags) {
  interrupted();
  auto questions = record::read_questions(flags.prompts, {.dataset = "prompts"});
  if (!questions) return complain(questions.error(), 2);
  std::vector<RouterPtr> routers;
  std::string classifier;
  for (const auto& file : flags.files) {
    auto router = load_router(file);
    if (!router) return complain(router.error(), 2);
    const auto folder = classifier_folder(file, (*router)->info());
    if (classifier.empty()) classifier = folder;
    routers.push_back(std::move(*router));
  }
  auto embedder = make_text_embedder(flags.threads, flags.encoder, classifier);
  if (!embedder) return complain(embedder.error());
  for (std::size_t r = 0; r < routers.size(); ++r) {
    const auto seen = check_seen(routers[r]->info(), flags.files[r], (*embedder)->encoder_hash(),
                                 (*embedder)->classifier_hash());
    if (!seen) return complain(seen.error(), 2);
  }
  std::vector<std::string> texts;
  for (const auto& question : *questions) texts.push_back(render_prompt(question.record));
  const auto features = (*embedder)->embed(texts);
  if (!features) return complain(features.error(), features.error().code == "interrupted" ? 130 : 1);

  std::vector<std::vector<std::optional<RouterPrediction>>> said(routers.size());
  for (std::size_t r = 0; r < routers.size(); ++r) {
    const auto started = std::chrono::steady_clock::now();
    for (const auto& one : *features) said[r].push_back(routers[r]->predict(one));
    const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - started;
    fmt::print(stderr, "{}: {} predictions, {:.3f} us each\n", flags.files[r], texts.size(),
               taken.count() / static_cast<double>(texts.size()));
  }
  std::ofstream file;
  if (!flags.out.empty()) {
    file.open(flags.out, std::ios::binary | std::ios::trunc);
    if (!file)
      return complain(
          {ErrorKind::kCallerInvalid, "output_unwritable", "Cannot write " + flags.out + ".", "--out", 0, ""},
          1);
  }
  std::ostream& to = flags.out.empty() ? std::cout : file;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    fmt::memory_buffer line;
    fmt::format_to(std::back_inserter(line), "{{\"id\":{},\"said\":[",
                   record::json_string((*questions)[i].record.id));
    for (std::size_t r = 0; r < routers.size(); ++r) {
      if (r > 0) line.push_back(',');
      append_prediction(line, said[r][i]);
    }
    line.push_back(']');
    if (flags.embeddings && (*features)[i].embedding) {
      fmt::format_to(std::back_inserter(line), ",\"embedding\":");
      append_numbers(line, *(*features)[i].embedding);
    }
    fmt::format_to(std::back_inserter(line), "}}\n");
    to.write(line.data(), static_cast<std::streamsize>(line.size()));
  }
  if (!to.flush())
    return complain(
        {ErrorKind::kCallerInvalid, "output_unwritable", "Cannot write " + flags.out + ".", "--out", 0, ""},
        1);
  return 0;
}

}  // namespace brevet
