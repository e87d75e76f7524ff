// The report as sentences for the person who pays: per route how many requests went where, what that cost,
// what always asking the reference would have cost, and how well the weak model's answers held.
//
// Used by `brevet report`; the figures are those of GET /v1/report (gateway/report.h) and nothing is computed
// here. Pure. What is not known reads "not yet known", never as zero.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace brevet {

/// Lines, each ended. An answer of another shape gives the lines that can be told.
std::string report_text(const boost::json::value& report);

}  // namespace brevet
