// A contract as sentences for the person who pays: the promise first, then what is served now, what was
// saved, what is missing and about how many requests it will take, and at the end what all of it stands on.
//
// Used by `brevet contract`; the figures are those of GET /v1/contract (gateway/contract_report.h) and
// nothing is computed here. Pure. What is not known reads "not yet known", never as zero.
#pragma once

#include <boost/json/value.hpp>
#include <string>

namespace brevet {

/// Lines, each ended. An answer of another shape gives the lines that can be told.
std::string contract_text(const boost::json::value& report);

}  // namespace brevet
