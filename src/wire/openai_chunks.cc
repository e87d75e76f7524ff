// A streamed answer, chunk by chunk: what it says so far, and what the client may see of it.
#include <algorithm>

#include "wire/openai_chat.h"
#include "wire/openai_fields.h"

namespace brevet::wire {

namespace dom = simdjson::dom;

/// Reads one chunk. First the values, then, only when bytes must change, a walk over their places.
class ChunkReader {
 public:
  ChunkReader(ChunkCollector& collector, std::string& data) : c_(collector), data_(data) {}

  Result<std::optional<std::string>> read() {
    JsonDocument document;
    const auto element = document.read(data_);
    dom::object root;
    if (!element || element->get(root)) {
      ++c_.bad_events_;
      return std::move(data_);
    }
    dom::element error;
    if (!root.at_key("error").get(error) && !error.is_null()) return in_band_error(error);

    if (c_.answer_.returned_model.empty())
      c_.answer_.returned_model = string_member(root, "model").value_or("");
    const auto choices = array_member(root, "choices");
    const auto usage = object_member(root, "usage");
    if (usage) {
      c_.answer_.usage = read_usage(*usage);
    }
    bool edit = c_.hide_.usage && !root.at_key("usage").error();
    if (usage && c_.hide_.usage && (!choices || choices->begin() == choices->end())) return std::nullopt;
    if (choices) {
      std::int64_t position = 0;
      for (const auto value : *choices) {
        auto& plan = plans_.emplace_back();
        dom::object choice;
        if (!value.get(choice)) read_choice(choice, position, plan);
        edit = edit || plan.null_finish || plan.null_logprobs || plan.fixes_tools;
        ++position;
      }
    }
    if (c_.collected_bytes_ > ChunkCollector::kCollectedBytesMax) {
      return fail(ErrorKind::kProviderGarbage, "upstream_answer_too_large",
                  "The provider streamed more than " + std::to_string(ChunkCollector::kCollectedBytesMax) +
                      " bytes of answer; the stream was given up.");
    }
    if (edit) return edited(root);
    return std::move(data_);
  }

 private:
  static constexpr std::int64_t kKeepIndex = -1;
  struct Plan {
    bool null_finish = false;
    bool null_logprobs = false;
    bool fixes_tools = false;
    std::vector<std::int64_t> tool_index;  ///< per element of tool_calls, kKeepIndex where it is right
  };

  Result<std::optional<std::string>> in_band_error(dom::element element) {
    auto fields = read_error(element);
    if (fields.message.empty()) fields.message = fields.code.empty() ? "no message" : fields.code;
    Error error;
    error.kind = ErrorKind::kProviderUnavailable;
    error.code = "upstream_stream_error";
    error.message = "The provider broke off its answer with an error: " + fields.message.substr(0, 500);
    error.upstream_body = data_.substr(0, 16 * 1024);
    return fail(std::move(error));
  }

  void read_choice(dom::object choice, std::int64_t position, Plan& plan) {
    const auto index = count_member(choice, "index").value_or(position);
    auto state =
        std::find_if(c_.choices_.begin(), c_.choices_.end(), [&](const auto& s) { return s.index == index; });
    if (state == c_.choices_.end()) {
      if (c_.choices_.size() >= ChunkCollector::kChoicesMax) return;
      c_.choices_.push_back({index, false, {}});
      state = c_.choices_.end() - 1;
    }
    if (const auto delta = object_member(choice, "delta")) read_delta(*delta, *state, plan);
    if (const auto reason = string_member(choice, "finish_reason"); reason && !reason->empty()) {
      plan.null_finish = state->finished;
      if (!state->finished && index == 0) c_.answer_.finish_reason = *reason;
      state->finished = true;
    }
    if (has_value(choice, "logprobs")) {
      plan.null_logprobs = c_.hide_.logprobs;
      if (index == 0) add_logprobs(choice);
    }
  }

  void add_logprobs(dom::object choice) {
    LogprobStats stats;
    stats.add(choice);
    if (stats.count == 0) return;
    auto& min = c_.answer_.min_logprob;
    min = min ? std::min(*min, stats.min) : stats.min;
    c_.logprob_sum_ += stats.sum;
    c_.logprob_count_ += stats.count;
  }

  void read_delta(dom::object delta, ChunkCollector::ChoiceState& state, Plan& plan) {
    const bool ours = state.index == 0;
    dom::element content;
    if (ours && !delta.at_key("content").get(content)) {
      std::string_view text;
      if (!content.get(text)) {
        c_.answer_.text.append(text);
        c_.collected_bytes_ += text.size();
      } else {
        const auto joined = content_text(content);
        c_.answer_.text += joined;
        c_.collected_bytes_ += joined.size();
      }
    }
    if (const auto calls = array_member(delta, "tool_calls")) {
      for (const auto element : *calls) {
        dom::object call;
        plan.tool_index.push_back(element.get(call) ? kKeepIndex : read_call(call, state));
        plan.fixes_tools = plan.fixes_tools || plan.tool_index.back() != kKeepIndex;
      }
    } else if (const auto function = object_member(delta, "function_call")) {
      if (state.tools.empty()) add_tool(state, 0, {});
      if (ours) add_function(0, *function);
    }
  }

  /// Takes one tool call fragment; returns the index to write, or kKeepIndex.
  std::int64_t read_call(dom::object call, ChunkCollector::ChoiceState& state) {
    const auto given = count_member(call, "index");
    const auto id = string_member(call, "id").value_or("");
    const auto function = object_member(call, "function");
    const bool named = function && !string_member(*function, "name").value_or("").empty();
    auto& tools = state.tools;
    // The latest call that this fragment can belong to.
    auto found = std::find_if(tools.rbegin(), tools.rend(), [&](const auto& tool) {
      if (given) return tool.given_index == *given;
      return id.empty() || tool.id == id;
    });
    const bool other_id = found != tools.rend() && !id.empty() && !found->id.empty() && found->id != id;
    const bool unnumbered_start = !given && id.empty() && named;
    if (other_id || unnumbered_start || found == tools.rend()) {
      if (tools.size() >= ChunkCollector::kToolCallsMax) return kKeepIndex;
      add_tool(state, given, id);
      found = tools.rbegin();
    } else if (found->id.empty()) {
      found->id.assign(id);
    }
    const auto position = static_cast<std::size_t>(tools.rend() - found) - 1;
    if (state.index == 0) {
      if (position < c_.answer_.tool_calls.size()) c_.answer_.tool_calls[position].id = found->id;
      if (function) add_function(position, *function);
    }
    return given == found->shown_index ? kKeepIndex : found->shown_index;
  }

  void add_tool(ChunkCollector::ChoiceState& state, std::optional<std::int64_t> given, std::string_view id) {
    std::int64_t next = 0;
    bool used = false;
    for (const auto& tool : state.tools) {
      next = std::max(next, tool.shown_index + 1);
      used = used || tool.shown_index == given;
    }
    const auto shown = given && !used ? *given : next;
    state.tools.push_back({given.value_or(shown), shown, std::string(id)});
    if (state.index == 0) c_.answer_.tool_calls.push_back({{}, {}, std::string(id)});
  }

  void add_function(std::size_t position, dom::object function) {
    auto& call = c_.answer_.tool_calls[position];
    // Some servers repeat the name with every fragment.
    if (call.name.empty()) call.name = string_member(function, "name").value_or("");
    dom::element arguments;
    if (!function.at_key("arguments").get(arguments)) {
      const auto piece = text_or_json(arguments);
      call.arguments += piece;
      c_.collected_bytes_ += piece.size();
    }
  }

  std::string edited(dom::object root) {
    JsonCursor cursor(data_);
    bool saw_choices = false, saw_usage = false;  // a provider may send a key twice; the first one was read
    walk_object(cursor, root, [&](std::string_view key, dom::element value, Span key_span) {
      dom::array choices;
      if (key == "choices" && !saw_choices && !value.get(choices)) {
        saw_choices = true;
        std::size_t number = 0;
        walk_array(cursor, choices,
                   [&](dom::element choice) { edit_choice(cursor, choice, plans_[number++]); });
        return;
      }
      const Span at = cursor.value();
      saw_choices = saw_choices || key == "choices";
      if (key != "usage" || !c_.hide_.usage) return;
      edits_.push_back(saw_usage ? ByteEdit{at, "null"} : remove_member(data_, {key_span.begin, at.end}));
      saw_usage = true;
    });
    return edits_.empty() ? std::move(data_) : apply_edits(data_, std::move(edits_));
  }

  void edit_choice(JsonCursor& cursor, dom::element element, const Plan& plan) {
    dom::object choice;
    if (element.get(choice)) {
      cursor.value();
      return;
    }
    walk_object(cursor, choice, [&](std::string_view key, dom::element value, Span) {
      dom::object delta;
      if (key == "delta" && plan.fixes_tools && !value.get(delta)) {
        walk_object(cursor, delta, [&](std::string_view name, dom::element member, Span) {
          dom::array calls;
          if (name != "tool_calls" || member.get(calls)) {
            cursor.value();
            return;
          }
          std::size_t number = 0;
          walk_array(cursor, calls, [&](dom::element call) {
            const auto index = number < plan.tool_index.size() ? plan.tool_index[number] : kKeepIndex;
            ++number;
            edit_call(cursor, call, index);
          });
        });
        return;
      }
      const Span at = cursor.value();
      if (key == "logprobs" && plan.null_logprobs) edits_.push_back({at, "null"});
      if (key == "finish_reason" && plan.null_finish) edits_.push_back({at, "null"});
    });
  }

  void edit_call(JsonCursor& cursor, dom::element element, std::int64_t index) {
    dom::object call;
    if (index == kKeepIndex || element.get(call)) {
      cursor.value();
      return;
    }
    JsonCursor start = cursor;
    const auto inside = start.enter() + 1;
    bool replaced = false, bare = true;
    walk_object(cursor, call, [&](std::string_view key, dom::element, Span) {
      const Span at = cursor.value();
      bare = false;
      if (key != "index" || replaced) return;
      edits_.push_back({at, std::to_string(index)});
      replaced = true;
    });
    if (!replaced)
      edits_.push_back({{inside, inside}, "\"index\":" + std::to_string(index) + (bare ? "" : ",")});
  }

  ChunkCollector& c_;
  std::string& data_;
  std::vector<Plan> plans_;
  std::vector<ByteEdit> edits_;
};

Result<std::optional<std::string>> ChunkCollector::take(std::string data) {
  return ChunkReader(*this, data).read();
}

Answer ChunkCollector::answer() const {
  Answer out = answer_;
  if (logprob_count_ > 0) out.mean_logprob = logprob_sum_ / logprob_count_;
  return out;
}

}  // namespace brevet::wire
