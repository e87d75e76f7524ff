#include "record/from_decisions.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "base/random.h"
#include "record/json_out.h"

namespace brevet::record {
namespace {

namespace json = boost::json;

constexpr std::size_t kIdDigits = 16;

const json::value* at(const json::value& value, std::string_view name) {
  const auto* object = value.if_object();
  return object != nullptr ? object->if_contains(name) : nullptr;
}
std::string text_at(const json::value& value, std::string_view name) {
  const auto* found = at(value, name);
  return found != nullptr && found->is_string() ? std::string(found->get_string()) : "";
}
std::optional<double> number_at(const json::value& value, std::string_view name) {
  const auto* found = at(value, name);
  if (found == nullptr || !found->is_number()) return std::nullopt;
  json::error_code error;
  const double number = found->to_number<double>(error);
  if (error) return std::nullopt;
  return number;
}

struct Outcome {
  std::string model;
  double score_sum = 0;
  std::size_t scores = 0;
  std::string rest;  ///< members of the cell behind the score, of the newest decision
};
struct Text {
  std::string id, prompt;
  std::vector<Outcome> outcomes;
};

/// Cost, tokens, latency and confidence of the attempt that was served.
std::string rest_of(const json::value& attempt) {
  std::string out;
  if (const auto* cost = at(attempt, "cost")) {
    const auto usd = Money::parse_usd(text_at(*cost, "usd"));
    if (usd) out += ",\"cost_usd\":" + usd->to_string();
  }
  if (const auto* usage = at(attempt, "usage")) {
    for (const char* name : {"input_tokens", "output_tokens"}) {
      if (const auto count = number_at(*usage, name)) out += fmt::format(",\"{}\":{:.0f}", name, *count);
    }
  }
  if (const auto latency = number_at(attempt, "latency_us"))
    out += ",\"latency_ms\":" + json_number(*latency / 1000);
  if (const auto logprob = number_at(attempt, "mean_logprob"))
    out += ",\"logprob_conf\":" + json_number(*logprob);
  return out;
}

/// The attempt that was served, null when none was.
const json::value* served(const json::value& decision) {
  const auto accepted = number_at(decision, "accepted");
  const auto* attempts = at(decision, "attempts");
  if (!accepted || *accepted < 0 || attempts == nullptr || !attempts->is_array()) return nullptr;
  for (const auto& attempt : attempts->get_array()) {
    if (number_at(attempt, "id") == accepted && text_at(attempt, "state") == "done") return &attempt;
  }
  return nullptr;
}

std::vector<double> scores_of(const json::value& decision) {
  std::vector<double> out;
  const auto* feedback = at(decision, "feedback");
  if (feedback == nullptr || !feedback->is_array()) return out;
  for (const auto& one : feedback->get_array()) {
    const auto score = number_at(one, "score");
    if (score && *score >= 0 && *score <= 1) out.push_back(*score);
  }
  return out;
}

}  // namespace

Result<DecisionOutcomes> outcomes_of_decisions(const Store& store, const DecisionOptions& options) {
  DecisionFilter filter;
  filter.tenant = options.tenant;
  filter.route = options.route;
  filter.limit = options.decisions_max;
  auto listed = store.decisions(filter);
  if (!listed) return fail(listed.error());
  std::reverse(listed->begin(), listed->end());

  DecisionOutcomes out;
  std::vector<Text> texts;
  std::map<std::string, std::size_t> by_text;
  for (const auto& line : *listed) {
    ++out.decisions;
    json::error_code error;
    auto decision = json::parse(line, error);
    if (error) continue;
    if (!text_at(decision, "parent_id").empty()) {
      ++out.shadows;
      continue;
    }
    const auto prompt = text_at(decision, "request_text");
    if (prompt.empty()) {
      ++out.without_text;
      continue;
    }
    // The list is without what followed; one by one it is with it.
    const auto tenant = text_at(decision, "tenant");
    auto whole = store.decision(tenant, text_at(decision, "id"));
    if (!whole) return fail(whole.error());
    if (*whole) decision = json::parse(**whole, error);
    const auto* attempt = error ? nullptr : served(decision);
    if (attempt == nullptr) {
      ++out.without_answer;
      continue;
    }
    const auto scores = scores_of(decision);
    if (scores.empty()) {
      ++out.without_score;
      continue;
    }
    ++out.used;
    const auto* simulated = at(decision, "simulated");
    if (simulated != nullptr && simulated->is_bool() && simulated->get_bool()) ++out.simulated;
    const auto* partition = at(decision, "partition");
    const auto key = tenant + '\0' + (partition ? text_at(*partition, "system_hash") : "") + '\0' + prompt;
    const auto [place, fresh] = by_text.emplace(key, texts.size());
    if (fresh) texts.push_back({"d-" + sha256_hex(key).substr(0, kIdDigits), prompt, {}});
    auto& outcomes = texts[place->second].outcomes;
    const auto model = text_at(*attempt, "configuration");
    auto found = std::find_if(outcomes.begin(), outcomes.end(),
                              [&](const Outcome& one) { return one.model == model; });
    if (found == outcomes.end()) found = outcomes.insert(outcomes.end(), {model, 0, 0, ""});
    for (const double score : scores) found->score_sum += score;
    found->scores += scores.size();
    found->rest = rest_of(*attempt);
  }
  for (const auto& text : texts) {
    auto line = fmt::format(R"({{"schema":1,"id":{},"dataset":{},"prompt":{},"models":{{)",
                            json_string(text.id), json_string(options.dataset), json_string(text.prompt));
    for (const auto& one : text.outcomes) {
      line += (&one == &text.outcomes.front() ? "" : ",") + json_string(one.model) +
              ":{\"score\":" + json_number(one.score_sum / static_cast<double>(one.scores)) + one.rest + "}";
      ++out.outcomes;
    }
    out.lines.push_back(line + "}}");
  }
  return out;
}

}  // namespace brevet::record
