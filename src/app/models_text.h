// How model facts read in a terminal of 100 columns: numbers, tables, capability letters.
//
// Used by the `brevet models` commands. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/device.h"
#include "catalog/model_choice.h"

namespace brevet {

inline constexpr std::size_t kTerminalColumns = 100;
inline constexpr const char* kUnknownText = "?";

/// 131072 -> "131,072"; unknown -> "?".
std::string grouped(std::optional<std::int64_t> number);
/// 8.03e9 -> "8.03B", 134515008 -> "135M"; unknown -> "?".
std::string parameters_text(std::optional<std::int64_t> count);
/// "0.15 / 0.6": USD per million input / output tokens; unknown -> "?".
std::string price_text(const std::optional<ModelPrice>& price);
/// One letter for each of kCapabilities: its letter of "icrtfvs" = yes, '-' = no, '?' = not known.
std::string capability_letters(const ModelFacts& model);
extern const char* const kCapabilityLegend;
/// 5.55e9 -> "5.55 GB".
std::string gigabytes(std::optional<double> bytes);
std::string speed_text(std::optional<double> tokens_per_second);

/// Columns as wide as their widest cell, the first cut (with "..") where a line would pass 100 columns.
/// The first column stands left, others right.
std::string table_text(const std::vector<std::string>& head,
                       const std::vector<std::vector<std::string>>& rows);
/// Text broken at blanks; lines after the first begin with `indent` blanks.
std::string wrapped(const std::string& text, std::size_t indent);

/// What a device can do with the model at each quantisation, and the formulas with the numbers put in.
std::string deployment_text(const ModelFacts& model, const Device& device, const FitAssumptions& with);

}  // namespace brevet
