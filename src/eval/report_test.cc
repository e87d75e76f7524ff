// Goal: the outputs say the same as the report, escape what they are given, and give the same bytes for the
// same report. Method: a made-up report; the JSON is read back by another library, the HTML and the table by
// their rules. With BREVET_REPORT_OUT=FOLDER the made-up report is written there, to be looked at.
#include <gtest/gtest.h>
#include <simdjson.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <sstream>

#include "eval/report_format.h"
#include "eval/report_html.h"
#include "eval/report_json.h"
#include "eval/report_table.h"
#include "eval/test_report.h"

namespace brevet {
namespace {

TEST(ReportFormat, NumbersAndTexts) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(11291), "11,291");
  EXPECT_EQ(grouped(1234567), "1,234,567");
  EXPECT_EQ(fixed(-.0001, 2), "0.00");
  EXPECT_EQ(points(.0123), "+1.23");
  EXPECT_EQ(points(-.00001), "+0.00");
  EXPECT_EQ(money_text(.000123456), "0.000123");
  EXPECT_EQ(money_text(12.3456), "12.35");
  EXPECT_EQ(json_number(.1), "0.1");
  EXPECT_EQ(json_number(std::nan("")), "null");
  EXPECT_EQ(json_number(-0.0), "0");
  EXPECT_EQ(shortened_middle("gpt-4-1106-preview", 11),
            "gpt-4\xE2\x80\xA6"
            "eview");
  EXPECT_EQ(text_width(shortened_middle("gr\xC3\xB6\xC3\x9F"
                                        "er als alles",
                                        9)),
            9u);
  EXPECT_EQ(html_text("<a href='x'>&\"\x01"), "&lt;a href=&#39;x&#39;&gt;&amp;&quot; ");
  EXPECT_EQ(valid_utf8("a\xC3(\xF0\x9F\x98"), "a\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(json_quoted("a\"\\\n\x02"), "\"a\\\"\\\\\\n\\u0002\"");
}

TEST(ReportModel, VerdictsFollowTheInterval) {
  EXPECT_EQ(verdict_of(std::nullopt), ShuffleVerdict::kNotApplicable);
  EXPECT_EQ(verdict_of(made_up(.02, .01)), ShuffleVerdict::kBeatsShuffle);
  EXPECT_EQ(verdict_of(made_up(.02, .03)), ShuffleVerdict::kNotShown);
  EXPECT_EQ(verdict_of(made_up(-.02, .03)), ShuffleVerdict::kDoesNothing);
  EXPECT_EQ(verdict_of(Measured{0, std::nullopt, 5}), ShuffleVerdict::kDoesNothing);
}

TEST(ReportJson, RowsHaveWhatScriptsRelyOn) {
  const auto report = made_up_report();
  const auto text = report_json(report);
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  ASSERT_EQ(parser.parse(text).get(root), simdjson::SUCCESS) << text.substr(0, 400);
  simdjson::dom::array rows;
  ASSERT_EQ(root["rows"].get(rows), simdjson::SUCCESS);
  EXPECT_EQ(rows.size(), 24u);
  for (const auto row : rows) {
    for (const char* key : {"dataset", "n", "strategy", "seeds", "quality", "retention", "strong_share",
                            "cost_usd", "cost_rel", "apgr", "cpt50", "cpt80", "aiq", "shuffle_gain"}) {
      simdjson::dom::element value;
      ASSERT_EQ(row[key].get(value), simdjson::SUCCESS) << key;
    }
  }
  const auto adaptive = rows.at(10);
  EXPECT_DOUBLE_EQ(double(adaptive["apgr"]["mean"]), .668);
  EXPECT_DOUBLE_EQ(double(adaptive["apgr"]["ci95"].at(1)), .668 + .017);
  EXPECT_EQ(std::string_view(adaptive["verdict"]), "beats its own shuffle");
  EXPECT_TRUE(rows.at(12)["cost_usd"].is_null()) << "unknown costs are null";
  EXPECT_EQ(std::string_view(root["datasets"].at(0)["wrong"].at(0)["question_id"]),
            "mmlu/professional_law/100");
  EXPECT_EQ(root["datasets"].at(0)["plane"]["curves"].at(1)["points"].get_array().value().size(), 200u);
}

TEST(ReportJson, SameReportSameBytesAndTimeStaysInTiming) {
  auto report = made_up_report();
  const auto first = report_json(report);
  EXPECT_EQ(first, report_json(made_up_report()));
  report.timing = {"2027-01-01T00:00:00Z", 99, {{"embedding", 3.5}}, 512.0, "another machine"};
  report.datasets[0].rows[10].latency_p50_ms = 5;
  const auto second = report_json(report);
  EXPECT_NE(first, second);
  EXPECT_EQ(first.substr(0, first.find("\"timing\"")), second.substr(0, second.find("\"timing\"")));
}

TEST(ReportJson, WhatIsNotFiniteIsNull) {
  EvalReport report;
  report.datasets.emplace_back();
  StrategyRow row;
  row.quality = Measured{std::nan(""), Range{-std::numeric_limits<double>::infinity(), 1}, 0};
  report.datasets[0].rows.push_back(row);
  const auto text = report_json(report);
  EXPECT_NE(text.find("\"quality\":{\"mean\":null,\"ci95\":[null,1]}"), std::string::npos);
  simdjson::dom::parser parser;
  EXPECT_EQ(parser.parse(text).error(), simdjson::SUCCESS);
}

TEST(ReportTable, FitsATerminal) {
  const auto text = report_table(made_up_report());
  std::istringstream lines(text);
  std::size_t widest = 0;
  for (std::string line; std::getline(lines, line);) {
    widest = std::max(widest, text_width(line));
    EXPECT_LE(text_width(line), 120u) << line;
  }
  EXPECT_GT(widest, 100u);
  for (const char* part :
       {"always_weak", "80.3 [79.4,81.2]", "+2.53 [+1.92,+3.14]", "not shown", "unknown", "7,904"})
    EXPECT_NE(text.find(part), std::string::npos) << part;
}

TEST(ReportHtml, IsSelfContainedAndEscaped) {
  const auto html = report_html(made_up_report());
  for (const char* part :
       {"<script", "http://", "https://", "src=", "@import", "url(", "<b>& a", "<friends>", "nan", "inf<"})
    EXPECT_EQ(html.find(part), std::string::npos) << part;
  for (const char* part : {"&lt;friends&gt;", "beats its own shuffle", "does nothing", "not shown",
                           "adaptive", "prefers-color-scheme:dark", "7,904", "How to read it"})
    EXPECT_NE(html.find(part), std::string::npos) << part;
  // Tags open and close in order.
  std::vector<std::string> open;
  for (std::size_t at = 0; (at = html.find('<', at)) != std::string::npos; ++at) {
    if (html[at + 1] == '!') continue;
    const auto end = html.find('>', at);
    ASSERT_NE(end, std::string::npos);
    const bool closes = html[at + 1] == '/';
    const auto begin = at + (closes ? 2 : 1);
    const auto name = html.substr(begin, html.find_first_of(" >/", begin) - begin);
    if (closes) {
      ASSERT_FALSE(open.empty());
      ASSERT_EQ(open.back(), name) << html.substr(at > 200 ? at - 200 : 0, 300);
      open.pop_back();
    } else if (html[end - 1] != '/' && name != "meta") {
      open.push_back(name);
    }
  }
  EXPECT_TRUE(open.empty());
  EXPECT_EQ(html, report_html(made_up_report()));
}

TEST(ReportHtml, EveryTableLineHasTheCellsOfItsHead) {
  const auto html = report_html(made_up_report());
  const auto count = [](std::string_view text, std::string_view what) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; ++at) ++found;
    return found;
  };
  std::size_t tables = 0;
  for (std::size_t at = 0; (at = html.find("<thead>", at)) != std::string::npos; ++at) {
    const auto end = html.find("</table>", at), body = html.find("<tbody>", at);
    const auto columns = count(std::string_view(html).substr(at, body - at), "<th ");
    for (std::size_t line = body; (line = html.find("<tr", line)) < end; ++line) {
      const auto text = std::string_view(html).substr(line, html.find("</tr>", line) - line);
      EXPECT_EQ(count(text, "<td") + count(text, "<th "), columns) << text;
    }
    ++tables;
  }
  EXPECT_GE(tables, 12u);
}

TEST(ReportHtml, SurvivesAnEmptyReport) {
  EvalReport report;
  EXPECT_NE(report_html(report).find("</html>"), std::string::npos);
  report.datasets.emplace_back();
  report.datasets[0].plane.curves.push_back({"rar", false, {{}}});
  report.datasets[0].learning.push_back({"rar", {{1000, Measured{.5, std::nullopt, 1}, {}, {}, {}}}});
  report.datasets[0].reliability.push_back({"rar", "", {}});
  report.datasets[0].topics = {{"rar"}, {{"t", 1, {}, {}, {{}}}}};
  const auto html = report_html(report);
  EXPECT_EQ(html.find("nan"), std::string::npos);
  EXPECT_FALSE(report_table(report).empty());
}

TEST(ReportHtml, CanBeLookedAt) {
  const char* folder = std::getenv("BREVET_REPORT_OUT");
  if (!folder) GTEST_SKIP() << "BREVET_REPORT_OUT names no folder: the made-up report was not written.";
  std::ofstream(std::string(folder) + "/report.html") << report_html(made_up_report());
  std::ofstream(std::string(folder) + "/report.txt") << report_table(made_up_report());
  std::ofstream(std::string(folder) + "/report.json") << report_json(made_up_report());
}

}  // namespace
}  // namespace brevet
