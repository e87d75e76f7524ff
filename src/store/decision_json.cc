#include "store/decision_json.h"

#include <fmt/format.h>

#include <simdjson.h>

#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <string_view>

namespace brevet {
namespace {

namespace json = boost::json;

template <class T>
json::value optional_number(const std::optional<T>& value) {
  if (!value) return nullptr;
  if constexpr (std::is_floating_point_v<T>) {
    if (!std::isfinite(*value)) return nullptr;  // JSON has no word for it
  }
  return *value;
}

json::value number(double value) {
  return optional_number(std::optional<double>(value));
}

/// Headers and providers may send any bytes; JSON is UTF-8.
json::string text(std::string_view bytes) {
  json::string out(bytes);
  if (!simdjson::validate_utf8(bytes.data(), bytes.size())) {
    for (char& c : out) {
      if (static_cast<unsigned char>(c) >= 0x80) c = '?';
    }
  }
  return out;
}

json::value text_or_null(std::string_view bytes) {
  if (bytes.empty()) return nullptr;
  return text(bytes);
}

json::object cost_json(const Cost& cost) {
  json::object out;
  out["usd"] = cost.amount ? json::value(cost.amount->to_string()) : json::value(nullptr);
  out["usd_number"] = cost.amount ? json::value(cost.amount->usd()) : json::value(nullptr);
  out["basis"] = name_of(cost.basis);
  return out;
}

json::value error_json(const std::optional<Error>& error) {
  if (!error) return nullptr;
  json::object out;
  out["kind"] = name_of(error->kind);
  out["code"] = text(error->code);
  out["message"] = text(error->message);
  out["param"] = text_or_null(error->param);
  out["upstream_status"] =
      error->upstream_status != 0 ? json::value(error->upstream_status) : json::value(nullptr);
  return out;
}

json::object reason_json(const Reason& reason) {
  return {{"code", text(reason.code)}, {"sentence", text(reason.sentence)}};
}

json::object usage_json(const Usage& usage) {
  return {{"input_tokens", optional_number(usage.input_tokens)},
          {"output_tokens", optional_number(usage.output_tokens)},
          {"cached_input_tokens", optional_number(usage.cached_input_tokens)},
          {"cache_creation_tokens", optional_number(usage.cache_creation_tokens)},
          {"reasoning_tokens", optional_number(usage.reasoning_tokens)},
          {"estimated", usage.estimated}};
}

json::object attempt_json(const Attempt& attempt) {
  json::object out;
  out["id"] = attempt.id;
  out["configuration"] = text(attempt.configuration.key());
  out["purpose"] = name_of(attempt.purpose);
  out["state"] = name_of(attempt.state);
  const Answer* answer = attempt.answer ? &*attempt.answer : nullptr;
  out["returned_model"] = answer != nullptr ? text_or_null(answer->returned_model) : nullptr;
  out["finish_reason"] = answer != nullptr ? text_or_null(answer->finish_reason) : nullptr;
  out["usage"] = answer != nullptr ? json::value(usage_json(answer->usage)) : json::value(nullptr);
  out["mean_logprob"] = answer != nullptr ? optional_number(answer->mean_logprob) : nullptr;
  out["min_logprob"] = answer != nullptr ? optional_number(answer->min_logprob) : nullptr;
  out["cost"] = cost_json(attempt.cost);
  out["latency_us"] = attempt.latency.count();
  out["first_token_us"] =
      attempt.first_token ? json::value(attempt.first_token->count()) : json::value(nullptr);
  out["tries"] = attempt.tries;
  out["error"] = error_json(attempt.error);
  out["tag"] = text_or_null(attempt.tag);
  out["prompt_bytes_added"] = attempt.prompt_bytes_added;
  if (attempt.parts.empty()) return out;
  json::array parts, steps;
  for (const auto& part : attempt.parts) parts.push_back(attempt_json(part));
  for (const auto& step : attempt.steps) steps.push_back(reason_json(step));
  out["parts"] = std::move(parts);
  out["steps"] = std::move(steps);
  return out;
}

json::object neighbour_json(const Neighbour& neighbour, bool with_text) {
  const Skill& skill = neighbour.skill;
  return {{"skill", skill.id},
          {"request_hash", text(skill.request_hash)},
          {"status", name_of(skill.status)},
          {"guide", skill.guide_id != 0 ? json::value(skill.guide_id) : json::value(nullptr)},
          {"similarity", number(neighbour.similarity)},
          {"hits", skill.hits},
          {"confirmed", skill.confirmed},
          {"refuted", skill.refuted},
          {"created", rfc3339(skill.created)},
          {"text", with_text ? text_or_null(skill.text) : json::value(nullptr)}};
}

json::value estimate_json(const std::optional<Estimate>& estimate) {
  if (!estimate) return nullptr;
  // Without outcomes there is no estimate, and numbers would look like one.
  const bool known = estimate->outcomes > 0;
  json::object out;
  out["p_agree"] = known ? number(estimate->p_agree) : nullptr;
  out["lower"] = known ? number(estimate->lower) : nullptr;
  out["upper"] = known ? number(estimate->upper) : nullptr;
  out["effective_n"] = number(estimate->effective_n);
  out["score"] = known ? number(estimate->score) : nullptr;
  out["score_rank"] = optional_number(estimate->score_rank);
  out["outcomes"] = estimate->outcomes;
  return out;
}

json::value embedding_size(const std::shared_ptr<const Embedding>& embedding) {
  if (!embedding) return nullptr;
  return embedding->size();
}

template <class List, class F>
json::array array_of(const List& list, F&& convert) {
  json::array out;
  out.reserve(list.size());
  for (const auto& item : list) out.push_back(convert(item));
  return out;
}

}  // namespace

std::string rfc3339(Instant time) {
  const auto micros = time.time_since_epoch();
  const auto day = std::chrono::floor<std::chrono::days>(micros);
  const std::chrono::year_month_day date{std::chrono::sys_days{day}};
  const auto rest = micros - day;
  const auto h = std::chrono::duration_cast<std::chrono::hours>(rest);
  const auto m = std::chrono::duration_cast<std::chrono::minutes>(rest - h);
  const auto us = (rest - h - m).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), h.count(),
                     m.count(), us / 1'000'000, us % 1'000'000);
}

std::string decision_json(const Decision& d) {
  json::object out;
  out["schema"] = kDecisionSchema;
  out["id"] = text(d.id);
  out["number"] = d.number;
  out["parent_id"] = text_or_null(d.parent_id);
  out["time"] = rfc3339(d.time);
  out["tenant"] = text(d.tenant);
  out["route"] = text_or_null(d.route);
  out["strategy"] = text_or_null(d.strategy);
  out["state"] = name_of(d.state);
  out["error"] = error_json(d.error);
  out["reason"] = reason_json(d.reason);
  const Attempt* served = d.served();
  out["model"] = served != nullptr ? json::value(text(served->configuration.key())) : json::value(nullptr);
  out["cost"] = cost_json(d.cost);
  json::object baseline = cost_json(d.baseline);
  // The note of src/gateway/baseline.cc begins with what the figure is; where the reference served it is
  // exact.
  baseline["estimate"] = !d.baseline_note.starts_with("exact");
  baseline["note"] = text_or_null(d.baseline_note);
  out["baseline"] = std::move(baseline);
  out["estimate"] = estimate_json(d.estimate);
  if (!d.qualities.empty())
    out["qualities"] = array_of(d.qualities, [](float quality) { return number(quality); });
  out["neighbours"] =
      array_of(d.neighbours, [&](const Neighbour& n) { return neighbour_json(n, d.store_text); });
  out["exact_repeat"] = d.exact_repeat;
  out["skill"] = d.skill_id != 0 ? json::value(d.skill_id) : json::value(nullptr);
  out["degraded"] = text_or_null(d.degraded);
  out["would_have"] = text_or_null(d.would_have);
  out["simulated"] = d.simulated;
  out["steps"] = array_of(d.steps, reason_json);
  out["accepted"] = d.accepted >= 0 ? json::value(d.accepted) : json::value(nullptr);
  out["attempts"] = array_of(d.attempts, attempt_json);
  out["comparisons"] = array_of(d.comparisons, [](const Comparison& c) {
    return json::object{{"first", c.first},
                        {"second", c.second},
                        {"verdict", name_of(c.verdict)},
                        {"method", c.method},
                        {"similarity", number(c.similarity)}};
  });
  out["draws"] = array_of(d.draws, [](const Draw& draw) {
    return json::object{
        {"what", draw.what}, {"probability", number(draw.probability)}, {"outcome", draw.outcome}};
  });
  out["snapshot_version"] = d.snapshot_version;
  out["embedding_dimension"] = embedding_size(d.embedding);
  out["partition"] = json::object{{"encoder", text_or_null(d.partition.encoder_hash)},
                                  {"weak", text_or_null(d.partition.weak)},
                                  {"reference", text_or_null(d.partition.reference)},
                                  {"system_hash", text_or_null(d.partition.system_hash)}};
  out["session"] = text_or_null(d.session);
  out["request_hash"] = text_or_null(d.request_hash);
  out["latency_us"] = d.latency.count();
  out["overhead_us"] = d.overhead.count();
  out["streamed"] = d.streamed;
  out["learn"] = d.learn;
  out["tags"] = text_or_null(d.tags);
  out["request_text"] = d.store_text ? text_or_null(d.request_text) : nullptr;
  return json::serialize(out);
}

}  // namespace brevet
