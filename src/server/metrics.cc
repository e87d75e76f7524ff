#include "server/metrics.h"

#include <fmt/format.h>

#include <cmath>

namespace brevet {
namespace {

// Upper bounds in seconds: from our own microseconds to slow models' minutes.
constexpr double kFine[] = {0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025,
                            0.005,   0.01,   0.025,   0.05,   0.1,   0.5};
constexpr double kCoarse[] = {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120};

struct Bounds {
  const double* begin;
  std::size_t size;
};
Bounds bounds_of(bool fine) {
  return fine ? Bounds{kFine, std::size(kFine)} : Bounds{kCoarse, std::size(kCoarse)};
}

void append_label(std::string& out, const char* name, std::string_view value) {
  if (!out.empty()) out += ',';
  out += name;
  out += "=\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  out += '"';
}

std::string number(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (value == std::floor(value) && std::abs(value) < 1e15)
    return fmt::format("{}", static_cast<std::int64_t>(value));
  return fmt::format("{:.12g}", value);
}

void head(std::string& out, std::string_view name, std::string_view help, const char* type) {
  out += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
}
void line(std::string& out, std::string_view name, std::string_view labels, double value) {
  out += name;
  if (!labels.empty()) {
    out += '{';
    out += labels;
    out += '}';
  }
  out += ' ';
  out += number(value);
  out += '\n';
}

double seconds(Microseconds duration) {
  return static_cast<double>(duration.count()) * 1e-6;
}

}  // namespace

Metrics::Metrics() {
  families_ = {
      {"brevet_http_requests_total", "HTTP exchanges by endpoint and status.", {"endpoint", "status"}},
      {"brevet_requests_total",
       "Chat requests by route and outcome; route is empty for a named model.",
       {"route", "outcome"}},
      {"brevet_decisions_total", "Served requests by route, model and reason.", {"route", "model", "reason"}},
      {"brevet_tokens_total", "Tokens of serving calls as reported, by model and type.", {"model", "type"}},
      {"brevet_cost_usd_total", "Known cost of serving in USD by route.", {"route"}},
      {"brevet_baseline_usd_total",
       "Estimate in USD of what always-strong would have cost for what was served, by route.",
       {"route"}},
      {"brevet_unpriced_requests_total",
       "Requests whose cost is not known; they are in no sum of money.",
       {"route"}},
      {"brevet_upstream_attempts_total", "Calls made while serving, by model and state.", {"model", "state"}},
      {"brevet_upstream_errors_total", "Failed calls by model and code.", {"model", "code"}},
      {"brevet_retries_total", "Further transport tries by model.", {"model"}},
      {"brevet_fallbacks_total", "Requests served although a call for them had failed, by route.", {"route"}},
      {"brevet_reference_unreachable_total",
       "Requests whose reference could not be reached, by route and what became of them.",
       {"route", "outcome"}},
      {"brevet_degraded_total", "Requests routed without an embedding, by reason.", {"reason"}},
      {"brevet_request_duration_seconds",
       "From the parsed request to the end of the answer.",
       {"route"},
       true},
      {"brevet_overhead_seconds", "The gateway's own part of that time.", {"route"}, true},
      {"brevet_upstream_latency_seconds", "Time of one call to its end.", {"model"}, true},
      {"brevet_time_to_first_token_seconds",
       "Time of one streamed call to its first token.",
       {"model"},
       true},
  };
}

template <class Series>
Series& Metrics::series(Family& family, std::map<std::string, Series>& all,
                        std::unordered_map<std::string, Series*>& known,
                        std::initializer_list<std::string_view> labels) {
  key_.clear();
  for (const auto value : labels) {
    key_ += value;
    key_ += '\0';
  }
  const auto found = known.find(key_);
  if (found != known.end()) return *found->second;
  std::string rendered;
  std::size_t i = 0;
  for (const auto value : labels) append_label(rendered, family.labels[i++], value);
  if (all.size() >= kSeriesMax && all.count(rendered) == 0) {
    ++overflows_;
    rendered.clear();
    for (const char* name : family.labels) append_label(rendered, name, "other");
    return all[rendered];
  }
  auto& out = all[rendered];
  known.emplace(key_, &out);  // a map's elements stay where they are
  return out;
}

void Metrics::add(Id id, std::initializer_list<std::string_view> labels, double value) {
  auto& family = families_[id];
  series(family, family.values, family.value_of, labels) += value;
}

void Metrics::observe(Id id, std::initializer_list<std::string_view> labels, double value) {
  auto& family = families_[id];
  auto& histogram = series(family, family.histograms, family.histogram_of, labels);
  const auto bounds = bounds_of(id == kOverhead);
  if (histogram.buckets.empty()) histogram.buckets.resize(bounds.size);
  for (std::size_t i = 0; i < bounds.size; ++i) {
    if (value <= bounds.begin[i]) {
      ++histogram.buckets[i];
      break;
    }
  }
  histogram.sum += value;
  ++histogram.count;
}

void Metrics::exchange(std::string_view endpoint, int status) {
  const auto code = std::to_string(status);
  std::lock_guard lock(mutex_);
  add(kExchanges, {endpoint, code}, 1);
}

void Metrics::called(const Attempt& attempt) {
  const std::string_view model = attempt.configuration.model;
  add(kAttempts, {model, name_of(attempt.state)}, 1);
  if (attempt.error && attempt.state == AttemptState::kFailed) add(kErrors, {model, attempt.error->code}, 1);
  if (attempt.tries > 1) add(kRetries, {model}, attempt.tries - 1);
  if (attempt.latency.count() > 0) observe(kUpstream, {model}, seconds(attempt.latency));
  if (attempt.first_token) observe(kFirstToken, {model}, seconds(*attempt.first_token));
  if (!attempt.parts.empty()) {
    // Its tokens are theirs.
    for (const auto& part : attempt.parts) called(part);
    return;
  }
  if (!attempt.answer) return;
  const auto& usage = attempt.answer->usage;
  const auto tokens = [&](const char* type, const std::optional<std::int64_t>& count) {
    if (count) add(kTokens, {model, type}, static_cast<double>(*count));
  };
  tokens("input", usage.input_tokens);
  tokens("output", usage.output_tokens);
  tokens("cache_read", usage.cached_input_tokens);
  tokens("cache_creation", usage.cache_creation_tokens);
  tokens("reasoning", usage.reasoning_tokens);
}

void Metrics::decided(const Decision& decision) {
  std::lock_guard lock(mutex_);
  const std::string_view route = decision.route;
  add(kRequests, {route, name_of(decision.state)}, 1);
  bool failed_call = false;
  bool unreachable = false;
  for (const auto& attempt : decision.attempts) {
    called(attempt);
    if (!attempt.error || attempt.state != AttemptState::kFailed) continue;
    failed_call = true;
    const auto kind = attempt.error->kind;
    unreachable |= (kind == ErrorKind::kProviderUnavailable || kind == ErrorKind::kProviderTimeout) &&
                   attempt.error->code != "deadline_exceeded" &&
                   attempt.configuration.key() == decision.partition.reference;
  }
  if (const auto* served = decision.served(); served != nullptr && decision.state == DecisionState::kServed) {
    add(kDecisions, {route, served->configuration.model, decision.reason.code}, 1);
    if (failed_call) add(kFallbacks, {route}, 1);
    // A request that nobody answered saved nothing, whatever the reference would have cost.
    if (decision.baseline.amount) add(kBaseline, {route}, decision.baseline.amount->usd());
  }
  if (decision.cost.amount) {
    add(kCost, {route}, decision.cost.amount->usd());
  } else {
    add(kUnpriced, {route}, 1);
  }
  if (unreachable) add(kUnreachable, {route, name_of(decision.state)}, 1);
  if (!decision.degraded.empty()) add(kDegraded, {decision.degraded}, 1);
  observe(kDuration, {route}, seconds(decision.latency));
  observe(kOverhead, {route}, seconds(decision.overhead));
}

std::string Metrics::render(const Runtime* runtime, const std::vector<MetricSample>& more) const {
  std::string out;
  head(out, "brevet_build_info", "The version that runs.", "gauge");
  line(out, "brevet_build_info", "version=\"" BREVET_VERSION "\"", 1);
  head(out, "brevet_in_flight_requests", "Chat requests being served.", "gauge");
  line(out, "brevet_in_flight_requests", "", static_cast<double>(in_flight.load()));
  head(out, "brevet_open_streams", "SSE answers being written.", "gauge");
  line(out, "brevet_open_streams", "", static_cast<double>(streams.load()));
  head(out, "brevet_keep_alive_pings_total",
       "Comments sent while an answer was held or the upstream was silent.", "counter");
  line(out, "brevet_keep_alive_pings_total", "", static_cast<double>(pings.load()));
  {
    std::lock_guard lock(mutex_);
    for (std::size_t id = 0; id < families_.size(); ++id) {
      const auto& family = families_[id];
      if (family.values.empty() && family.histograms.empty()) continue;
      head(out, family.name, family.help, family.histogram ? "histogram" : "counter");
      for (const auto& [labels, value] : family.values) line(out, family.name, labels, value);
      const auto bounds = bounds_of(id == kOverhead);
      for (const auto& [labels, histogram] : family.histograms) {
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < bounds.size; ++i) {
          sum += histogram.buckets[i];
          line(out, fmt::format("{}_bucket", family.name),
               fmt::format("{},le=\"{}\"", labels, bounds.begin[i]), static_cast<double>(sum));
        }
        line(out, fmt::format("{}_bucket", family.name), fmt::format("{},le=\"+Inf\"", labels),
             static_cast<double>(histogram.count));
        line(out, fmt::format("{}_sum", family.name), labels, histogram.sum);
        line(out, fmt::format("{}_count", family.name), labels, static_cast<double>(histogram.count));
      }
    }
    head(out, "brevet_metrics_overflow_total", "Updates counted under \"other\" because a family was full.",
         "counter");
    line(out, "brevet_metrics_overflow_total", "", static_cast<double>(overflows_));
  }
  if (runtime != nullptr && !runtime->models.empty()) {
    std::vector<std::pair<std::string, ModelStatus>> states;
    for (const auto& [name, model] : runtime->models) {
      if (!model.client || states.size() >= kSeriesMax) continue;
      std::string labels;
      append_label(labels, "model", name);
      states.emplace_back(std::move(labels), model.client->status());
    }
    head(out, "brevet_breaker_state", "Circuit breaker of a model: 0 closed, 1 half open, 2 open.", "gauge");
    for (const auto& [labels, status] : states) {
      line(out, "brevet_breaker_state", labels,
           status.breaker == BreakerState::kClosed     ? 0
           : status.breaker == BreakerState::kHalfOpen ? 1
                                                       : 2);
    }
    head(out, "brevet_upstream_in_flight", "Calls to a model under way, learning included.", "gauge");
    for (const auto& [labels, status] : states)
      line(out, "brevet_upstream_in_flight", labels, status.in_flight);
    head(out, "brevet_upstream_calls_total", "Calls to a model, learning included.", "counter");
    for (const auto& [labels, status] : states) {
      line(out, "brevet_upstream_calls_total", labels, static_cast<double>(status.calls));
    }
    head(out, "brevet_upstream_failures_total", "Failed calls to a model, learning included.", "counter");
    for (const auto& [labels, status] : states) {
      line(out, "brevet_upstream_failures_total", labels, static_cast<double>(status.failures));
    }
  }
  // Samples of one name stand together, as the format asks.
  std::map<std::string, std::vector<const MetricSample*>> by_name;
  for (const auto& sample : more) by_name[sample.name].push_back(&sample);
  for (const auto& [name, samples] : by_name) {
    head(out, name, samples.front()->help, samples.front()->counter ? "counter" : "gauge");
    for (const auto* sample : samples) {
      std::string labels;
      for (const auto& [label, value] : sample->labels) append_label(labels, label.c_str(), value);
      line(out, name, labels, sample->value);
    }
  }
  return out;
}

}  // namespace brevet
