#include "dataset/outcome_file.h"

#include <simdjson.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <unordered_map>
#include <unordered_set>

#include "dataset/gz_lines.h"

namespace brevet {
namespace {

namespace dom = simdjson::dom;

constexpr std::int64_t kSchemaVersion = 1;

/// Python's repr of a list of strings, or of a dict whose values are strings or such lists, as boost::json;
/// null when the text is anything else.
class PythonLiteral {
 public:
  explicit PythonLiteral(std::string_view text) : text_(text) {}
  boost::json::value parse() {
    boost::json::value value = this->value(0);
    skip();
    return ok_ && at_ == text_.size() ? value : nullptr;
  }

 private:
  static constexpr int kDepthMax = 3;
  void skip() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  boost::json::value value(int depth) {
    skip();
    if (depth > kDepthMax || at_ >= text_.size()) return ok_ = false, nullptr;
    if (take('[')) {
      boost::json::array list;
      while (ok_ && !take(']')) {
        list.push_back(value(depth + 1));
        if (!take(',') && (at_ >= text_.size() || text_[at_] != ']')) ok_ = false;
      }
      return list;
    }
    if (take('{')) {
      boost::json::object object;
      while (ok_ && !take('}')) {
        const std::string key = quoted();
        if (!take(':')) ok_ = false;
        object[key] = value(depth + 1);
        if (!take(',') && (at_ >= text_.size() || text_[at_] != '}')) ok_ = false;
      }
      return object;
    }
    return boost::json::value(quoted());
  }
  std::string quoted() {
    skip();
    std::string out;
    if (at_ >= text_.size() || (text_[at_] != '\'' && text_[at_] != '"')) return ok_ = false, out;
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        if (c == 'n') c = '\n';
        if (c == 't') c = '\t';
      }
      out.push_back(c);
    }
    if (at_ >= text_.size()) ok_ = false;
    ++at_;
    return out;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool ok_ = true;
};

std::string letter_label(std::size_t i) {
  return i < 26 ? std::string(1, static_cast<char>('A' + i)) : std::to_string(i + 1);
}

/// Labels and texts from a value of the shapes that OutcomeReader names; false when it has another shape.
bool choices_from(const boost::json::value& value, std::vector<Choice>& out) {
  auto text_of = [](const boost::json::value& v) {
    return v.is_string() ? std::string(v.get_string()) : boost::json::serialize(v);
  };
  if (const auto* list = value.if_array()) {
    for (const auto& item : *list) out.push_back({letter_label(out.size()), text_of(item)});
    return true;
  }
  const auto* object = value.if_object();
  if (!object) return false;
  const auto* texts = object->if_contains("text");
  const auto* labels = object->if_contains("label");
  if (!labels) labels = object->if_contains("labels");
  if (texts && texts->is_array()) {
    for (const auto& item : texts->get_array()) {
      std::string label = letter_label(out.size());
      if (labels && labels->is_array() && out.size() < labels->get_array().size()) {
        label = text_of(labels->get_array()[out.size()]);
      }
      out.push_back({std::move(label), text_of(item)});
    }
    return true;
  }
  for (const auto& [label, text] : *object) out.push_back({std::string(label), text_of(text)});
  return true;
}

boost::json::value to_boost(dom::element element) {
  boost::system::error_code error;
  const std::string text = simdjson::minify(element);
  auto value = boost::json::parse(text, error);
  return error ? boost::json::value{} : value;
}

/// Reads typed fields of one object and keeps the first complaint.
class Fields {
 public:
  Fields(dom::object object, const std::string& where, std::string prefix)
      : object_(object), where_(where), prefix_(std::move(prefix)) {}

  std::optional<dom::element> find(const char* name) {
    dom::element element;
    if (object_.at_key(name).get(element) || element.is_null()) return std::nullopt;
    return element;
  }
  std::optional<std::string> text(const char* name) {
    const auto element = find(name);
    if (!element) return std::nullopt;
    std::string_view view;
    if (element->get(view)) {
      // Answers and labels are numbers in some files; only structures are refused.
      if (element->is_object() || element->is_array())
        return complain(name, "must be a string"), std::nullopt;
      return std::string(simdjson::minify(*element));
    }
    return std::string(view);
  }
  std::string required(const char* name) {
    auto value = text(name);
    if (!value) complain(name, "is missing");
    return value.value_or("");
  }
  std::optional<double> number(const char* name) {
    const auto element = find(name);
    if (!element) return std::nullopt;
    double value = 0;
    if (element->get(value) || !std::isfinite(value)) {
      return complain(name, "must be a number"), std::nullopt;
    }
    return value;
  }
  std::optional<std::int64_t> count(const char* name) {
    const auto value = number(name);
    if (!value) return std::nullopt;
    if (*value < 0 || *value > 9e15 || *value != std::floor(*value)) {
      return complain(name, "must be a whole number from 0"), std::nullopt;
    }
    return static_cast<std::int64_t>(*value);
  }
  void complain(const char* name, const std::string& what) {
    if (!error_) error_ = broken_line(where_, prefix_ + name, what).value();
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  dom::object object_;
  const std::string& where_;
  std::string prefix_;
  std::optional<Error> error_;
};

Result<RecordedOutcome> parse_outcome(dom::object object, const std::string& where, std::string_view model) {
  Fields fields(object, where, "models." + std::string(model) + ".");
  RecordedOutcome out;
  const auto score = fields.number("score");
  if (!score) {
    fields.complain("score", "is missing");
  } else if (*score < 0 || *score > 1) {
    fields.complain("score", "must lie in 0..1");
  }
  out.score = score.value_or(0);
  if (const auto cost = fields.number("cost_usd")) {
    if (*cost < 0 || *cost > 1e6)
      fields.complain("cost_usd", "must lie in 0..1000000");
    else
      out.cost = Money::from_usd(*cost);
  }
  out.input_tokens = fields.count("input_tokens");
  out.output_tokens = fields.count("output_tokens");
  out.latency_ms = fields.number("latency_ms");
  out.logprob_conf = fields.number("logprob_conf");
  dom::element pred;
  out.has_pred = !object.at_key("pred").get(pred);
  out.pred = fields.text("pred");
  out.response = fields.text("response");
  out.response_chars = fields.count("response_chars");
  out.vote_fraction = fields.number("vote_fraction");
  if (const auto samples = fields.find("samples")) {
    dom::array list;
    if (samples->get(list)) {
      fields.complain("samples", "must be a list");
    } else {
      for (const auto item : list) {
        std::string_view view;
        out.samples.emplace_back(item.get(view) ? std::string_view{} : view);
      }
    }
  }
  if (const auto scores = fields.find("sample_scores")) {
    dom::array list;
    if (scores->get(list)) {
      fields.complain("sample_scores", "must be a list");
    } else {
      for (const auto item : list) {
        double value = 0;
        if (item.get(value)) fields.complain("sample_scores", "must hold numbers");
        out.sample_scores.push_back(value);
      }
    }
  }
  if (fields.error()) return fail(*fields.error());
  return out;
}

Result<OutcomeRecord> parse_with(dom::parser& parser, std::string_view line, const std::string& where,
                                 const OutcomeReadOptions& options) {
  dom::element root;
  if (const auto error = parser.parse(line.data(), line.size()).get(root)) {
    return broken_line(where, "(line)", std::string("is not JSON: ") + simdjson::error_message(error));
  }
  dom::object object;
  if (root.get(object)) return broken_line(where, "(line)", "must be a JSON object");
  Fields fields(object, where, "");
  if (const auto schema = fields.count("schema"); schema && *schema > kSchemaVersion) {
    fields.complain("schema", "is " + std::to_string(*schema) + ", newer than " +
                                  std::to_string(kSchemaVersion) + "; a newer Brevet reads it");
  }
  OutcomeRecord record;
  record.id = fields.required("id");
  record.dataset = fields.required("dataset");
  record.subject = fields.text("subject").value_or("");
  record.prompt = options.prompt == PromptField::kRequired ? fields.required("prompt")
                                                           : fields.text("prompt").value_or("");
  record.system_prompt = fields.text("system_prompt").value_or("");
  record.answer = fields.text("answer").value_or("");
  record.source_split = fields.text("source_split").value_or("");
  if (const auto turns = fields.find("turns")) {
    const auto value = to_boost(*turns);
    const auto* list = value.if_array();
    if (list != nullptr && !list->empty() && list->front().is_string())
      record.source = std::string(list->front().get_string());
  }
  if (const auto flag = fields.find("contaminated")) {
    if (flag->get(record.contaminated)) fields.complain("contaminated", "must be true or false");
  }
  if (const auto choices = fields.find("choices")) {
    auto value = to_boost(*choices);
    if (const auto* text = value.if_string()) {
      // Tests of a program stand under the same name in one public set: they are its answer, not a choice.
      value = std::string_view(*text) == record.answer ? boost::json::value{} : PythonLiteral(*text).parse();
      choices_from(value, record.choices);
    } else if (!choices_from(value, record.choices)) {
      fields.complain("choices", "must be a list or an object");
    }
  }
  const auto models = fields.find("models");
  dom::object outcomes;
  if (!models) {
    fields.complain("models", "is missing");
  } else if (models->get(outcomes)) {
    fields.complain("models", "must be an object");
  }
  if (fields.error()) return fail(*fields.error());
  for (const auto& [name, element] : outcomes) {
    if (!options.models.empty() &&
        std::find(options.models.begin(), options.models.end(), name) == options.models.end()) {
      continue;
    }
    if (record.outcome(name)) return broken_line(where, "models." + std::string(name), "occurs twice");
    dom::object cell;
    if (element.get(cell)) return broken_line(where, "models." + std::string(name), "must be an object");
    auto outcome = parse_outcome(cell, where, name);
    if (!outcome) return fail(outcome.error());
    record.models.emplace_back(std::string(name), std::move(*outcome));
  }
  return record;
}

class FileReader : public OutcomeReader {
 public:
  FileReader(std::unique_ptr<GzLines> lines, OutcomeReadOptions options)
      : options_(std::move(options)), lines_(std::move(lines)) {}

  Result<std::optional<OutcomeRecord>> next() override {
    if (failed_) return fail(*failed_);
    auto line = lines_->next();
    if (!line) return stay_failed(line.error());
    if (!*line) return std::optional<OutcomeRecord>{};
    auto record = parse_with(parser_, **line, lines_->where(), options_);
    if (!record) return stay_failed(record.error());
    return std::optional<OutcomeRecord>(std::move(*record));
  }
  std::size_t line() const override { return lines_->line(); }

 private:
  tl::unexpected<Error> stay_failed(const Error& error) {
    failed_ = error;
    return fail(error);
  }

  const OutcomeReadOptions options_;
  const std::unique_ptr<GzLines> lines_;
  dom::parser parser_;
  std::optional<Error> failed_;
};

class FileWriter : public OutcomeWriter {
 public:
  explicit FileWriter(std::unique_ptr<GzLineWriter> lines) : lines_(std::move(lines)) {}
  Result<> write(const OutcomeRecord& record) override { return lines_->write(outcome_record_json(record)); }
  Result<> close() override { return lines_->close(); }

 private:
  const std::unique_ptr<GzLineWriter> lines_;
};

boost::json::object outcome_json(const RecordedOutcome& outcome) {
  boost::json::object out;
  auto put = [&](const char* name, const auto& value) {
    if (value) out[name] = *value;
  };
  out["score"] = outcome.score;
  if (outcome.cost) out["cost_usd"] = outcome.cost->usd();
  put("input_tokens", outcome.input_tokens);
  put("output_tokens", outcome.output_tokens);
  put("latency_ms", outcome.latency_ms);
  put("logprob_conf", outcome.logprob_conf);
  if (outcome.pred) {
    out["pred"] = *outcome.pred;
  } else if (outcome.has_pred) {
    out["pred"] = nullptr;
  }
  put("response", outcome.response);
  put("response_chars", outcome.response_chars);
  if (!outcome.samples.empty()) {
    out["samples"] = boost::json::array(outcome.samples.begin(), outcome.samples.end());
  }
  if (!outcome.sample_scores.empty()) {
    out["sample_scores"] = boost::json::array(outcome.sample_scores.begin(), outcome.sample_scores.end());
  }
  put("vote_fraction", outcome.vote_fraction);
  return out;
}

}  // namespace

const RecordedOutcome* OutcomeRecord::outcome(std::string_view model) const {
  for (const auto& [name, outcome] : models) {
    if (name == model) return &outcome;
  }
  return nullptr;
}

Result<OutcomeRecord> parse_outcome_record(std::string_view line, const std::string& where,
                                           const OutcomeReadOptions& options) {
  dom::parser parser;
  return parse_with(parser, line, where, options);
}

std::string outcome_record_json(const OutcomeRecord& record) {
  boost::json::object out;
  auto put = [&](const char* name, const std::string& value) {
    if (!value.empty()) out[name] = value;
  };
  out["schema"] = kSchemaVersion;
  out["id"] = record.id;
  out["dataset"] = record.dataset;
  put("subject", record.subject);
  put("prompt", record.prompt);
  put("system_prompt", record.system_prompt);
  if (!record.choices.empty()) {
    bool lettered = true;
    for (std::size_t i = 0; i < record.choices.size(); ++i) {
      lettered = lettered && record.choices[i].label == letter_label(i);
    }
    boost::json::array texts, labels;
    for (const auto& choice : record.choices) {
      texts.emplace_back(choice.text);
      labels.emplace_back(choice.label);
    }
    if (lettered) {
      out["choices"] = std::move(texts);
    } else {
      out["choices"] = boost::json::object{{"text", std::move(texts)}, {"label", std::move(labels)}};
    }
  }
  put("answer", record.answer);
  put("source_split", record.source_split);
  if (!record.source.empty()) out["turns"] = boost::json::array{record.source};
  if (record.contaminated) out["contaminated"] = true;
  boost::json::object models;
  for (const auto& [name, outcome] : record.models) models[name] = outcome_json(outcome);
  out["models"] = std::move(models);
  return boost::json::serialize(out);
}

Result<std::unique_ptr<OutcomeReader>> OutcomeReader::open(const std::string& path,
                                                           OutcomeReadOptions options) {
  auto lines = GzLines::open(path, options.line_bytes_max);
  if (!lines) return fail(lines.error());
  return std::make_unique<FileReader>(std::move(*lines), std::move(options));
}

Result<std::vector<OutcomeRecord>> read_outcome_file(const std::string& path,
                                                     const OutcomeReadOptions& options) {
  auto reader = OutcomeReader::open(path, options);
  if (!reader) return fail(reader.error());
  std::vector<OutcomeRecord> records;
  std::unordered_set<std::string> ids;
  for (;;) {
    auto record = (*reader)->next();
    if (!record) return fail(record.error());
    if (!*record) break;
    const std::string where = path + ":" + std::to_string((*reader)->line());
    if (!ids.insert((*record)->id).second)
      return broken_line(where, "id", "\"" + (*record)->id + "\" occurs twice");
    if (records.size() >= options.records_max) {
      return broken_line(where, "(line)",
                         "is beyond the bound of " + std::to_string(options.records_max) + " records");
    }
    records.push_back(std::move(**record));
  }
  if (records.empty()) return broken_line(path + ":1", "(line)", "the file holds no record");
  return records;
}

Result<JoinCount> join_responses(std::vector<OutcomeRecord>& records, const std::string& path,
                                 const OutcomeReadOptions& options) {
  OutcomeReadOptions second = options;
  second.prompt = PromptField::kOptional;
  auto reader = OutcomeReader::open(path, std::move(second));
  if (!reader) return fail(reader.error());
  std::unordered_map<std::string_view, std::size_t> by_id;
  for (std::size_t i = 0; i < records.size(); ++i) by_id.emplace(records[i].id, i);
  std::vector<bool> answered(records.size());
  JoinCount count;
  for (;;) {
    auto next = (*reader)->next();
    if (!next) return fail(next.error());
    if (!*next) break;
    auto& other = **next;
    const auto found = by_id.find(other.id);
    if (found == by_id.end()) {
      ++count.unmatched;
      continue;
    }
    auto& record = records[found->second];
    if (!answered[found->second]) ++count.joined;
    answered[found->second] = true;
    for (auto& [name, outcome] : other.models) {
      auto at = std::find_if(record.models.begin(), record.models.end(),
                             [&, &model = name](const auto& pair) { return pair.first == model; });
      if (at == record.models.end()) {
        record.models.emplace_back(name, std::move(outcome));
        continue;
      }
      if (std::abs(at->second.score - outcome.score) > 1e-9) {
        return broken_line(path + ":" + std::to_string((*reader)->line()), "models." + name + ".score",
                           "differs from the first file's, so the two are not of the same run");
      }
      if (!at->second.response) at->second.response = std::move(outcome.response);
      if (!at->second.has_pred) {
        at->second.has_pred = outcome.has_pred;
        at->second.pred = std::move(outcome.pred);
      }
    }
  }
  count.unanswered = records.size() - count.joined;
  return count;
}

Result<std::unique_ptr<OutcomeWriter>> OutcomeWriter::create(const std::string& path) {
  auto lines = GzLineWriter::create(path);
  if (!lines) return fail(lines.error());
  return std::make_unique<FileWriter>(std::move(*lines));
}

}  // namespace brevet
