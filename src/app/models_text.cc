#include "app/models_text.h"

#include <fmt/format.h>

#include <algorithm>

namespace brevet {

const char* const kCapabilityLegend =
    "icrtfvs: i instruct, c completion, r reasoning, t tools, f fill-in-the-middle, v vision, s structured "
    "output; - no, ? not known";

std::string grouped(std::optional<std::int64_t> number) {
  if (!number) return kUnknownText;
  std::string out = std::to_string(*number);
  for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > (out[0] == '-' ? 1 : 0); at -= 3)
    out.insert(static_cast<std::size_t>(at), ",");
  return out;
}

std::string parameters_text(std::optional<std::int64_t> count) {
  if (!count) return kUnknownText;
  const auto number = static_cast<double>(*count);
  return number >= 1e9 ? fmt::format("{:.3g}B", number * 1e-9) : fmt::format("{:.3g}M", number * 1e-6);
}

std::string price_text(const std::optional<ModelPrice>& price) {
  if (!price) return kUnknownText;
  return price->input_per_million.to_string() + " / " + price->output_per_million.to_string();
}

std::string capability_letters(const ModelFacts& model) {
  static constexpr char kLetters[] = "icrtfvs";
  static_assert(sizeof(kLetters) == kCapabilities.size() + 1);
  std::string out;
  for (std::size_t i = 0; i < kCapabilities.size(); ++i) {
    const auto& has = model.capabilities[i];
    out += !has ? '?' : *has ? kLetters[i] : '-';
  }
  return out;
}

std::string gigabytes(std::optional<double> bytes) {
  return bytes ? fmt::format("{:.2f} GB", *bytes * 1e-9) : kUnknownText;
}

std::string speed_text(std::optional<double> tokens_per_second) {
  if (!tokens_per_second) return kUnknownText;
  return fmt::format("{:.{}f}", *tokens_per_second, *tokens_per_second < 10 ? 2 : 0);
}

std::string table_text(const std::vector<std::string>& head,
                       const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < head.size(); ++i) {
    std::size_t width = head[i].size();
    for (const auto& row : rows) width = std::max(width, i < row.size() ? row[i].size() : 0);
    widths.push_back(width);
  }
  std::size_t others = 0;
  for (std::size_t i = 1; i < widths.size(); ++i) others += widths[i] + 2;
  constexpr std::size_t kFirstMin = 12;
  const std::size_t room = others < kTerminalColumns - kFirstMin ? kTerminalColumns - others : kFirstMin;
  widths[0] = std::min(widths[0], room);
  std::string out;
  const auto line = [&](const std::vector<std::string>& cells) {
    std::string text = cells[0];
    if (text.size() > widths[0]) text = text.substr(0, widths[0] - 2) + "..";
    text.resize(widths[0], ' ');
    for (std::size_t i = 1; i < head.size(); ++i)
      text += fmt::format("  {:>{}}", i < cells.size() ? cells[i] : "", widths[i]);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    out += text + "\n";
  };
  line(head);
  for (const auto& row : rows) line(row);
  return out;
}

std::string wrapped(const std::string& text, std::size_t indent) {
  std::string out;
  std::size_t column = 0;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    const auto word = text.substr(at, end - at);
    if (column > 0 && column + 1 + word.size() > kTerminalColumns) {
      while (!out.empty() && out.back() == ' ') out.pop_back();
      out += "\n" + std::string(indent, ' ');
      column = indent;
    } else if (at > 0) {
      out += ' ';
      ++column;
    }
    out += word;
    column += word.size();
    at = end + 1;
  }
  return out + "\n";
}

std::string deployment_text(const ModelFacts& model, const Device& device, const FitAssumptions& with) {
  std::string out = fmt::format("On {}\n", device.title);
  const auto peak = [](const std::optional<double>& value, double unit, const char* name) {
    return value ? fmt::format("{:.4g} {}", *value / unit, name) : fmt::format("{} {}", kUnknownText, name);
  };
  out += wrapped(
      fmt::format("  {}, {}, {} of which {:.0f}% for a model. {}", peak(device.ops_per_second, 1e12, "TOPS"),
                  peak(device.bytes_per_second, 1e9, "GB/s"), peak(device.memory_bytes, 1e9, "GB"),
                  device.memory_share * 100, device.source.empty() ? "" : "(" + device.source + ")"),
      2);
  if (model.open_weights && !*model.open_weights)
    return out + wrapped("  It cannot run there: its weights are not published.", 2);
  if (!model.open_weights)
    out += wrapped("  Whether its weights may be had is not known; the figures hold if they may.", 2);
  std::vector<std::vector<std::string>> rows;
  for (const auto& fit : estimate_fits(model, device, with)) {
    rows.push_back({fit.quantisation.name, fmt::format("{:.4g}", fit.quantisation.bits),
                    gigabytes(fit.weight_bytes), gigabytes(fit.cache_bytes), gigabytes(fit.overhead_bytes),
                    (fit.memory_is_lower_bound && fit.memory_bytes ? "> " : "") + gigabytes(fit.memory_bytes),
                    fit.fits == Fits::kYes  ? "yes"
                    : fit.fits == Fits::kNo ? "no"
                                            : kUnknownText,
                    speed_text(fit.prompt_tokens_per_second), speed_text(fit.answer_tokens_per_second),
                    fit.request_seconds ? fmt::format("{:.1f}", *fit.request_seconds) : kUnknownText});
  }
  out += "\n" + table_text({"format", "bits", "weights", "cache", "overhead", "memory", "fits", "prompt/s",
                            "answer/s", "request s"},
                           rows);
  out += "\n";
  out += wrapped("  weights = parameters x bits / 8", 12);
  out += wrapped(
      fmt::format("  cache   = 2 x layers x KV heads x head size x {:.3g} bytes x {} tokens of context",
                  with.cache_bytes, grouped(with.context_tokens)),
      12);
  out += wrapped(
      fmt::format("  memory  = weights + cache + overhead ({:.0f}% of the weights + {:.0f} MiB); fits "
                  "if it is at most {:.0f}% of the device's",
                  with.overhead_share * 100, with.overhead_bytes / 1048576, device.memory_share * 100),
      12);
  out += wrapped(
      fmt::format("  prompt  = operations/s x {:.2g} / (2 x active parameters) tokens/s", with.compute_share),
      12);
  out += wrapped(
      fmt::format("  answer  = bandwidth x {:.2g} / (active weights + cache read at {} prompt and half of {} "
                  "answer tokens) tokens/s, or the prompt's speed where that is slower",
                  with.bandwidth_share, grouped(with.prompt_tokens), grouped(with.answer_tokens)),
      12);
  out += wrapped(fmt::format("  request = {} prompt tokens / prompt speed + {} answer tokens / answer speed",
                             grouped(with.prompt_tokens), grouped(with.answer_tokens)),
                 12);
  out += wrapped(
      "  An estimate to choose by: one request at a time, no batch, no heat. The shares of peak are "
      "assumptions; set them with --compute-share and --bandwidth-share.",
      2);
  return out;
}

}  // namespace brevet
