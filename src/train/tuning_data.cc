#include "train/tuning_data.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/random.h"
#include "compare/answer_core.h"
#include "compare/compare.h"
#include "dataset/clusters.h"
#include "dataset/prompt_text.h"

namespace brevet {
namespace {

namespace json = boost::json;

json::object message(const char* role, const std::string& text) {
  return {{"role", role}, {"content", text}};
}

json::array prompt_of(const OutcomeRecord& record, const std::string& rendered) {
  json::array out;
  if (!record.system_prompt.empty()) out.push_back(message("system", record.system_prompt));
  out.push_back(message("user", rendered));
  return out;
}

std::string line_of(TuningFormat format, json::array prompt, const std::string& good,
                    const std::string& bad) {
  json::object out;
  switch (format) {
    case TuningFormat::kSft:
      prompt.push_back(message("assistant", good));
      out["messages"] = std::move(prompt);
      break;
    case TuningFormat::kDpo:
      out["prompt"] = std::move(prompt);
      out["chosen"] = json::array{message("assistant", good)};
      out["rejected"] = json::array{message("assistant", bad)};
      break;
    case TuningFormat::kOpenAiDpo:
      out["input"] = json::object{{"messages", std::move(prompt)}};
      out["preferred_output"] = json::array{message("assistant", good)};
      out["non_preferred_output"] = json::array{message("assistant", bad)};
      break;
  }
  return json::serialize(out);
}

bool says_same(const std::string& first, const std::string& second, const std::string& question) {
  Answer a, b;
  a.text = first;
  b.text = second;
  a.finish_reason = b.finish_reason = "stop";
  CompareContext context;
  context.question = question;
  return compare_answers(a, b, context).verdict == Verdict::kSame;
}

}  // namespace

Result<TuningFormat> parse_tuning_format(const std::string& name) {
  if (name == "sft") return TuningFormat::kSft;
  if (name == "dpo") return TuningFormat::kDpo;
  if (name == "openai_dpo") return TuningFormat::kOpenAiDpo;
  return fail(ErrorKind::kCallerInvalid, "bad_option",
              fmt::format("'{}' is no format of fine-tuning data. Known are sft, dpo and openai_dpo.", name),
              "--format");
}

std::uint64_t text_key_of(const OutcomeRecord& record) {
  return hash_bytes(text_for_clusters(record.source.empty() ? cluster_text(record) : record.source));
}

TuningData tuning_data(const std::vector<OutcomeRecord>& records, const TuningOptions& options,
                       const std::set<std::uint64_t>& held_out) {
  TuningData out;
  for (const auto& record : records) {
    const auto* strong = record.outcome(options.strong);
    const bool pair = options.format != TuningFormat::kSft;
    const auto* weak = pair ? record.outcome(options.weak) : nullptr;
    if (!strong || !strong->response || (pair && (!weak || !weak->response))) {
      ++out.without_answer;
      continue;
    }
    if (!held_out.empty() && held_out.contains(text_key_of(record))) {
      ++out.held_out;
      continue;
    }
    // A pair teaches only where the strong answer is the better one.
    if (strong->score < options.score_min || (pair && weak->score >= strong->score)) {
      ++out.too_wrong;
      continue;
    }
    if (looks_like_refusal(*strong->response)) {
      ++out.declined;
      continue;
    }
    const auto rendered = render_prompt(record);
    if (pair && says_same(*strong->response, *weak->response, rendered)) {
      ++out.same;
      continue;
    }
    if (rendered.size() + record.system_prompt.size() + strong->response->size() > options.chars_max) {
      ++out.too_long;
      continue;
    }
    out.lines.push_back(line_of(options.format, prompt_of(record, rendered), *strong->response,
                                pair ? *weak->response : std::string()));
  }
  return out;
}

}  // namespace brevet
