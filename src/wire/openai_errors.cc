// Errors in the OpenAI shape, model listings, and the feedback body.
#include "wire/openai_chat.h"
#include "wire/openai_fields.h"

namespace brevet::wire {
namespace {

namespace dom = simdjson::dom;

const char* type_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kCallerInvalid:
    case ErrorKind::kCallerTooLarge:
    case ErrorKind::kProviderRejected:
      return "invalid_request_error";
    case ErrorKind::kCallerDenied:
      return "authentication_error";
    case ErrorKind::kCallerNotFound:
      return "not_found_error";
    case ErrorKind::kPolicyRefused:
      return "permission_error";
    case ErrorKind::kPolicyBudget:
      return "insufficient_quota";
    case ErrorKind::kProviderRateLimited:
      return "rate_limit_error";
    case ErrorKind::kProviderUnavailable:
    case ErrorKind::kProviderTimeout:
    case ErrorKind::kProviderGarbage:
    case ErrorKind::kOverloaded:
    case ErrorKind::kCancelled:
    case ErrorKind::kInternal:
      break;
  }
  return "server_error";
}

constexpr std::size_t kDecisionIdBytesMax = 128;
constexpr std::size_t kCommentBytesMax = 4096;

tl::unexpected<Error> invalid(const char* code, std::string message, std::string param) {
  return fail(ErrorKind::kCallerInvalid, code, std::move(message), std::move(param));
}

}  // namespace

std::string error_json(const Error& error) {
  std::string out = R"({"error":{"message":)";
  append_json_string(out, error.message);
  out += R"(,"type":")";
  out += type_of(error.kind);
  out += R"(","param":)";
  if (error.param.empty()) {
    out += "null";
  } else {
    append_json_string(out, error.param);
  }
  out += R"(,"code":)";
  append_json_string(out, error.code);
  out += "}}";
  return out;
}

ProviderError parse_error_body(std::string_view body) {
  ProviderError out;
  std::string text(body);
  JsonDocument document;
  const auto element = document.read(text);
  dom::object root;
  if (!element || element->get(root)) return out;
  dom::element error;
  if (root.at_key("error").get(error) || error.is_null()) {
    // FastAPI servers say {"detail": ...}, vLLM and others put the fields at the top.
    error = *element;
    if (has_value(root, "detail")) {
      out.message = text_or_json(root.at_key("detail").value_unsafe());
      return out;
    }
    if (!has_value(root, "message")) return out;
  }
  auto fields = read_error(error);
  out.code = std::move(fields.code);
  out.type = std::move(fields.type);
  out.message = std::move(fields.message);
  return out;
}

std::string model_json(const ModelListing& model) {
  std::string out = R"({"id":)";
  append_json_string(out, model.id);
  out += R"(,"object":"model","created":)" + std::to_string(model.created_s) + R"(,"owned_by":)";
  append_json_string(out, model.owned_by);
  out += '}';
  return out;
}

std::string models_json(const std::vector<ModelListing>& models) {
  std::string out = R"({"object":"list","data":[)";
  for (std::size_t i = 0; i < models.size(); ++i) {
    if (i > 0) out += ',';
    out += model_json(models[i]);
  }
  out += "]}";
  return out;
}

Result<FeedbackBody> parse_feedback(std::string_view body) {
  std::string text(body);
  JsonDocument document;
  const auto element = document.read(text);
  if (!element) {
    return invalid(element.error().too_deep ? "json_too_deep" : "bad_json",
                   "The feedback is not usable JSON: " + element.error().reason + ".", {});
  }
  dom::object root;
  if (element->get(root)) return invalid("wrong_type", "The feedback must be a JSON object.", {});
  if (const auto twice = duplicate_key(root)) {
    std::string key(twice->substr(0, 200));
    return invalid("bad_json", "The feedback has the key `" + key + "` twice; send it once.", key);
  }
  FeedbackBody out;
  for (const auto field : root) {
    std::string_view string;
    double score = 0;
    if (field.key == "decision_id") {
      if (field.value.get(string))
        return invalid("wrong_type", "`decision_id` must be a string.", "decision_id");
      if (string.empty() || string.size() > kDecisionIdBytesMax) {
        return invalid("bad_value", "`decision_id` must be the id from the x-brevet-decision header.",
                       "decision_id");
      }
      out.decision_id.assign(string);
    } else if (field.key == "score") {
      if (field.value.is_null()) continue;
      if (field.value.get(score)) return invalid("wrong_type", "`score` must be a number.", "score");
      if (!(score >= 0 && score <= 1)) {
        return invalid("bad_value", "`score` must be between 0 (bad) and 1 (good).", "score");
      }
      out.score = score;
    } else if (field.key == "comment") {
      if (field.value.is_null()) continue;
      if (field.value.get(string)) return invalid("wrong_type", "`comment` must be a string.", "comment");
      if (string.size() > kCommentBytesMax) {
        return invalid("bad_value",
                       "`comment` must be at most " + std::to_string(kCommentBytesMax) + " bytes.",
                       "comment");
      }
      out.comment.assign(string);
    } else {
      std::string key(field.key.substr(0, 200));
      return invalid("unknown_field",
                     "Feedback has no field `" + key + "`; it takes decision_id, score and comment.", key);
    }
  }
  if (out.decision_id.empty()) {
    return invalid("missing_field",
                   "`decision_id` is missing: it is in the x-brevet-decision header of the answer.",
                   "decision_id");
  }
  if (!out.score && out.comment.empty()) {
    return invalid("missing_field", "`score` is missing: send a score from 0 to 1, or a comment.", "score");
  }
  return out;
}

int http_status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kCallerInvalid:
      return 400;
    case ErrorKind::kCallerDenied:
      return 401;
    case ErrorKind::kCallerNotFound:
      return 404;
    case ErrorKind::kCallerTooLarge:
      return 413;
    case ErrorKind::kPolicyRefused:
      return 403;
    case ErrorKind::kPolicyBudget:
    case ErrorKind::kProviderRateLimited:
      return 429;
    case ErrorKind::kProviderRejected:
    case ErrorKind::kProviderUnavailable:
    case ErrorKind::kProviderGarbage:
      return 502;
    case ErrorKind::kProviderTimeout:
      return 504;
    case ErrorKind::kOverloaded:
      return 503;
    case ErrorKind::kCancelled:
      return 499;
    case ErrorKind::kInternal:
      return 500;
  }
  return 500;
}

Result<ContractSwitchBody> parse_contract_switch(std::string_view body) {
  std::string text(body);
  JsonDocument document;
  const auto element = document.read(text);
  if (!element) {
    return invalid(element.error().too_deep ? "json_too_deep" : "bad_json",
                   "The switch is not usable JSON: " + element.error().reason + ".", {});
  }
  dom::object root;
  if (element->get(root)) return invalid("wrong_type", "The switch must be a JSON object.", {});
  if (const auto twice = duplicate_key(root)) {
    std::string key(twice->substr(0, 200));
    return invalid("bad_json", "The switch has the key `" + key + "` twice; send it once.", key);
  }
  ContractSwitchBody out;
  bool has_on = false;
  for (const auto field : root) {
    std::string_view string;
    if (field.key == "route") {
      if (field.value.get(string)) return invalid("wrong_type", "`route` must be a string.", "route");
      out.route.assign(string);
    } else if (field.key == "on") {
      if (field.value.get(out.on)) return invalid("wrong_type", "`on` must be true or false.", "on");
      has_on = true;
    } else {
      std::string key(field.key.substr(0, 200));
      return invalid("unknown_field", "The switch has no field `" + key + "`; it takes route and on.", key);
    }
  }
  if (out.route.empty()) return invalid("missing_field", "`route` is missing: the name of a route.", "route");
  if (!has_on)
    return invalid("missing_field", "`on` is missing: false lets the reference serve everything.", "on");
  return out;
}

}  // namespace brevet::wire
