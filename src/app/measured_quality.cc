#include "app/measured_quality.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "dataset/outcome_file.h"
#include "dataset/prompt_text.h"

namespace brevet {
namespace {

constexpr double kNormal95 = 1.959963984540054;

std::int32_t bounded(std::int64_t count) {
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(count, -1, INT32_MAX));
}

MeasuredCell cell_of(const RecordedOutcome& outcome, std::int64_t prompt_tokens) {
  // The rule of recorded upstreams: bytes / 4 where a file has no counts, 5 for an answer that it does not
  // hold.
  constexpr std::int64_t kAnswerTokens = 5;
  MeasuredCell out;
  out.score = outcome.score;
  out.cost = outcome.cost;
  out.tokens_estimated = !outcome.input_tokens || !outcome.output_tokens;
  out.input_tokens = bounded(outcome.input_tokens.value_or(prompt_tokens));
  out.output_tokens = bounded(outcome.output_tokens    ? *outcome.output_tokens
                              : outcome.response       ? estimated_tokens(*outcome.response)
                              : outcome.response_chars ? (*outcome.response_chars + 3) / 4
                                                       : kAnswerTokens);
  return out;
}

/// Rows that all of `models` answered.
template <class Each>
void for_each_common(const MeasuredTable& table, const std::vector<std::size_t>& models, Each each) {
  for (const auto& row : table.rows) {
    const bool common = std::all_of(models.begin(), models.end(), [&](std::size_t model) {
      return model < row.size() && row[model].score >= 0;
    });
    if (common) each(row);
  }
}

Interval normal_interval(double sum, double squares, std::uint64_t n) {
  if (n == 0) return {};
  const auto count = static_cast<double>(n);
  const double mean = sum / count;
  const double variance = n > 1 ? std::max(0.0, (squares - sum * mean) / (count - 1)) : 0;
  const double half = kNormal95 * std::sqrt(variance / count);
  return {mean, mean - half, mean + half, n};
}

}  // namespace

std::uint64_t MeasuredTable::answered(std::size_t model) const {
  return static_cast<std::uint64_t>(std::count_if(rows.begin(), rows.end(), [&](const auto& row) {
    return model < row.size() && row[model].score >= 0;
  }));
}

Result<MeasuredTable> read_measured(const std::string& path) {
  OutcomeReadOptions options;
  options.prompt = PromptField::kOptional;
  auto reader = OutcomeReader::open(path, options);
  if (!reader) return fail(reader.error());
  MeasuredTable out;
  std::map<std::string, std::size_t, std::less<>> index;
  std::size_t cells = 0;
  for (;;) {
    auto record = (*reader)->next();
    if (!record) return fail(record.error());
    if (!*record) break;
    const auto& row = **record;
    auto& into = out.rows.emplace_back();
    const auto prompt_tokens =
        row.prompt.empty() ? -1 : estimated_tokens(row.system_prompt) + estimated_tokens(render_prompt(row));
    for (const auto& [name, outcome] : row.models) {
      const auto [at, fresh] = index.try_emplace(name, out.models.size());
      if (fresh) out.models.push_back(name);
      if (into.size() <= at->second) into.resize(at->second + 1);
      into[at->second] = cell_of(outcome, prompt_tokens);
    }
    if ((cells += into.size()) > kMeasuredCellsMax) {
      return fail(ErrorKind::kCallerInvalid, "no_data",
                  path + " holds more than " + std::to_string(kMeasuredCellsMax) +
                      " outcomes, too many to compare at once; take a part of it.",
                  "--data");
    }
  }
  if (out.rows.empty())
    return fail(ErrorKind::kCallerInvalid, "no_data", path + " holds no records.", "--data");
  return out;
}

std::optional<Money> MeasuredModel::usd_per_thousand() const {
  if (cost.unknown_count > 0 || cost.known_count == 0) return std::nullopt;
  // By double: a mean is a figure to compare, not a sum of money.
  return Money::from_usd(cost.known.usd() * 1'000 / static_cast<double>(cost.known_count));
}

CostBasis MeasuredModel::basis() const {
  return cost.unknown_count > 0 ? CostBasis::kUnknown : cost.basis;
}

std::vector<MeasuredModel> measure(const MeasuredTable& table, const std::vector<std::size_t>& models,
                                   const PriceOfMeasured& price_of) {
  struct Sums {
    double sum = 0, squares = 0;
    bool binary = true;
  };
  std::vector<MeasuredModel> out(models.size());
  std::vector<Sums> sums(models.size());
  std::uint64_t n = 0;
  for_each_common(table, models, [&](const std::vector<MeasuredCell>& row) {
    ++n;
    for (std::size_t i = 0; i < models.size(); ++i) {
      const auto& cell = row[models[i]];
      const double score = cell.score;
      sums[i].sum += score;
      sums[i].squares += score * score;
      sums[i].binary &= score == 0 || score == 1;
      if (cell.cost) {
        out[i].cost.add({cell.cost, CostBasis::kRecorded});
        continue;
      }
      const auto* price = price_of(models[i]);
      Usage usage;
      if (cell.input_tokens >= 0) usage.input_tokens = cell.input_tokens;
      usage.output_tokens = cell.output_tokens;
      usage.estimated = cell.tokens_estimated;
      out[i].cost.add(price ? price_usage(*price, usage) : Cost{});
    }
  });
  for (std::size_t i = 0; i < models.size(); ++i) {
    out[i].model = models[i];
    if (sums[i].binary) {
      out[i].quality = exact_proportion(static_cast<std::uint64_t>(std::llround(sums[i].sum)), n);
    } else {
      out[i].quality = normal_interval(sums[i].sum, sums[i].squares, n);
      out[i].quality.low = std::max(0.0, out[i].quality.low);
      out[i].quality.high = std::min(1.0, out[i].quality.high);
    }
  }
  return out;
}

Interval paired_difference(const MeasuredTable& table, const std::vector<std::size_t>& models, std::size_t a,
                           std::size_t b) {
  double sum = 0, squares = 0;
  std::uint64_t n = 0;
  for_each_common(table, models, [&](const std::vector<MeasuredCell>& row) {
    const double difference = row[a].score - row[b].score;
    sum += difference;
    squares += difference * difference;
    ++n;
  });
  return normal_interval(sum, squares, n);
}

}  // namespace brevet
