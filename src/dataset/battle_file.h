// Battle files: which of two configurations answered a prompt better. Preference data for routers.
//
// Read by `brevet train --battles`, written by `brevet battles`. gzip or plain JSON Lines, one battle each:
//
//     {"prompt": "...", "a": "gpt-4", "b": "mixtral", "winner": "a", "source": "arena"}
//
// `winner` is "a", "b" or "tie". Optional: "system_prompt", "choices" (as in outcome files), "weight" (> 0, 1
// without), "id". Unknown fields are ignored; a broken line is refused with file, line and field. Does not
// judge, embed or drop anything.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "dataset/outcome_file.h"

namespace brevet {

enum class Winner { kA, kB, kTie };
const char* name_of(Winner winner);

struct Battle {
  std::string id;  ///< may be empty
  std::string prompt;
  std::string system_prompt;
  std::vector<Choice> choices;
  std::string a, b;  ///< configuration keys; different
  Winner winner = Winner::kTie;
  std::string source;  ///< where the verdict comes from: "arena", "judge:gpt-4", "recorded:FILE"
  double weight = 1;   ///< of this battle among the others
};

inline constexpr std::size_t kBattlesMax = 10'000'000;  ///< of one file

/// One line. Errors (kCallerInvalid): broken_data_file; `param` is the field at fault.
Result<Battle> parse_battle(std::string_view line, const std::string& where);
/// As one line of JSON without a line break; carries "schema":1.
std::string battle_json(const Battle& battle);

/// A whole file, in its order. Errors: data_file_unreadable, broken_data_file (also: no battle in it).
Result<std::vector<Battle>> read_battle_file(const std::string& path);
/// Errors: data_file_unwritable.
Result<> write_battle_file(const std::vector<Battle>& battles, const std::string& path);

/// The question of a battle as an outcome record without outcomes, so that it is rendered, clustered and
/// embedded as recorded questions are.
OutcomeRecord question_of(const Battle& battle);

}  // namespace brevet
