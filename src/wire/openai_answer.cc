// A whole answer of a provider.
#include "wire/openai_chat.h"
#include "wire/openai_fields.h"

namespace brevet::wire {
namespace {

namespace dom = simdjson::dom;

tl::unexpected<Error> bad_answer(std::string message) {
  return fail(ErrorKind::kProviderGarbage, "upstream_bad_answer", std::move(message));
}

/// Choice 0, or the first when no choice says that it is 0.
std::optional<dom::object> first_choice(dom::array choices) {
  std::optional<dom::object> first;
  for (const auto element : choices) {
    dom::object choice;
    if (element.get(choice)) continue;
    const auto index = count_member(choice, "index");
    if (index == 0) return choice;
    if (!first) first = choice;
  }
  return first;
}

void read_message(dom::object message, Answer& answer) {
  dom::element content;
  if (!message.at_key("content").get(content)) answer.text = content_text(content);
  const auto add_call = [&](dom::object function, std::string id) {
    ToolCall call;
    call.id = std::move(id);
    call.name = string_member(function, "name").value_or("");
    dom::element arguments;
    if (!function.at_key("arguments").get(arguments)) call.arguments = text_or_json(arguments);
    answer.tool_calls.push_back(std::move(call));
  };
  if (const auto calls = array_member(message, "tool_calls")) {
    for (const auto element : *calls) {
      dom::object call;
      if (element.get(call)) continue;
      if (const auto function = object_member(call, "function")) {
        add_call(*function, std::string(string_member(call, "id").value_or("")));
      }
    }
  } else if (const auto function = object_member(message, "function_call")) {
    add_call(*function, {});
  }
}

/// The same answer as providers give it without log-probabilities: null in their place.
std::string without_logprobs(const std::string& body, dom::object root) {
  std::vector<ByteEdit> edits;
  JsonCursor cursor(body);
  walk_object(cursor, root, [&](std::string_view key, dom::element value, Span) {
    dom::array choices;
    if (key != "choices" || value.get(choices)) {
      cursor.value();
      return;
    }
    walk_array(cursor, choices, [&](dom::element element) {
      dom::object choice;
      if (element.get(choice)) {
        cursor.value();
        return;
      }
      walk_object(cursor, choice, [&](std::string_view name, dom::element member, Span) {
        const Span at = cursor.value();
        if (name == "logprobs" && !member.is_null()) edits.push_back({at, "null"});
      });
    });
  });
  return edits.empty() ? body : apply_edits(body, std::move(edits));
}

}  // namespace

Result<Answer> parse_chat_completion(std::string body, const Hide& hide) {
  JsonDocument document;
  const auto element = document.read(body);
  if (!element) {
    return fail(ErrorKind::kProviderGarbage, "upstream_bad_json",
                "The provider's answer is not usable JSON: " + element.error().reason + ".");
  }
  dom::object root;
  if (element->get(root)) return bad_answer("The provider's answer is not a JSON object.");
  const auto choices = array_member(root, "choices");
  const auto choice = choices ? first_choice(*choices) : std::nullopt;
  if (!choice) {
    dom::element error;
    if (!root.at_key("error").get(error) && !error.is_null()) {
      return bad_answer("The provider reported success and sent an error: " +
                        read_error(error).message.substr(0, 500));
    }
    return bad_answer("The provider's answer has no choices.");
  }
  const auto message = object_member(*choice, "message");
  if (!message) return bad_answer("The provider's answer has a choice without a message.");

  Answer answer;
  read_message(*message, answer);
  answer.finish_reason = string_member(*choice, "finish_reason").value_or("");
  answer.returned_model = string_member(root, "model").value_or("");
  if (const auto usage = object_member(root, "usage")) answer.usage = read_usage(*usage);
  LogprobStats stats;
  stats.add(*choice);
  if (stats.count > 0) {
    answer.mean_logprob = stats.sum / stats.count;
    answer.min_logprob = stats.min;
    answer.first_token = first_token_alternatives(*choice);
  }
  answer.body = hide.logprobs ? without_logprobs(body, root) : std::move(body);
  return answer;
}

}  // namespace brevet::wire
