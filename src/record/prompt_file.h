// Questions to record: the user's prompts as JSON Lines, or an outcome file that gets further models.
//
// Used by the recorder's command. Pure but for reading the file. A bad line is refused with its number and
// field; nothing is guessed. What a line holds beyond the fields that we know (ids of sources, clusters,
// metrics) is kept and written again. Does not call or score.
//
// A line: {"id"?, "dataset"?, "prompt" | "messages", "system_prompt"?, "choices"?, "answer"?, "subject"?,
// "contaminated"?, "source_split"?, "models"?, ...}. `messages` is a list as the OpenAI API takes it. Without
// an id the question gets one made of its content, so that lines may be moved about. The `prompt` that is
// written for messages is the user's message, or the whole conversation as text where there are several:
// what a router is to see.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "dataset/outcome_file.h"

namespace brevet::record {

struct Question {
  OutcomeRecord record;       ///< id, dataset and prompt are set; models as the line has them
  std::string messages;       ///< JSON list as given; empty: the prompt is rendered with its choices
  bool system_apart = false;  ///< the system prompt stands beside the messages and goes in front of them
  /// Members of the line in its order, without models and schema: name and JSON text.
  std::vector<std::pair<std::string, std::string>> members;
  /// Outcomes that the line has, by model: JSON text, fields that we do not know included.
  std::vector<std::pair<std::string, std::string>> outcomes;
};

struct QuestionReadOptions {
  std::string dataset;                    ///< for lines that name none
  std::size_t questions_max = 1'000'000;  ///< all are held in memory
  std::size_t line_bytes_max = 16 * 1024 * 1024;
};

/// One line. Errors (kCallerInvalid): bad_prompt_line with `where`; `param` is the field.
Result<Question> parse_question(std::string_view line, const std::string& where,
                                const QuestionReadOptions& options);
/// A whole file, gzip or plain. Errors: data_file_unreadable, bad_prompt_line (a second line with the same
/// id, an empty file, too many or too long lines among others).
Result<std::vector<Question>> read_questions(const std::string& path, QuestionReadOptions options);

/// The body of a chat request for it, with "-" as `model`.
struct AskOptions {
  std::int64_t tokens_max = 1;
  std::string limit_field = "max_tokens";
  std::optional<double> temperature;
  std::string effort;        ///< reasoning_effort; empty = none
  bool name_record = false;  ///< metadata.brevet_record_id, for recorded upstreams
};
std::string ask_body(const Question& question, const AskOptions& options);

/// The line of the outcome file: what the question had and `added` outcomes (name and JSON text) behind.
std::string outcome_line(const Question& question,
                         const std::vector<std::pair<std::string, std::string>>& added);

/// What a scorer compares with and a judge reads: the rendered prompt, or the text of the messages.
std::string question_text(const Question& question);

}  // namespace brevet::record
