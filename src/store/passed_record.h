// The short form in which the store keeps the commonest decision: a model was named, called once, and
// answered.
//
// The JSON of a decision is 1.4 kB and costs 7 us, most of it to say what did not happen; requests that
// bypass routing are many and their record must cost less than forwarding them. The short form is about 150
// bytes, and the same JSON is made of it when it is read. Called by
// the store, the learner and the list of recent decisions. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "domain/decision.h"

namespace brevet {

/// True and `out` holds the record when the decision is of that kind; else the store keeps its JSON. Id, time
/// and tenant are not in the record: they have columns of their own.
bool passed_record(const Decision& decision, std::string& out);

/// Such a decision with what stands beside its record. A few hundred bytes, where the decision is some
/// thousand in a dozen places: what is kept for a while is kept in this form.
struct PassedRow {
  std::string id;
  Instant time{};
  std::string tenant;
  std::string record;
};
/// As passed_record(); memory of `out` is used again.
bool passed_row(const Decision& decision, PassedRow& out);
std::optional<Decision> decision_of(const PassedRow& row);

/// True for what passed_record() made, false for JSON.
bool is_passed_record(std::string_view bytes);

/// What learning takes from such a decision, without making the rest of it; views into the record.
struct PassedModels {
  std::uint64_t number = 0;
  std::string_view model;
  std::string_view returned_model;
};
/// nullopt when the bytes are not a record or end too early.
std::optional<PassedModels> passed_models(std::string_view bytes);

/// The decision of which decision_json() makes the same text as of the original; nullopt when the bytes are
/// not whole.
std::optional<Decision> from_passed_record(std::string_view bytes);

}  // namespace brevet
