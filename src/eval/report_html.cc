#include "eval/report_html.h"

#include <fmt/format.h>

#include <algorithm>

#include "eval/report_format.h"
#include "eval/report_plots.h"
#include "eval/report_style.h"

namespace brevet {
namespace {

constexpr const char* kNone = "<td class=\"none\">\xE2\x80\x93</td>";

enum class Unit { kPercent, kPoints, kFraction, kMoneyPerThousand };

std::string written(double value, Unit unit) {
  switch (unit) {
    case Unit::kPercent:
      return percent(value);
    case Unit::kPoints:
      return points(value);
    case Unit::kFraction:
      return fixed(value, 3);
    case Unit::kMoneyPerThousand:
      return money_text(value * 1000);
  }
  return {};
}

std::string cell(const std::optional<Measured>& figure, Unit unit) {
  if (!figure) return kNone;
  auto out = "<td>" + written(figure->mean, unit);
  // A figure that is the same in every resample needs no small print.
  if (figure->ci95 && written(figure->ci95->low, unit) != written(figure->ci95->high, unit)) {
    out += "<small>" + written(figure->ci95->low, unit) + "\xE2\x80\xA6" + written(figure->ci95->high, unit) +
           "</small>";
  }
  return out + "</td>";
}

std::string cell(const std::optional<double>& value, Unit unit) {
  return value ? "<td>" + written(*value, unit) + "</td>" : kNone;
}

std::string badge(ShuffleVerdict verdict) {
  // A sign beside the colour, for print and for readers who do not see it.
  switch (verdict) {
    case ShuffleVerdict::kBeatsShuffle:
      return "<span class=\"badge good\">\xE2\x9C\x93 beats its own shuffle</span>";
    case ShuffleVerdict::kNotShown:
      return "<span class=\"badge warn\">? not shown</span>";
    case ShuffleVerdict::kDoesNothing:
      return "<span class=\"badge bad\">\xE2\x9C\x95 does nothing</span>";
    case ShuffleVerdict::kNotApplicable:
      break;
  }
  return {};
}

std::string tile(std::string_view value, std::string_view label) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", html_text(value),
                     html_text(label));
}

const StrategyRow* row_named(const DatasetReport& data, std::string_view name) {
  for (const auto& row : data.rows) {
    if (row.strategy == name) return &row;
  }
  return nullptr;
}

std::string tiles(const DatasetReport& data) {
  std::string out = "<div class=\"tiles\">" + tile(grouped(data.splits.test), "test questions");
  const struct {
    const char *row, *label;
  } figures[] = {{"always_weak", "right, weak model alone"},
                 {"always_strong", "right, strong model alone"},
                 {"best_single", "right, best single model"},
                 {"oracle", "right, oracle of the models"}};
  for (const auto& figure : figures) {
    if (const auto* row = row_named(data, figure.row); row && row->quality)
      out += tile(percent(row->quality->mean) + "%", figure.label);
  }
  if (const auto* row = row_named(data, "always_weak"); row && row->cost_rel)
    out += tile(fixed(row->cost_rel->mean, 3), "cost of weak, strong = 1");
  return out + "</div>";
}

std::string verdicts(const DatasetReport& data) {
  std::string out;
  for (const auto verdict :
       {ShuffleVerdict::kBeatsShuffle, ShuffleVerdict::kNotShown, ShuffleVerdict::kDoesNothing}) {
    std::string names;
    for (const auto& row : data.rows) {
      if (row.verdict != verdict) continue;
      names += names.empty() ? "" : ", ";
      names += "<b>" + html_text(row.strategy) + "</b>";
      if (row.shuffle_gain) {
        names += " (" + points(row.shuffle_gain->mean);
        if (row.shuffle_gain->ci95)
          names +=
              " [" + points(row.shuffle_gain->ci95->low) + ", " + points(row.shuffle_gain->ci95->high) + "]";
        names += " points)";
      }
    }
    if (!names.empty()) out += "<li>" + badge(verdict) + " " + names + "</li>";
  }
  return out.empty() ? out : "<ul class=\"verdicts\">" + out + "</ul>";
}

std::string plane_section(const DatasetReport& data, const SeriesStyles& styles) {
  const auto svg = plane_svg(data, styles);
  if (svg.empty()) return {};
  const bool costs = plane_has_costs(data.plane);
  std::string legend = "<ul class=\"legend\">";
  for (const auto& curve : data.plane.curves) {
    if (curve.points.empty()) continue;
    const auto style = styles.of(curve.strategy);
    legend += "<li>" + swatch_svg(style, curve.baseline, !is_mixture(curve.strategy)) +
              html_text(curve.strategy) + "</li>";
  }
  if (costs && data.plane.hull.size() > 1)
    legend +=
        "<li><svg class=\"swatch\" viewBox=\"0 0 34 16\" aria-hidden=\"true\"><line class=\"hull\" x1=\"1\" "
        "y1=\"8\" "
        "x2=\"33\" y2=\"8\"/></svg>hull of single models (Zero router)</li>";
  if (!data.plane.single_models.empty())
    legend +=
        "<li><svg class=\"swatch\" viewBox=\"0 0 34 16\" aria-hidden=\"true\"><rect class=\"mark single\" "
        "x=\"12\" "
        "y=\"3.5\" width=\"9\" height=\"9\"/></svg>one model for everything</li>";
  if (!data.plane.oracles.empty())
    legend +=
        "<li><svg class=\"swatch\" viewBox=\"0 0 34 16\" aria-hidden=\"true\"><polygon class=\"star\" "
        "points=\"17,1 19,6 24,6 20,9.500 21.500,15 17,11.500 12.500,15 14,9.500 10,6 15,6\"/></svg>oracle: "
        "knows "
        "who is right, nobody can</li>";
  legend += "</ul>";
  return std::string("<h3>Quality against ") + (costs ? "cost" : "strong share") + "</h3><figure>" + svg +
         legend +
         "<figcaption>How to read it: a strategy earns its place where its line runs above the grey lines, "
         "that is above "
         "what mixing models at random buys for the same " +
         (costs ? "money. " : "share of strong calls. ") +
         "Shaded bands and whiskers are 95% intervals of the quality itself; whether the distance to the "
         "grey is more than chance, the paired gains in the table decide.</figcaption></figure>";
}

std::string row_head(const DatasetReport& data, const StrategyRow& row) {
  auto under = row.setting;
  if (row.seeds > 1) under += (under.empty() ? "" : ", ") + std::to_string(row.seeds) + " seeds";
  if (row.n != data.splits.test) under += (under.empty() ? "n = " : ", n = ") + grouped(row.n);
  return fmt::format("<tr{}><th scope=\"row\">{}{}</th>", row.baseline ? " class=\"base\"" : "",
                     html_text(row.strategy), under.empty() ? "" : "<small>" + html_text(under) + "</small>");
}

std::string table_open(std::string_view caption, std::initializer_list<const char*> titles,
                       const char* last_left) {
  auto out = fmt::format(
      "<div class=\"scroll\"><table><caption>{}</caption><thead><tr><th class=\"l\" "
      "scope=\"col\">strategy</th>",
      html_text(caption));
  for (const char* title : titles) out += fmt::format("<th scope=\"col\">{}</th>", title);
  if (last_left) out += fmt::format("<th class=\"l\" scope=\"col\">{}</th>", last_left);
  return out + "</tr></thead><tbody>";
}

std::string main_table(const DatasetReport& data) {
  auto out = "<h3>Main figures</h3>" +
             table_open("n = " + grouped(data.splits.test) +
                            " test questions; small print: 95% intervals by paired bootstrap. Costs: " +
                            data.cost_basis + ". Grey: baselines that always run.",
                        {"quality, %", "kept of strong", "strong share, %", "cost<small>strong = 1</small>",
                         "gain over own shuffle<small>points</small>", "APGR", "CPT 50%", "CPT 80%"},
                        "verdict");
  for (const auto& row : data.rows) {
    out += row_head(data, row) + cell(row.quality, Unit::kPercent) + cell(row.retention, Unit::kFraction) +
           cell(row.strong_share, Unit::kPercent) + cell(row.cost_rel, Unit::kFraction) +
           cell(row.shuffle_gain, Unit::kPoints) + cell(row.apgr, Unit::kFraction) +
           cell(row.cpt50, Unit::kFraction) + cell(row.cpt80, Unit::kFraction) + "<td class=\"l\">" +
           badge(row.verdict) + "</td></tr>";
  }
  out += "</tbody></table></div>";
  std::string notes;
  for (const auto& row : data.rows) {
    if (!row.note.empty())
      notes += "<li><b>" + html_text(row.strategy) + "</b>: " + html_text(row.note) + "</li>";
  }
  return notes.empty() ? out : out + "<ul class=\"sub\">" + notes + "</ul>";
}

std::string more_table(const DatasetReport& data) {
  auto out =
      "<h3>More figures</h3>" + table_open(
                                    "Costs relative to always_strong. The worst group is the topic that "
                                    "keeps the least of strong, with its "
                                    "own n: the lowest of many noisy figures looks worse than it is.",
                                    {"USD per 1,000", "cost of serving alone", "with fitting labels",
                                     "gain over mixture<small>points</small>", "PGR", "AIQ", "Arena S",
                                     "worst group<small>kept of strong</small>"},
                                    nullptr);
  for (const auto& row : data.rows) {
    out += row_head(data, row);
    out += row.cost_usd ? cell(row.cost_usd, Unit::kMoneyPerThousand) : "<td class=\"none\">unknown</td>";
    out += cell(row.cost_rel_serving, Unit::kFraction) + cell(row.cost_rel_with_learning, Unit::kFraction) +
           cell(row.mixture_gain, Unit::kPoints) + cell(row.pgr, Unit::kFraction) +
           cell(row.aiq, Unit::kFraction) + cell(row.router_arena, Unit::kFraction);
    out += row.worst_group && row.worst_group_n < row.n
               ? "<td>" + fixed(row.worst_group->mean, 3) + "<small>" +
                     html_text(shortened_middle(row.worst_group_name, 24)) +
                     "</small><small>n = " + grouped(row.worst_group_n) + "</small></td></tr>"
               : std::string(kNone) + "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string learning_section(const DatasetReport& data, const SeriesStyles& styles) {
  static const LearningPlot kPlots[] = {
      {"Quality, %", &LearningPoint::quality, true},
      {"Strong share, %", &LearningPoint::strong_share, true},
      {"Cost with learning (strong = 1)", &LearningPoint::cost_rel_with_learning, false}};
  std::string plots;
  for (const auto& plot : kPlots) plots += learning_svg(data.learning, plot, styles);
  if (plots.empty()) return {};
  std::string legend = "<ul class=\"legend\">";
  for (const auto& curve : data.learning)
    legend +=
        "<li>" + swatch_svg(styles.of(curve.strategy), false, true) + html_text(curve.strategy) + "</li>";
  return "<h3>Learning over requests</h3><figure><div class=\"plots\">" + plots + "</div>" + legend +
         "</ul><figcaption>How to read it: each point is the mean from the first request up to that one, "
         "with every shadow, "
         "judge, guide, embedding and fitting label in the cost. Above 1 in the last plot, learning has cost "
         "more so far "
         "than asking the strong model everything.</figcaption></figure>";
}

std::string calibration_table(const DatasetReport& data) {
  std::string lines;
  for (const auto& row : data.rows) {
    if (!row.brier && !row.ece && !row.auroc) continue;
    lines += row_head(data, row) + cell(row.brier, Unit::kFraction) + cell(row.ece, Unit::kFraction) +
             cell(row.auroc, Unit::kFraction) + "</tr>";
  }
  if (lines.empty()) return {};
  return table_open(
             "Brier: mean squared error of the predictions, 0 is perfect. ECE: mean distance from the dashed "
             "line. "
             "AUROC: how well right is told from wrong, .5 is chance.",
             {"Brier", "ECE", "AUROC"}, nullptr) +
         lines + "</tbody></table></div>";
}

std::string reliability_section(const DatasetReport& data, const SeriesStyles& styles) {
  std::string plots;
  for (const auto& diagram : data.reliability) {
    const auto svg = reliability_svg(diagram, styles);
    if (svg.empty()) continue;
    plots += "<div>" + svg + "<p class=\"sub\">" + html_text(diagram.predicts) + "; Brier " +
             fixed(diagram.calibration.brier, 3) + ", ECE " + fixed(diagram.calibration.ece, 3) +
             ", n = " + grouped(diagram.calibration.n) + "</p></div>";
  }
  const auto table = calibration_table(data);
  if (plots.empty() && table.empty()) return {};
  std::string out = "<h3>Calibration</h3>";
  if (!plots.empty())
    out += "<figure><div class=\"squares\">" + plots +
           "</div><figcaption>How to read it: on the dashed line a prediction of 70% comes true in 70 of 100 "
           "cases; below "
           "it the strategy is too sure of itself. Bars and sizes of the marks show how many predictions "
           "stand behind each "
           "point.</figcaption></figure>";
  return out + table;
}

const char* heat(double retention) {
  return retention < .85     ? "h0"
         : retention < .93   ? "h1"
         : retention < .98   ? "h2"
         : retention <= 1.01 ? "h3"
                             : "h4";
}

/// Columns in the order in which they interest: what was asked for, baselines that choose, what nobody can
/// be.
std::vector<std::size_t> topic_columns(const DatasetReport& data) {
  const auto rank = [&](const std::string& name) {
    if (name.starts_with("oracle")) return 3;
    if (name == "best_single" || is_mixture(name)) return 2;
    const auto* row = row_named(data, name);
    return row && row->baseline ? 1 : 0;
  };
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < data.topics.strategies.size(); ++i) out.push_back(i);
  std::stable_sort(out.begin(), out.end(), [&](std::size_t a, std::size_t b) {
    return rank(data.topics.strategies[a]) < rank(data.topics.strategies[b]);
  });
  return out;
}

std::string topic_section(const DatasetReport& data) {
  if (data.topics.rows.empty()) return {};
  const auto columns = topic_columns(data);
  std::string out =
      "<h3>By topic</h3><figure><div class=\"scroll\"><table><thead><tr><th class=\"l\" "
      "scope=\"col\">topic</th><th "
      "scope=\"col\">n</th><th scope=\"col\">weak, %</th><th scope=\"col\">strong, %</th>";
  for (const auto column : columns)
    out += "<th scope=\"col\">" + html_text(data.topics.strategies[column]) +
           "<small>quality (strong share), %</small></th>";
  out += "</tr></thead><tbody>";
  for (const auto& row : data.topics.rows) {
    out += "<tr><th scope=\"row\">" + html_text(row.topic) + "</th><td>" + grouped(row.n) + "</td>" +
           cell(row.weak, Unit::kPercent) + cell(row.strong, Unit::kPercent);
    for (const auto column : columns) {
      const auto at = column < row.cells.size() ? row.cells[column] : TopicRow::Cell{};
      if (!at.quality) {
        out += kNone;
        continue;
      }
      out += at.retention ? fmt::format("<td class=\"{}\" title=\"keeps {}% of strong\">",
                                        heat(*at.retention), percent(*at.retention))
                          : std::string("<td>");
      out +=
          percent(*at.quality) + (at.strong_share ? " (" + percent(*at.strong_share, 0) + ")" : "") + "</td>";
    }
    out += "</tr>";
  }
  return out +
         "</tbody></table></div><figcaption>How to read it: the shade says what share of the strong model's "
         "quality was kept "
         "in the topic <span class=\"key h0\"></span>below 85% <span class=\"key h1\"></span>85 to 93 <span "
         "class=\"key "
         "h2\"></span>93 to 98 <span class=\"key h3\"></span>98 to 101 <span class=\"key h4\"></span>more. "
         "Small topics "
         "swing by chance alone: at n = 100 a quality of 70% has an interval of about 9 points either "
         "way.</figcaption></figure>";
}

std::string decision_table(std::string_view title, std::string_view how,
                           const std::vector<ShownDecision>& decisions) {
  if (decisions.empty()) return {};
  auto out = fmt::format(
      "<h3>{}</h3><div class=\"scroll\"><table><caption>{}</caption><thead><tr><th class=\"l\" "
      "scope=\"col\">question</th><th "
      "class=\"l\" scope=\"col\">strategy, served by</th><th class=\"l\" scope=\"col\">reason given</th><th "
      "scope=\"col\">score</th><th scope=\"col\">the other</th><th scope=\"col\">cost, USD</th><th "
      "scope=\"col\">times "
      "strong</th></tr></thead><tbody>",
      html_text(title), html_text(how));
  for (const auto& decision : decisions) {
    out += fmt::format(
        "<tr><td class=\"l prompt\">{}<small>{}{}{}</small></td><td "
        "class=\"l\"><b>{}</b><small>{}</small></td><td "
        "class=\"l\">{}</td><td>{}</td>",
        html_text(shortened_end(decision.prompt, kShownPromptBytes)), html_text(decision.topic),
        decision.topic.empty() ? "" : " \xC2\xB7 ", html_text(decision.question_id),
        html_text(decision.strategy), html_text(decision.served_by), html_text(decision.reason),
        fixed(decision.score, 2));
    out += decision.alternative ? "<td>" + fixed(*decision.alternative, 2) + "</td>" : kNone;
    out += decision.cost_usd ? "<td>" + money_text(*decision.cost_usd) + "</td>"
                             : "<td class=\"none\">unknown</td>";
    out += decision.cost_rel ? "<td>" + fixed(*decision.cost_rel, 2) + "</td>" : kNone;
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string note_list(std::string_view title, const std::vector<std::string>& notes) {
  if (notes.empty()) return {};
  auto out = fmt::format("<div class=\"notes\"><b>{}</b><ul>", html_text(title));
  for (const auto& note : notes) out += "<li>" + html_text(note) + "</li>";
  return out + "</ul></div>";
}

std::string dataset_section(const DatasetReport& data, std::size_t number, const SeriesStyles& styles) {
  std::string models;
  for (const auto& model : data.models) models += (models.empty() ? "" : " \xE2\x86\x92 ") + html_text(model);
  auto out = fmt::format(
      "<section class=\"data\" id=\"d{}\"><h2>{}</h2><p class=\"sub\">{}</p><p class=\"sub\">{} of {} "
      "records are the test; {} fitted, {} calibrated, disjoint by {} clusters of near duplicates",
      number, html_text(data.name), models, grouped(data.splits.test), grouped(data.records),
      grouped(data.splits.fitting), grouped(data.splits.calibration), grouped(data.splits.clusters));
  for (const auto& drop : data.dropped) {
    if (drop.n == 0) continue;
    out += "; left out: " + grouped(drop.n) + " (" + html_text(drop.reason) + ")";
  }
  out += ".</p>" + tiles(data) + verdicts(data) + note_list("Know this about the data", data.notes);
  out += plane_section(data, styles) + main_table(data) + more_table(data) + learning_section(data, styles) +
         reliability_section(data, styles) + topic_section(data);
  out +=
      decision_table("The ten most wrong decisions",
                     "Where the served answer fell furthest behind the one that was not served.", data.wrong);
  out += decision_table("The ten most costly decisions", "Serving and learning together, dearest first.",
                        data.costly);
  return out + "</section>";
}

std::string transfer_section(const EvalReport& report) {
  if (report.transfer.empty()) return {};
  std::string out =
      "<section class=\"card\" id=\"transfer\"><h2>Transfer</h2><p class=\"sub\">Fitted on one data set, "
      "tested on another. An "
      "APGR of .5 is a random mixture; what a router keeps of its figure at home is what it really "
      "learned. Threshold kept: where the operating point of the first set stood, and no question of the "
      "second "
      "was looked at.</p><div "
      "class=\"scroll\"><table><thead><tr><th class=\"l\" scope=\"col\">strategy</th><th class=\"l\" "
      "scope=\"col\">fitted "
      "on</th><th class=\"l\" scope=\"col\">tested on</th><th scope=\"col\">n</th><th "
      "scope=\"col\">APGR</th><th "
      "scope=\"col\">APGR at home</th><th scope=\"col\">CPT50</th><th scope=\"col\">gain over mixture, "
      "points</th><th scope=\"col\">strong share, threshold kept</th><th scope=\"col\">quality, threshold "
      "kept</th><th scope=\"col\">gain, threshold kept</th></tr></thead><tbody>";
  for (const auto& row : report.transfer) {
    out += "<tr><th scope=\"row\">" + html_text(row.strategy) + "</th><td class=\"l\">" +
           html_text(row.fitted_on) + "</td><td class=\"l\">" + html_text(row.tested_on) + "</td><td>" +
           grouped(row.n) + "</td>" + cell(row.apgr, Unit::kFraction) +
           cell(row.apgr_at_home, Unit::kFraction) + cell(row.cpt50, Unit::kFraction) +
           cell(row.mixture_gain, Unit::kPoints) + cell(row.carried_strong_share, Unit::kFraction) +
           cell(row.carried_quality, Unit::kFraction) + cell(row.carried_mixture_gain, Unit::kPoints) +
           "</tr>";
  }
  return out + "</tbody></table></div></section>";
}

std::string run_section(const EvalReport& report) {
  const auto& run = report.run;
  std::string out = "<section class=\"card\" id=\"run\"><h2>This run</h2><dl>";
  const auto fact = [&](std::string_view name, std::string_view value) {
    if (!value.empty()) out += "<dt>" + html_text(name) + "</dt><dd>" + html_text(value) + "</dd>";
  };
  out += "<dt>command</dt><dd><code>" + html_text(run.command) + "</code></dd>";
  fact("Brevet", run.version);
  fact("seed", std::to_string(run.seed));
  fact("orders", std::to_string(run.seeds) + ", " + run.order);
  fact("what is learned from", run.signal);
  fact("visible after", grouped(run.lag) + " requests");
  fact("fitting labels", grouped(run.fit_labels));
  fact("prices", run.prices);
  fact("encoder", run.encoder);
  fact("bootstrap rounds", std::to_string(run.bootstrap_rounds));
  for (const auto& [name, value] : run.more) fact(name, value);
  for (const auto& file : run.files)
    fact("data", file.path + " (" + grouped(file.records) + " records, SHA-256 " + file.sha256 + ")");
  if (!report.timing.started_utc.empty()) fact("started", report.timing.started_utc);
  if (report.timing.wall_s > 0)
    fact("took", fixed(report.timing.wall_s, 1) + " s on " + report.timing.machine);
  out += "</dl>";
  std::string latency;
  for (const auto& data : report.datasets) {
    for (const auto& row : data.rows) {
      if (!row.latency_p50_ms) continue;
      latency += "<tr><th scope=\"row\">" + html_text(row.strategy) + "</th><td class=\"l\">" +
                 html_text(row.dataset) + "</td><td>" + fixed(*row.latency_p50_ms, 3) + "</td>";
      latency += row.latency_p99_ms ? "<td>" + fixed(*row.latency_p99_ms, 3) + "</td></tr>"
                                    : std::string(kNone) + "</tr>";
    }
  }
  if (!latency.empty())
    out +=
        "<h3>Latency of deciding, ms</h3><div class=\"scroll\"><table><thead><tr><th class=\"l\" "
        "scope=\"col\">strategy</th><th "
        "class=\"l\" scope=\"col\">data set</th><th scope=\"col\">median</th><th "
        "scope=\"col\">99%</th></tr></thead><tbody>" +
        latency + "</tbody></table></div>";
  return out + "</section>";
}

}  // namespace

std::string report_html(const EvalReport& report) {
  const SeriesStyles styles(report);
  std::string out =
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>Brevet evaluation</title><style>";
  out += report_style();
  out +=
      "</style></head>\n<body><header><h1>Which requests can the cheaper model have?</h1><p class=\"sub\">An "
      "evaluation by "
      "Brevet on recorded answers: " +
      std::to_string(report.datasets.size()) +
      (report.datasets.size() == 1 ? " data set, " : " data sets, ") + std::to_string(report.run.seeds) +
      (report.run.seeds == 1 ? " order (" : " orders (") + html_text(report.run.order) + "), seed " +
      std::to_string(report.run.seed) + ".</p><nav>";
  for (std::size_t i = 0; i < report.datasets.size(); ++i)
    out += fmt::format("<a href=\"#d{}\">{}</a>", i + 1, html_text(report.datasets[i].name));
  if (!report.transfer.empty()) out += "<a href=\"#transfer\">Transfer</a>";
  out += "<a href=\"#run\">This run</a></nav>" + note_list("Before you trust a figure", report.notes) +
         "</header>\n<main>";
  for (std::size_t i = 0; i < report.datasets.size(); ++i)
    out += dataset_section(report.datasets[i], i + 1, styles) + "\n";
  out += transfer_section(report) + run_section(report);
  return out +
         "</main>\n<footer><p class=\"sub\">Shares and CPT are shares of the requests that the strong model "
         "serves. APGR: average "
         "share of the quality gap recovered, .5 is chance. Costs hold serving and what is learned while "
         "serving; "
         "the labels of fitted strategies are in the cost with learning alone; embedding costs 0 USD, in "
         "this process. AIQ: average quality over the "
         "range of costs. "
         "Formulas and their "
         "limits: docs/evaluation-protocol.md.</p></footer></body></html>\n";
}

}  // namespace brevet
