#include "eval/report_json.h"

#include <vector>

#include "eval/report_format.h"

namespace brevet {
namespace {

/// Writes JSON with commas where they belong. Objects of one figure stand on one line, lists of objects one a
/// line.
class JsonText {
 public:
  JsonText& open(char bracket) {
    separate();
    out_ += bracket;
    fresh_.push_back(true);
    return *this;
  }
  JsonText& close(char bracket) {
    fresh_.pop_back();
    out_ += bracket;
    return *this;
  }
  JsonText& key(std::string_view name) {
    separate();
    out_ += json_quoted(name) + ":";
    after_key_ = true;
    return *this;
  }
  JsonText& text(std::string_view value) { return raw(json_quoted(value)); }
  JsonText& number(double value) { return raw(json_number(value)); }
  JsonText& count(std::uint64_t value) { return raw(std::to_string(value)); }
  JsonText& maybe(const std::optional<double>& value) { return value ? number(*value) : raw("null"); }
  JsonText& raw(std::string_view value) {
    separate();
    out_ += value;
    return *this;
  }
  JsonText& new_line() {
    pending_line_ = true;
    return *this;
  }
  std::string take() { return std::move(out_) + "\n"; }

 private:
  void separate() {
    if (after_key_) {
      after_key_ = false;
      return;
    }
    if (!fresh_.empty()) {
      if (!fresh_.back()) out_ += ',';
      fresh_.back() = false;
    }
    if (pending_line_) out_ += '\n';
    pending_line_ = false;
  }
  std::string out_;
  std::vector<bool> fresh_;
  bool after_key_ = false, pending_line_ = false;
};

void put_range(JsonText& json, const std::optional<Range>& range) {
  if (!range) {
    json.raw("null");
    return;
  }
  json.open('[').number(range->low).number(range->high).close(']');
}

void put_measured(JsonText& json, const std::optional<Measured>& figure) {
  if (!figure) {
    json.raw("null");
    return;
  }
  json.open('{').key("mean").number(figure->mean).key("ci95");
  put_range(json, figure->ci95);
  json.close('}');
}

template <class List, class Put>
void put_list(JsonText& json, std::string_view name, const List& list, const Put& put) {
  json.new_line().key(name).open('[');
  for (const auto& item : list) {
    json.new_line();
    put(item);
  }
  json.close(']');
}

void put_texts(JsonText& json, std::string_view name, const std::vector<std::string>& texts) {
  json.key(name).open('[');
  for (const auto& text : texts) json.text(text);
  json.close(']');
}

void put_run(JsonText& json, const RunFacts& run) {
  json.key("run").open('{');
  json.key("command").text(run.command).key("version").text(run.version);
  json.key("seed").count(run.seed).key("seeds").count(run.seeds);
  json.key("order").text(run.order).key("signal").text(run.signal).key("lag").count(run.lag);
  json.key("fit_labels")
      .count(run.fit_labels)
      .key("prices")
      .text(run.prices)
      .key("encoder")
      .text(run.encoder);
  json.key("bootstrap_rounds").number(run.bootstrap_rounds);
  put_list(json, "files", run.files, [&](const DataFile& file) {
    json.open('{').key("path").text(file.path).key("sha256").text(file.sha256);
    json.key("records").count(file.records).close('}');
  });
  json.key("more").open('{');
  for (const auto& [name, value] : run.more) json.key(name).text(value);
  json.close('}').close('}');
}

void put_row(JsonText& json, const StrategyRow& row) {
  json.open('{').key("dataset").text(row.dataset).key("n").count(row.n).key("strategy").text(row.strategy);
  json.key("seeds").count(row.seeds).key("splits").count(row.splits).key("labels");
  if (row.labels) {
    json.count(*row.labels);
  } else {
    json.raw("null");
  }
  json.key("baseline").raw(row.baseline ? "true" : "false");
  json.key("setting").text(row.setting);
  for (const auto& [name, figure] : row_figures()) {
    json.key(name);
    put_measured(json, row.*figure);
  }
  json.key("worst_group_name").text(row.worst_group_name).key("worst_group_n").count(row.worst_group_n);
  json.key("verdict");
  if (row.verdict == ShuffleVerdict::kNotApplicable) {
    json.raw("null");
  } else {
    json.text(name_of(row.verdict));
  }
  json.key("cost_basis").text(row.cost_basis).key("unknown_costs").count(row.unknown_costs);
  json.key("note").text(row.note).close('}');
}

void put_point(JsonText& json, const PlanePoint& point) {
  json.open('{').key("strong_share").maybe(point.strong_share).key("cost_rel").maybe(point.cost_rel);
  json.key("cost_rel_ci95");
  put_range(json, point.cost_rel_ci);
  json.key("quality");
  put_measured(json, point.quality);
  json.close('}');
}

void put_named_points(JsonText& json, std::string_view name, const std::vector<NamedPoint>& points) {
  put_list(json, name, points, [&](const NamedPoint& named) {
    json.open('{').key("name").text(named.name).key("point");
    put_point(json, named.point);
    json.close('}');
  });
}

void put_plane(JsonText& json, const CostQualityPlane& plane) {
  json.new_line().key("plane").open('{');
  put_list(json, "curves", plane.curves, [&](const PlaneCurve& curve) {
    json.open('{')
        .key("strategy")
        .text(curve.strategy)
        .key("baseline")
        .raw(curve.baseline ? "true" : "false");
    json.key("points").open('[');
    for (const auto& point : curve.points) put_point(json, point);
    json.close(']').close('}');
  });
  json.new_line().key("hull").open('[');
  for (const auto& point : plane.hull)
    json.open('{').key("cost_rel").number(point.cost).key("quality").number(point.quality).close('}');
  json.close(']');
  put_named_points(json, "single_models", plane.single_models);
  put_named_points(json, "oracles", plane.oracles);
  json.close('}');
}

void put_decisions(JsonText& json, std::string_view name, const std::vector<ShownDecision>& decisions) {
  put_list(json, name, decisions, [&](const ShownDecision& decision) {
    json.open('{').key("strategy").text(decision.strategy).key("question_id").text(decision.question_id);
    json.key("topic")
        .text(decision.topic)
        .key("prompt")
        .text(shortened_end(decision.prompt, kShownPromptBytes));
    json.key("served_by").text(decision.served_by).key("reason").text(decision.reason);
    json.key("score").number(decision.score).key("alternative").maybe(decision.alternative);
    json.key("cost_usd").maybe(decision.cost_usd).key("cost_rel").maybe(decision.cost_rel).close('}');
  });
}

void put_dataset(JsonText& json, const DatasetReport& data) {
  json.open('{').key("name").text(data.name).key("file").text(data.file);
  put_texts(json, "models", data.models);
  json.key("records").count(data.records).key("dropped").open('{');
  for (const auto& drop : data.dropped) json.key(drop.reason).count(drop.n);
  json.close('}').key("splits").open('{');
  json.key("fitting").count(data.splits.fitting).key("calibration").count(data.splits.calibration);
  json.key("test").count(data.splits.test).key("clusters").count(data.splits.clusters);
  json.key("largest_cluster").count(data.splits.largest_cluster).close('}');
  json.key("cost_basis").text(data.cost_basis);
  json.key("embedding");
  if (data.embedding.texts == 0) {
    json.raw("null");
  } else {
    json.open('{').key("texts").count(data.embedding.texts).key("cost_usd").count(0);
    json.key("basis").text("encoder in the process").close('}');
  }
  put_plane(json, data.plane);
  put_list(json, "learning", data.learning, [&](const LearningCurve& curve) {
    json.open('{').key("strategy").text(curve.strategy).key("points").open('[');
    for (const auto& point : curve.points) {
      json.open('{').key("requests").count(point.requests).key("quality");
      put_measured(json, point.quality);
      json.key("strong_share");
      put_measured(json, point.strong_share);
      json.key("cost_rel");
      put_measured(json, point.cost_rel);
      json.key("cost_rel_with_learning");
      put_measured(json, point.cost_rel_with_learning);
      json.close('}');
    }
    json.close(']').close('}');
  });
  put_list(json, "reliability", data.reliability, [&](const ReliabilityDiagram& diagram) {
    json.open('{').key("strategy").text(diagram.strategy).key("predicts").text(diagram.predicts);
    json.key("n").count(diagram.calibration.n).key("brier").number(diagram.calibration.brier);
    json.key("ece").number(diagram.calibration.ece).key("bins").open('[');
    for (const auto& bin : diagram.calibration.bins) {
      json.open('{').key("low").number(bin.low).key("high").number(bin.high).key("n").count(bin.n);
      json.key("predicted").maybe(bin.n ? std::optional(bin.predicted) : std::nullopt);
      json.key("observed").maybe(bin.n ? std::optional(bin.observed) : std::nullopt).close('}');
    }
    json.close(']').close('}');
  });
  put_list(json, "topics", data.topics.rows, [&](const TopicRow& row) {
    json.open('{').key("topic").text(row.topic).key("n").count(row.n).key("weak").maybe(row.weak);
    json.key("strong").maybe(row.strong).key("strategies").open('{');
    for (std::size_t i = 0; i < row.cells.size() && i < data.topics.strategies.size(); ++i) {
      json.key(data.topics.strategies[i]).open('{').key("quality").maybe(row.cells[i].quality);
      json.key("strong_share").maybe(row.cells[i].strong_share);
      json.key("retention").maybe(row.cells[i].retention).close('}');
    }
    json.close('}').close('}');
  });
  put_decisions(json, "costly", data.costly);
  put_decisions(json, "wrong", data.wrong);
  json.new_line();
  put_texts(json, "notes", data.notes);
  json.close('}');
}

void put_timing(JsonText& json, const EvalReport& report) {
  const auto& timing = report.timing;
  json.new_line().key("timing").open('{').key("started_utc").text(timing.started_utc);
  json.key("wall_s").number(timing.wall_s).key("phases_s").open('{');
  for (const auto& [name, seconds] : timing.phases_s) json.key(name).number(seconds);
  json.close('}').key("peak_memory_mib").maybe(timing.peak_memory_mib).key("machine").text(timing.machine);
  json.key("deciding").open('[');
  for (const auto& data : report.datasets) {
    for (const auto& row : data.rows) {
      if (!row.latency_p50_ms && !row.latency_p99_ms) continue;
      json.open('{').key("dataset").text(row.dataset).key("strategy").text(row.strategy);
      json.key("p50_ms").maybe(row.latency_p50_ms).key("p99_ms").maybe(row.latency_p99_ms).close('}');
    }
  }
  json.close(']').key("embedding").open('[');
  for (const auto& data : report.datasets) {
    if (data.embedding.measured == 0) continue;
    json.open('{').key("dataset").text(data.name).key("measured").count(data.embedding.measured);
    json.key("ms_per_text").maybe(data.embedding.ms_per_text);
    json.key("cpu_s_per_text").maybe(data.embedding.cpu_s_per_text).close('}');
  }
  json.close(']').close('}');
}

}  // namespace

std::string report_json(const EvalReport& report) {
  JsonText json;
  json.open('{').key("schema").count(1).new_line();
  put_run(json, report.run);
  json.new_line().key("rows").open('[');
  for (const auto& data : report.datasets) {
    for (const auto* rows : {&data.rows, &data.label_curve}) {
      for (const auto& row : *rows) {
        json.new_line();
        put_row(json, row);
      }
    }
  }
  json.close(']');
  put_list(json, "datasets", report.datasets, [&](const DatasetReport& data) { put_dataset(json, data); });
  put_list(json, "pairwise", report.pairwise, [&](const PairwiseRow& row) {
    json.open('{').key("dataset").text(row.dataset).key("a").text(row.a).key("b").text(row.b);
    json.key("metric").text(row.metric).key("mean");
    json.maybe(row.difference ? std::optional(row.difference->mean) : std::nullopt).key("ci95");
    put_range(json, row.difference ? row.difference->ci95 : std::nullopt);
    json.key("n").count(row.n).key("splits").count(row.splits).close('}');
  });
  put_list(json, "transfer", report.transfer, [&](const TransferRow& row) {
    json.open('{').key("strategy").text(row.strategy).key("fitted_on").text(row.fitted_on);
    json.key("tested_on").text(row.tested_on).key("n").count(row.n).key("apgr");
    put_measured(json, row.apgr);
    json.key("cpt50");
    put_measured(json, row.cpt50);
    json.key("mixture_gain");
    put_measured(json, row.mixture_gain);
    json.key("carried").open('{').key("strong_share");
    put_measured(json, row.carried_strong_share);
    json.key("quality");
    put_measured(json, row.carried_quality);
    json.key("mixture_gain");
    put_measured(json, row.carried_mixture_gain);
    json.close('}').key("apgr_at_home").maybe(row.apgr_at_home).close('}');
  });
  json.new_line();
  put_texts(json, "notes", report.notes);
  put_timing(json, report);
  json.close('}');
  return json.take();
}

}  // namespace brevet
