#include "eval/report_table.h"

#include <algorithm>
#include <vector>

#include "eval/report_format.h"

namespace brevet {
namespace {

constexpr std::size_t kColumns = 120;

struct Column {
  const char* title;
  std::size_t width;
  bool left = false;
};

class Table {
 public:
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {
    std::vector<std::string> titles;
    for (const auto& column : columns_) titles.emplace_back(column.title);
    add(titles);
    out_ += std::string(width(), '-') + "\n";
  }
  /// As many cells as columns. A longer name is cut, a number never.
  void add(const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      auto text = i < cells.size() ? cells[i] : std::string();
      if (columns_[i].left) text = shortened_middle(text, columns_[i].width);
      if (i > 0) line += ' ';
      line += columns_[i].left ? padded_right(text, columns_[i].width) : padded_left(text, columns_[i].width);
    }
    out_ += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  std::string take() { return std::move(out_); }

 private:
  std::size_t width() const {
    std::size_t total = columns_.size() - 1;
    for (const auto& column : columns_) total += column.width;
    return total;
  }
  std::vector<Column> columns_;
  std::string out_;
};

constexpr const char* kNone = "-";

/// "80.3 [79.5,81.0]", in hundredths.
std::string percent_with_range(const std::optional<Measured>& figure) {
  if (!figure) return kNone;
  auto out = percent(figure->mean);
  if (figure->ci95) out += " [" + percent(figure->ci95->low) + "," + percent(figure->ci95->high) + "]";
  return out;
}

std::string points_with_range(const std::optional<Measured>& figure) {
  if (!figure) return kNone;
  auto out = points(figure->mean);
  if (figure->ci95) out += " [" + points(figure->ci95->low) + "," + points(figure->ci95->high) + "]";
  return out;
}

/// ".803": three digits, without the leading zero, to save columns.
std::string short_fraction(const std::optional<Measured>& figure) {
  if (!figure) return kNone;
  auto out = fixed(figure->mean, 3);
  if (out.starts_with("0.")) out.erase(0, 1);
  if (out.starts_with("-0.")) out.erase(1, 1);
  return out;
}

const char* short_name(ShuffleVerdict verdict) {
  switch (verdict) {
    case ShuffleVerdict::kBeatsShuffle:
      return "beats";
    case ShuffleVerdict::kNotShown:
      return "not shown";
    case ShuffleVerdict::kDoesNothing:
      return "nothing";
    case ShuffleVerdict::kNotApplicable:
      break;
  }
  return "";
}

/// Broken at blanks so that no line is wider than the terminal.
std::string wrapped(std::string_view text, std::string_view first, std::string_view next) {
  std::string out, line(first);
  bool empty = true;
  const auto valid = valid_utf8(text);
  for (std::size_t at = 0; at <= valid.size();) {
    const auto end = std::min(valid.find_first_of(" \n", at), valid.size());
    auto word = valid.substr(at, end - at);
    at = end + 1;
    if (word.empty()) continue;
    word = shortened_middle(word, kColumns - text_width(next) - 1);
    if (!empty && text_width(line) + 1 + text_width(word) > kColumns) {
      out += line + "\n";
      line = next;
      empty = true;
    }
    if (!empty) line += ' ';
    line += word;
    empty = false;
  }
  return out + line + "\n";
}

std::string main_table(const DatasetReport& data) {
  Table table({{"strategy", 27, true},
               {"quality % [95%]", 19},
               {"retain", 6},
               {"strong", 6},
               {"cost", 6},
               {"+fit", 6},
               {"APGR", 5},
               {"CPT50", 5},
               {"gain over shuffle, pts", 22},
               {"verdict", 9, true}});
  for (const auto& row : data.rows) {
    table.add({row.strategy, percent_with_range(row.quality), short_fraction(row.retention),
               short_fraction(row.strong_share), short_fraction(row.cost_rel),
               short_fraction(row.cost_rel_with_learning), short_fraction(row.apgr),
               short_fraction(row.cpt50), points_with_range(row.shuffle_gain), short_name(row.verdict)});
  }
  return table.take();
}

std::string more_table(const DatasetReport& data) {
  Table table({{"strategy", 22, true},
               {"USD/1,000", 10},
               {"CPT80", 5},
               {"AIQ", 5},
               {"arena", 5},
               {"PGR", 5},
               {"gain over mixture, pts", 22},
               {"Brier", 5},
               {"ECE", 5},
               {"AUROC", 5},
               {"worst", 5},
               {"in group", 15, true}});
  for (const auto& row : data.rows) {
    table.add({row.strategy, row.cost_usd ? money_text(row.cost_usd->mean * 1000) : "unknown",
               short_fraction(row.cpt80), short_fraction(row.aiq), short_fraction(row.router_arena),
               short_fraction(row.pgr), points_with_range(row.mixture_gain), short_fraction(row.brier),
               short_fraction(row.ece), short_fraction(row.auroc), short_fraction(row.worst_group),
               row.worst_group && row.worst_group_n < row.n
                   ? row.worst_group_name + " (" + grouped(row.worst_group_n) + ")"
                   : ""});
  }
  return table.take();
}

std::string learning_table(const DatasetReport& data) {
  if (data.learning.empty()) return {};
  Table table({{"learning: after", 25, true},
               {"requests", 10},
               {"quality % [95%]", 17},
               {"strong", 6},
               {"cost", 6},
               {"+learn [95%]", 20}});
  for (const auto& curve : data.learning) {
    for (const auto& point : curve.points) {
      auto cost = short_fraction(point.cost_rel_with_learning);
      if (point.cost_rel_with_learning && point.cost_rel_with_learning->ci95)
        cost += " [" + fixed(point.cost_rel_with_learning->ci95->low, 3) + "," +
                fixed(point.cost_rel_with_learning->ci95->high, 3) + "]";
      table.add({curve.strategy, grouped(point.requests), percent_with_range(point.quality),
                 short_fraction(point.strong_share), short_fraction(point.cost_rel), cost});
    }
  }
  return "\n" + table.take();
}

/// ".651 [.640,.662]".
std::string fraction_with_range(const std::optional<Measured>& figure) {
  auto out = short_fraction(figure);
  if (figure && figure->ci95)
    out += " [" + fixed(figure->ci95->low, 3) + "," + fixed(figure->ci95->high, 3) + "]";
  return out;
}

/// Fitted strategies whose figures are means over splits, or that were fitted on several numbers of labels.
std::string labels_table(const DatasetReport& data) {
  std::vector<const StrategyRow*> rows;
  for (const auto& row : data.rows) {
    if (row.labels && (row.splits > 1 || !data.label_curve.empty())) rows.push_back(&row);
  }
  for (const auto& row : data.label_curve) rows.push_back(&row);
  if (rows.empty()) return {};
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto* a, const auto* b) { return a->strategy < b->strategy; });
  Table table({{"labels: strategy", 30, true},
               {"labels", 6},
               {"splits", 6},
               {"APGR [95%]", 19},
               {"CPT50 [95%]", 19},
               {"CPT80", 5},
               {"AIQ", 5},
               {"quality %", 17}});
  for (const auto* row : rows) {
    table.add({row->strategy, grouped(*row->labels), grouped(row->splits), fraction_with_range(row->apgr),
               fraction_with_range(row->cpt50), short_fraction(row->cpt80), short_fraction(row->aiq),
               percent_with_range(row->quality)});
  }
  return "\n" + table.take();
}

std::string pairwise_table(const EvalReport& report) {
  if (report.pairwise.empty()) return {};
  Table table({{"pairwise: a", 26, true},
               {"less b", 26, true},
               {"APGR [95%]", 21},
               {"CPT50 [95%]", 21},
               {"AIQ [95%]", 21},
               {"quality [95%]", 21}});
  for (std::size_t i = 0; i < report.pairwise.size();) {
    const auto& first = report.pairwise[i];
    std::string apgr = kNone, cpt50 = kNone, aiq = kNone, quality = kNone;
    for (; i < report.pairwise.size() && report.pairwise[i].a == first.a && report.pairwise[i].b == first.b &&
           report.pairwise[i].dataset == first.dataset;
         ++i) {
      const auto& row = report.pairwise[i];
      (row.metric == "apgr"    ? apgr
       : row.metric == "cpt50" ? cpt50
       : row.metric == "aiq"   ? aiq
                               : quality) = fraction_with_range(row.difference);
    }
    table.add({first.a, first.b, apgr, cpt50, aiq, quality});
  }
  return "\n" + table.take();
}

std::string dataset_text(const DatasetReport& data) {
  std::string models;
  for (const auto& model : data.models) models += (models.empty() ? "" : " -> ") + model;
  std::string out =
      wrapped(data.name + ": " + grouped(data.splits.test) + " test questions of " + grouped(data.records) +
                  " (fitting " + grouped(data.splits.fitting) + ", calibration " +
                  grouped(data.splits.calibration) + "), costs " + data.cost_basis + "; " + models,
              "", "  ");
  for (const auto& drop : data.dropped) {
    if (drop.n == 0) continue;
    out += wrapped("left out: " + grouped(drop.n) + " (" + drop.reason + ")", "  ", "  ");
  }
  out += "\n" + main_table(data) + "\n" + more_table(data) + labels_table(data) + learning_table(data);
  for (const auto& row : data.rows) {
    if (!row.note.empty()) out += wrapped(row.strategy + ": " + row.note, "  ", "    ");
  }
  for (const auto& note : data.notes) out += wrapped(note, "  note: ", "    ");
  return out;
}

std::string transfer_table(const EvalReport& report) {
  if (report.transfer.empty()) return {};
  Table table({{"transfer: strategy", 25, true},
               {"fitted on", 22, true},
               {"tested on", 22, true},
               {"n", 7},
               {"APGR [95%]", 19},
               {"at home", 7},
               {"CPT50", 5}});
  for (const auto& row : report.transfer) {
    auto apgr = short_fraction(row.apgr);
    if (row.apgr && row.apgr->ci95)
      apgr += " [" + fixed(row.apgr->ci95->low, 3) + "," + fixed(row.apgr->ci95->high, 3) + "]";
    table.add({row.strategy, row.fitted_on, row.tested_on, grouped(row.n), apgr,
               row.apgr_at_home ? fixed(*row.apgr_at_home, 3) : kNone, short_fraction(row.cpt50)});
  }
  Table carried({{"transfer: threshold kept", 25, true},
                 {"fitted on", 22, true},
                 {"tested on", 22, true},
                 {"strong", 6},
                 {"quality % [95%]", 17},
                 {"over mixture, pts", 20}});
  for (const auto& row : report.transfer) {
    carried.add({row.strategy, row.fitted_on, row.tested_on, short_fraction(row.carried_strong_share),
                 percent_with_range(row.carried_quality), points_with_range(row.carried_mixture_gain)});
  }
  return "\n" + table.take() + "\n" + carried.take();
}

}  // namespace

std::string report_table(const EvalReport& report) {
  std::string out;
  for (const auto& data : report.datasets) {
    if (!out.empty()) out += "\n";
    out += dataset_text(data);
  }
  out += pairwise_table(report);
  out += transfer_table(report);
  out +=
      "\n" +
      wrapped(
          "retain: quality / always_strong. cost: always_strong = 1, everything paid while "
          "serving, shadows and "
          "guides included; +fit and +learn: and the fitting labels, which cost leaves out. "
          "strong, CPT and worst (the group that "
          "keeps least of "
          "strong) are fractions. verdict: against the strategy's own "
          "decisions, shuffled. " +
              std::to_string(report.run.seeds) + " seeds, order " + report.run.order +
              "; what is learned is visible after " + grouped(report.run.lag) +
              " further requests; embedding costs 0 USD, in this process; intervals: 95%, paired bootstrap.",
          "", "");
  for (const auto& note : report.notes) out += wrapped(note, "note: ", "  ");
  return out;
}

}  // namespace brevet
