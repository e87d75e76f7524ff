#include "record/prompt_file.h"

#include <fmt/format.h>
#include <simdjson.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <unordered_set>

#include "base/random.h"
#include "dataset/prompt_text.h"
#include "record/json_out.h"
#include "wire/openai_chat.h"

namespace brevet::record {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kBlockBytes = 256 * 1024;
constexpr std::size_t kIdDigits = 16;

tl::unexpected<Error> bad(const std::string& where, const std::string& field, const std::string& what) {
  return fail(ErrorKind::kCallerInvalid, "bad_prompt_line", where + ": field " + field + ": " + what, field);
}

/// The conversation as a router and a judge see it.
struct Conversation {
  std::string prompt;
  std::string system;
};
Result<Conversation> conversation_of(const std::string& messages, const std::string& where) {
  auto parsed = wire::parse_chat_request("{\"model\":\"-\",\"messages\":" + messages + "}");
  if (!parsed) return bad(where, "messages", parsed.error().message);
  Conversation out;
  out.system = parsed->system_text();
  std::size_t turns = 0;
  bool asked = false;
  for (const auto& message : parsed->messages) {
    if (!message.text_only)
      return bad(where, "messages", "must hold text only (no images, files or tool calls)");
    if (message.role == "system" || message.role == "developer") continue;
    ++turns;
    asked = message.role == "user";
    out.prompt += (turns > 1 ? "\n" : "") + message.role + ": " + message.text;
  }
  if (!asked) return bad(where, "messages", "must end with a message of the user");
  if (turns == 1) out.prompt = std::string(parsed->last_user_text());
  return out;
}

bool is_ours(std::string_view name) {
  return name == "models" || name == "schema";
}

/// Everything that makes the question another one.
std::string content_id(const Question& question) {
  std::string all = question.record.system_prompt + '\0' + question.messages + '\0' + question.record.prompt;
  for (const auto& choice : question.record.choices) all += '\0' + choice.label + '\0' + choice.text;
  return "q-" + sha256_hex(all).substr(0, kIdDigits);
}

struct Close {
  void operator()(gzFile_s* file) const { gzclose(file); }
};

}  // namespace

Result<Question> parse_question(std::string_view line, const std::string& where,
                                const QuestionReadOptions& options) {
  dom::parser parser;
  dom::element root;
  if (const auto error = parser.parse(line.data(), line.size()).get(root))
    return bad(where, "(line)", std::string("is not JSON: ") + simdjson::error_message(error));
  dom::object object;
  if (root.get(object)) return bad(where, "(line)", "must be a JSON object");

  Question out;
  std::unordered_set<std::string_view> seen;
  bool has_id = false;
  bool has_dataset = false;
  bool has_prompt = false;
  std::string models = "{}";
  for (const auto& [name, value] : object) {
    if (!seen.insert(name).second) return bad(where, std::string(name), "occurs twice");
    std::string text = simdjson::minify(value);
    if (name == "models") {
      if (value.is_object()) {
        dom::object cells = value;
        for (const auto& [model, cell] : cells)
          out.outcomes.emplace_back(std::string(model), simdjson::minify(cell));
      }
      models = text;
    }
    if (is_ours(name) || value.is_null()) continue;
    has_id = has_id || name == "id";
    has_dataset = has_dataset || name == "dataset";
    if (name == "prompt") {
      has_prompt = true;
      if (!value.is_string()) return bad(where, "prompt", "must be a string");
    }
    if (name == "messages") {
      if (!value.is_array()) return bad(where, "messages", "must be a list of messages");
      out.messages = text;
    }
    out.members.emplace_back(std::string(name), std::move(text));
  }
  std::string own_system;
  if (!out.messages.empty()) {
    auto conversation = conversation_of(out.messages, where);
    if (!conversation) return fail(conversation.error());
    // A file that was recorded before holds both, and then they say the same.
    std::string_view prompt;
    if (has_prompt && !object.at_key("prompt").get(prompt) && prompt != conversation->prompt)
      return bad(where, "prompt", "stands beside `messages` and is not their text; give one of the two");
    if (!has_prompt) out.members.emplace_back("prompt", json_string(conversation->prompt));
    if (!conversation->system.empty() && !seen.contains("system_prompt"))
      out.members.emplace_back("system_prompt", json_string(conversation->system));
    own_system = std::move(conversation->system);
  } else if (!has_prompt) {
    return bad(where, "prompt", "is missing; give it, or `messages`");
  }
  if (!has_dataset) {
    const auto id = std::find_if(out.members.begin(), out.members.end(),
                                 [](const auto& one) { return one.first == "id"; });
    out.members.insert(id == out.members.end() ? out.members.begin() : id + 1,
                       {"dataset", json_string(options.dataset)});
  }
  if (!has_id) out.members.insert(out.members.begin(), {"id", "\"-\""});

  const auto whole = [&] {
    std::string text = "{";
    for (const auto& [name, value] : out.members) text += json_string(name) + ":" + value + ",";
    return text + "\"models\":" + models + "}";
  };
  auto record = parse_outcome_record(whole(), where);
  if (!record)
    return bad(where, record.error().param,
               record.error().message.substr(
                   std::min(record.error().message.size(), record.error().message.rfind(": ") + 2)));
  out.record = std::move(*record);
  // A file that was recorded before holds the system message of its messages under both names.
  out.system_apart =
      !out.messages.empty() && !out.record.system_prompt.empty() && out.record.system_prompt != own_system;
  if (out.record.prompt.empty()) return bad(where, "prompt", "is empty");
  if (out.record.id.empty()) return bad(where, "id", "is empty");
  if (!has_id) {
    out.record.id = content_id(out);
    out.members.front().second = json_string(out.record.id);
  }
  return out;
}

Result<std::vector<Question>> read_questions(const std::string& path, QuestionReadOptions options) {
  const std::unique_ptr<gzFile_s, Close> file(gzopen(path.c_str(), "rb"));
  if (!file) {
    return fail(ErrorKind::kCallerInvalid, "data_file_unreadable",
                "Cannot read " + path + ": " + std::strerror(errno) + ".", "--prompts");
  }
  if (options.dataset.empty()) {
    const auto name = std::filesystem::path(path).filename().string();
    options.dataset = name.substr(0, name.find('.'));
  }
  std::vector<Question> out;
  std::unordered_set<std::string> ids;
  std::string buffer;
  std::size_t number = 0;
  const auto take = [&](std::string_view line) -> Result<> {
    const auto where = path + ":" + std::to_string(++number);
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
    if (out.size() >= options.questions_max)
      return bad(where, "(line)", fmt::format("is beyond the bound of {} questions", options.questions_max));
    auto question = parse_question(line, where, options);
    if (!question) return fail(question.error());
    if (!ids.insert(question->record.id).second)
      return bad(where, "id",
                 "\"" + question->record.id + "\" occurs twice (lines without an id need different content)");
    out.push_back(std::move(*question));
    return {};
  };
  for (bool end = false; !end;) {
    const auto old = buffer.size();
    buffer.resize(old + kBlockBytes);
    const int got = gzread(file.get(), buffer.data() + old, static_cast<unsigned>(kBlockBytes));
    buffer.resize(old + static_cast<std::size_t>(std::max(got, 0)));
    int code = Z_OK;
    const char* message = gzerror(file.get(), &code);
    if (got < 0 || (code != Z_OK && code != Z_STREAM_END))
      return bad(path + ":" + std::to_string(number + 1), "(line)",
                 std::string("cannot be read: ") + message);
    end = got == 0;
    std::size_t begin = 0;
    for (auto at = buffer.find('\n', 0); at != std::string::npos; at = buffer.find('\n', begin)) {
      if (auto done = take(std::string_view(buffer).substr(begin, at - begin)); !done)
        return fail(done.error());
      begin = at + 1;
    }
    buffer.erase(0, begin);
    if (buffer.size() > options.line_bytes_max)
      return bad(path + ":" + std::to_string(number + 1), "(line)",
                 fmt::format("is longer than {} bytes", options.line_bytes_max));
  }
  if (!buffer.empty()) {
    if (auto done = take(buffer); !done) return fail(done.error());
  }
  if (out.empty()) return bad(path + ":1", "(line)", "the file holds no question");
  return out;
}

std::string ask_body(const Question& question, const AskOptions& options) {
  std::string out = "{\"model\":\"-\",\"messages\":";
  if (question.messages.empty()) {
    out += "[";
    if (!question.record.system_prompt.empty())
      out += R"({"role":"system","content":)" + json_string(question.record.system_prompt) + "},";
    out += R"({"role":"user","content":)" + json_string(render_prompt(question.record)) + "}]";
  } else if (question.system_apart) {
    out += R"([{"role":"system","content":)" + json_string(question.record.system_prompt) + "}," +
           question.messages.substr(1);
  } else {
    out += question.messages;
  }
  out += fmt::format(",\"{}\":{}", options.limit_field, options.tokens_max);
  if (options.temperature) out += fmt::format(",\"temperature\":{}", *options.temperature);
  if (!options.effort.empty()) out += ",\"reasoning_effort\":" + json_string(options.effort);
  if (options.name_record)
    out += R"(,"metadata":{"brevet_record_id":)" + json_string(question.record.id) + "}";
  return out + "}";
}

std::string outcome_line(const Question& question,
                         const std::vector<std::pair<std::string, std::string>>& added) {
  std::string out = "{\"schema\":1";
  for (const auto& [name, value] : question.members) out += "," + json_string(name) + ":" + value;
  out += ",\"models\":{";
  bool first = true;
  for (const auto* list : {&question.outcomes, &added}) {
    for (const auto& [name, cell] : *list) {
      out += (first ? "" : ",") + json_string(name) + ":" + cell;
      first = false;
    }
  }
  return out + "}}";
}

std::string question_text(const Question& question) {
  return question.messages.empty() ? render_prompt(question.record) : question.record.prompt;
}

}  // namespace brevet::record
