#include "dataset/battle_file.h"

#include <boost/json.hpp>
#include <cmath>

#include "dataset/gz_lines.h"

namespace brevet {
namespace {

constexpr std::size_t kLineBytesMax = 64 * 1024 * 1024;
constexpr std::int64_t kSchemaVersion = 1;

/// The text of a field; nothing when it is absent or null and need not be there.
Result<std::string> text_field(const boost::json::object& object, const char* name, const std::string& where,
                               bool required) {
  const auto* value = object.if_contains(name);
  if (!value || value->is_null()) {
    if (required) return broken_line(where, name, "is missing");
    return std::string();
  }
  if (!value->is_string()) return broken_line(where, name, "must be a text");
  if (required && value->get_string().empty()) return broken_line(where, name, "is empty");
  return std::string(value->get_string());
}

}  // namespace

const char* name_of(Winner winner) {
  return winner == Winner::kA ? "a" : winner == Winner::kB ? "b" : "tie";
}

Result<Battle> parse_battle(std::string_view line, const std::string& where) {
  boost::system::error_code code;
  const auto value = boost::json::parse(line, code);
  if (code || !value.is_object())
    return broken_line(where, "(line)", code ? "is no JSON: " + code.message() : "must be an object");
  const auto& object = value.get_object();
  if (const auto* schema = object.if_contains("schema"); schema && *schema != kSchemaVersion) {
    return broken_line(where, "schema", "must be 1; a newer Brevet may read it");
  }
  Battle out;
  struct Text {
    const char* name;
    std::string Battle::*member;
    bool required;
  };
  for (const auto& field :
       {Text{"prompt", &Battle::prompt, true}, Text{"a", &Battle::a, true}, Text{"b", &Battle::b, true},
        Text{"source", &Battle::source, true}, Text{"id", &Battle::id, false},
        Text{"system_prompt", &Battle::system_prompt, false}}) {
    auto text = text_field(object, field.name, where, field.required);
    if (!text) return fail(text.error());
    out.*field.member = std::move(*text);
  }
  if (out.a == out.b) return broken_line(where, "b", "names the same configuration as \"a\"");
  auto winner = text_field(object, "winner", where, true);
  if (!winner) return fail(winner.error());
  if (*winner == "a") {
    out.winner = Winner::kA;
  } else if (*winner == "b") {
    out.winner = Winner::kB;
  } else if (*winner == "tie") {
    out.winner = Winner::kTie;
  } else {
    return broken_line(where, "winner", "must be \"a\", \"b\" or \"tie\"");
  }
  if (const auto* weight = object.if_contains("weight")) {
    boost::system::error_code no_number;
    out.weight = weight->to_number<double>(no_number);
    if (no_number || !std::isfinite(out.weight) || out.weight <= 0)
      return broken_line(where, "weight", "must be a number above 0");
  }
  if (const auto* choices = object.if_contains("choices"); choices && !choices->is_null()) {
    // Outcome files say how choices may be written; a record of nothing else reads them.
    boost::json::object record{
        {"id", "battle"}, {"dataset", "battles"}, {"prompt", out.prompt}, {"models", boost::json::object{}}};
    record["choices"] = *choices;
    auto read = parse_outcome_record(boost::json::serialize(record), where);
    if (!read) return fail(read.error());
    out.choices = std::move(read->choices);
  }
  return out;
}

std::string battle_json(const Battle& battle) {
  // The choices as an outcome file writes them.
  auto out = boost::json::parse(outcome_record_json(question_of(battle))).get_object();
  for (const char* name : {"models", "dataset", "id"}) out.erase(name);
  if (!battle.id.empty()) out["id"] = battle.id;
  out["a"] = battle.a;
  out["b"] = battle.b;
  out["winner"] = name_of(battle.winner);
  out["source"] = battle.source;
  if (battle.weight != 1) out["weight"] = battle.weight;
  return boost::json::serialize(out);
}

Result<std::vector<Battle>> read_battle_file(const std::string& path) {
  auto lines = GzLines::open(path, kLineBytesMax);
  if (!lines) return fail(lines.error());
  std::vector<Battle> out;
  for (;;) {
    auto line = (*lines)->next();
    if (!line) return fail(line.error());
    if (!*line) break;
    if (out.size() >= kBattlesMax)
      return broken_line((*lines)->where(), "(line)", "is one battle more than can be read");
    auto battle = parse_battle(**line, (*lines)->where());
    if (!battle) return fail(battle.error());
    out.push_back(std::move(*battle));
  }
  if (out.empty()) return broken_line(path + ":1", "(file)", "holds no battle");
  return out;
}

Result<> write_battle_file(const std::vector<Battle>& battles, const std::string& path) {
  auto lines = GzLineWriter::create(path);
  if (!lines) return fail(lines.error());
  for (const auto& battle : battles) {
    if (auto done = (*lines)->write(battle_json(battle)); !done) return done;
  }
  return (*lines)->close();
}

OutcomeRecord question_of(const Battle& battle) {
  OutcomeRecord record;
  record.id = battle.id;
  record.dataset = "battles";
  record.prompt = battle.prompt;
  record.system_prompt = battle.system_prompt;
  record.choices = battle.choices;
  return record;
}

}  // namespace brevet
