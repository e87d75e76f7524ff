#include "compare/compare.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <set>

#include "compare/answer_core.h"
#include "compare/text_scan.h"

namespace brevet {
namespace {

namespace json = boost::json;
using scan::one_of;

constexpr std::size_t kJsonDepthMax = 64;

AnswerComparison verdict(Verdict what, const char* method, const char* why) {
  return {what, method, what == Verdict::kSame ? 1.0 : 0.0, why};
}
AnswerComparison same_if(bool equal, const char* method) {
  return equal ? verdict(Verdict::kSame, method, "equal") : verdict(Verdict::kDifferent, method, "unequal");
}
AnswerComparison unknown(const char* why, const char* method = "none") {
  return verdict(Verdict::kCannotTell, method, why);
}

// ---- JSON
std::optional<json::value> parse_json(std::string_view text) {
  if (text.empty()) return std::nullopt;
  json::parse_options options;
  options.max_depth = kJsonDepthMax;
  boost::system::error_code error;
  auto value = json::parse(text, error, {}, options);
  if (error) return std::nullopt;
  return value;
}

std::optional<double> json_number(const json::value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  if (value.is_double()) return value.get_double();
  return std::nullopt;
}

bool close_to(double a, double b, double relative) {
  return a == b || std::abs(a - b) <= relative * std::max(std::abs(a), std::abs(b));
}

/// Worst finding over two values: same, different, or cannot tell where only prose differs.
Verdict compare_json(const json::value& a, const json::value& b, const CompareOptions& options) {
  const auto left = json_number(a);
  const auto right = json_number(b);
  if (left && right) {
    return close_to(*left, *right, options.number_relative_tolerance) ? Verdict::kSame : Verdict::kDifferent;
  }
  if (a.kind() != b.kind()) return Verdict::kDifferent;
  Verdict worst = Verdict::kSame;
  const auto fold = [&](Verdict next) {
    if (next == Verdict::kDifferent || worst == Verdict::kSame) worst = next == Verdict::kSame ? worst : next;
  };
  switch (a.kind()) {
    case json::kind::object: {
      const auto& x = a.get_object();
      const auto& y = b.get_object();
      if (x.size() != y.size()) return Verdict::kDifferent;
      for (const auto& [key, value] : x) {
        const auto* other = y.if_contains(key);
        if (other == nullptr) return Verdict::kDifferent;
        fold(compare_json(value, *other, options));
      }
      return worst;
    }
    case json::kind::array: {
      const auto& x = a.get_array();
      const auto& y = b.get_array();
      if (x.size() != y.size()) return Verdict::kDifferent;
      for (std::size_t i = 0; i < x.size(); ++i) fold(compare_json(x[i], y[i], options));
      return worst;
    }
    case json::kind::string: {
      const std::string_view x(a.get_string());
      const std::string_view y(b.get_string());
      if (scan::trim(x) == scan::trim(y)) return Verdict::kSame;
      const bool prose =
          scan::word_count(x) > options.short_words_max && scan::word_count(y) > options.short_words_max;
      return prose ? Verdict::kCannotTell : Verdict::kDifferent;
    }
    default:
      return a == b ? Verdict::kSame : Verdict::kDifferent;
  }
}

// ---- tool calls
bool same_arguments(const std::string& a, const std::string& b, const CompareOptions& options) {
  const auto x = parse_json(scan::trim(a).empty() ? "{}" : std::string_view(a));
  const auto y = parse_json(scan::trim(b).empty() ? "{}" : std::string_view(b));
  if (!x || !y) return scan::trim(a) == scan::trim(b);
  return compare_json(*x, *y, options) == Verdict::kSame;
}

bool same_tool_calls(const std::vector<ToolCall>& a, const std::vector<ToolCall>& b,
                     const CompareOptions& options) {
  if (a.size() != b.size() || a.size() > 256) return false;
  std::vector<bool> used(b.size(), false);
  for (const auto& call : a) {
    bool found = false;
    for (std::size_t i = 0; i < b.size() && !found; ++i) {
      if (used[i] || b[i].name != call.name || !same_arguments(call.arguments, b[i].arguments, options))
        continue;
      used[i] = true;
      found = true;
    }
    if (!found) return false;
  }
  return true;
}

// ---- numbers
struct Unit {
  std::string_view name;
  char dimension;
  double factor;
};
constexpr Unit kUnits[] = {
    {"mm", 'l', 1e-3},       {"millimeter", 'l', 1e-3},
    {"cm", 'l', 1e-2},       {"centimeter", 'l', 1e-2},
    {"m", 'l', 1},           {"meter", 'l', 1},
    {"metre", 'l', 1},       {"km", 'l', 1e3},
    {"kilometer", 'l', 1e3}, {"kilometre", 'l', 1e3},
    {"inch", 'l', 0.0254},   {"inche", 'l', 0.0254},
    {"foot", 'l', 0.3048},   {"feet", 'l', 0.3048},
    {"ft", 'l', 0.3048},     {"yard", 'l', 0.9144},
    {"mile", 'l', 1609.344}, {"mg", 'm', 1e-6},
    {"g", 'm', 1e-3},        {"gram", 'm', 1e-3},
    {"kg", 'm', 1},          {"kilogram", 'm', 1},
    {"ton", 'm', 1e3},       {"tonne", 'm', 1e3},
    {"second", 't', 1},      {"sec", 't', 1},
    {"s", 't', 1},           {"minute", 't', 60},
    {"min", 't', 60},        {"hour", 't', 3600},
    {"hr", 't', 3600},       {"h", 't', 3600},
    {"day", 't', 86400},     {"week", 't', 604800},
    {"dollar", 'd', 1},      {"usd", 'd', 1},
    {"cent", 'd', 0.01},     {"euro", 'e', 1},
    {"eur", 'e', 1},         {"liter", 'v', 1},
    {"litre", 'v', 1},       {"l", 'v', 1},
    {"ml", 'v', 1e-3},       {"milliliter", 'v', 1e-3},
};
const Unit* find_unit(std::string_view name) {
  for (const auto& unit : kUnits) {
    if (unit.name == name) return &unit;
  }
  return nullptr;
}

/// Equal within the tolerance, or equal once the longer one is rounded to the decimals of the shorter one,
/// when that has at least three significant digits (with fewer, "cannot tell"). A percent sign on one side
/// only may mean either 50 or 0.5. Known units are converted; unknown ones are not looked at.
Verdict same_number(const ExtractedNumber& a, const ExtractedNumber& b, const CompareOptions& options) {
  double x = a.value;
  double y = b.value;
  const Unit* left = find_unit(a.unit);
  const Unit* right = find_unit(b.unit);
  if (left != nullptr && right != nullptr && !a.percent && !b.percent) {
    if (left->dimension != right->dimension) return Verdict::kDifferent;
    if (left->factor != right->factor) {
      return close_to(x * left->factor, y * right->factor, 1e-3) ? Verdict::kSame : Verdict::kDifferent;
    }
  }
  const bool named = left == nullptr || right == nullptr;
  if (named && !a.unit.empty() && !b.unit.empty() && a.unit != b.unit && (a.glued || b.glued))
    return Verdict::kCannotTell;
  const auto near = [&](double p, double q) { return close_to(p, q, options.number_relative_tolerance); };
  if (near(x, y)) return Verdict::kSame;
  if (a.percent != b.percent && (near(a.percent ? x / 100 : x, b.percent ? y / 100 : y)))
    return Verdict::kSame;
  const bool whole_side = (a.significant != 0 && a.decimals <= 0) || (b.significant != 0 && b.decimals <= 0);
  // A fraction is exact, so the decimal side is the rounded one.
  const bool a_shorter = b.significant == 0 || (a.significant != 0 && a.decimals <= b.decimals);
  const auto& shorter = a_shorter ? a : b;
  const double exact = a_shorter ? y : x;
  if (shorter.significant != 0 && (shorter.decimals > 0 || whole_side)) {
    const double unit_in_last_place = std::pow(10.0, std::clamp(-shorter.decimals, -300, 300));
    if (std::abs(exact - shorter.value) <= 0.5000001 * unit_in_last_place) {
      return shorter.significant >= 3 && shorter.decimals > 0 ? Verdict::kSame : Verdict::kCannotTell;
    }
  }
  return Verdict::kDifferent;
}

// ---- text
std::string without_lead_in(const std::string& normalised) {
  for (std::string_view lead :
       {"final answer is ", "correct answer is ", "answer is ", "it is ", "it's ", "that is ",
        "that would be ", "final answer ", "answer ", "he is ", "she is ", "they are ", "this is "}) {
    if (normalised.compare(0, lead.size(), lead) == 0) return normalised.substr(lead.size());
  }
  return normalised;
}

std::vector<std::string> words_of(const std::string& normalised) {
  std::vector<std::string> out;
  for (const auto& token : scan::tokens(normalised)) out.push_back(token.lower);
  return out;
}

bool negated(const std::vector<std::string>& words) {
  int count = 0;
  for (const auto& word : words) {
    count += one_of(word, {"not", "no", "never", "cannot", "none", "neither", "without"}) ||
             (word.size() > 3 && word.compare(word.size() - 3, 3, "n't") == 0);
  }
  return count % 2 != 0;
}

bool is_acronym(const std::vector<std::string>& brief, const std::vector<std::string>& full) {
  if (full.size() < 2) return false;
  std::string initials;
  for (const auto& word : full) initials += word[0];
  std::string joined;
  for (const auto& word : brief) joined += word;
  std::string important;
  for (const auto& word : full) {
    if (!one_of(word, {"of", "and", "for", "in"})) important += word[0];
  }
  return joined == initials || joined == important;
}

bool similar_words(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const std::size_t stem = std::min(a.size(), b.size());
  return stem >= 4 &&
         a.compare(0, std::max<std::size_t>(4, stem - 2), b, 0, std::max<std::size_t>(4, stem - 2)) == 0;
}

/// What is left of "the capital of France is Paris": the part behind the last "is" of a short sentence.
std::string complement(const std::string& normalised) {
  for (std::string_view link : {" is ", " was ", " are ", " were "}) {
    const auto at = normalised.rfind(link);
    if (at != std::string::npos) return normalised.substr(at + link.size());
  }
  return normalised;
}

AnswerComparison compare_short(const std::string& first_text, const std::string& second_text,
                               const CompareOptions& options) {
  const auto first = without_lead_in(first_text);
  const auto second = without_lead_in(second_text);
  if (first == second) return verdict(Verdict::kSame, "text", "equal");
  const auto a = words_of(first);
  const auto b = words_of(second);
  const std::size_t long_max = options.short_words_max * 3;
  if (a.size() > long_max || b.size() > long_max) return unknown("no_core", "text");
  if (negated(a) != negated(b)) return unknown("negation", "text");
  const auto core_a = words_of(complement(first));
  const auto core_b = words_of(complement(second));
  if (!core_a.empty() && core_a == core_b) return verdict(Verdict::kSame, "text", "equal_core");
  if (core_a.size() <= 2 || core_b.size() <= 2) {
    // "Paris" and "Paris, France": the shorter core opens the longer one.
    const auto& brief = core_a.size() <= core_b.size() ? core_a : core_b;
    const auto& full = core_a.size() <= core_b.size() ? core_b : core_a;
    if (!brief.empty() && full.size() <= 4 && std::equal(brief.begin(), brief.end(), full.begin())) {
      return unknown("contained", "text");
    }
  }
  if (core_a.size() > options.short_words_max || core_b.size() > options.short_words_max)
    return unknown("no_core", "text");
  if (is_acronym(core_a, core_b) || is_acronym(core_b, core_a)) return unknown("acronym", "text");
  for (const auto& x : core_a) {
    for (const auto& y : core_b) {
      if (similar_words(x, y)) return unknown("overlap", "text");
    }
  }
  if (core_a.size() > 4 || core_b.size() > 4 || core_a.empty() || core_b.empty())
    return unknown("no_core", "text");
  return verdict(Verdict::kDifferent, "text", "unequal");
}

/// A date, a time of day, a version, a hexadecimal number: one word whose every character counts.
bool code_like(std::string_view text) {
  text = scan::trim(text);
  while (!text.empty() && one_of(text.substr(text.size() - 1), {".", "*", "`"})) text.remove_suffix(1);
  while (!text.empty() && one_of(text.substr(0, 1), {"*", "`"})) text.remove_prefix(1);
  if (text.size() < 3 || scan::word_count(text) != 1) return false;
  std::size_t digits = 0, separators = 0, letters = 0;
  for (const char c : text) {
    digits += c >= '0' && c <= '9';
    separators += c == ':' || c == '-' || c == '/' || c == '.' || c == '_';
    letters += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  }
  const bool number = letters == 0 && separators <= 1 && text.find(':') == std::string_view::npos;
  return digits > 0 && digits + separators + letters == text.size() && !number;
}

std::multiset<double> numbers_of(std::string_view text) {
  std::multiset<double> out;
  for (const auto& number : numbers_in(text)) out.insert(number.value);
  return out;
}

AnswerComparison compare_embedding(std::string_view first, std::string_view second, double similarity,
                                   const CompareOptions& options) {
  AnswerComparison out = unknown("between_thresholds", "embedding");
  out.similarity = similarity;
  if (!(similarity >= -1.001 && similarity <= 1.001)) {
    out.why = "bad_similarity";
  } else if (similarity >= options.embedding_same) {
    const bool numbers = numbers_of(first) == numbers_of(second);
    const bool polarity =
        negated(words_of(normalised_text(first))) == negated(words_of(normalised_text(second)));
    if (numbers && polarity) {
      out.verdict = Verdict::kSame;
      out.why = "similar";
    } else {
      out.why = numbers ? "negation" : "numbers_differ";
    }
  } else if (similarity <= options.embedding_different) {
    out.verdict = Verdict::kDifferent;
    out.why = "dissimilar";
  }
  return out;
}

bool cut(const Answer& answer) {
  return one_of(answer.finish_reason, {"length", "content_filter", "max_tokens"});
}

bool announces_answer(std::string_view text) {
  const auto lower = scan::lower_ascii(text.substr(text.size() - std::min(text.size(), kCoreBytesMax)));
  return lower.find("answer is") != std::string::npos || lower.find("answer:") != std::string::npos ||
         lower.find("\\boxed{") != std::string::npos;
}

bool usable(Extraction how) {
  return how == Extraction::kStated || how == Extraction::kLoose;
}

/// Everything up to and without the embedding; method "none" or "text" with kCannotTell when an embedding
/// could help.
AnswerComparison compare_exactly(const Answer& first, const Answer& second, const CompareContext& context,
                                 const CompareOptions& options, bool& free_text) {
  free_text = false;
  if (!first.tool_calls.empty() || !second.tool_calls.empty()) {
    if (cut(first) || cut(second)) return unknown("cut", "tool_call");
    if (first.tool_calls.empty() != second.tool_calls.empty()) {
      return verdict(Verdict::kDifferent, "tool_call", "one_sided");
    }
    return same_if(same_tool_calls(first.tool_calls, second.tool_calls, options), "tool_call");
  }
  const auto a = scan::trim(first.text);
  const auto b = scan::trim(second.text);
  if (a.empty() || b.empty()) return unknown("empty");
  if (looks_like_refusal(a) || looks_like_refusal(b)) return unknown("refused");
  const bool any_cut = cut(first) || cut(second);

  if (!any_cut) {
    const auto x = parse_json(json_part(a));
    const auto y = parse_json(json_part(b));
    if (x && y) {
      const auto found = compare_json(*x, *y, options);
      return found == Verdict::kCannotTell ? unknown("prose_differs", "json")
                                           : same_if(found == Verdict::kSame, "json");
    }
    if (context.has_response_format && (x || y)) return verdict(Verdict::kDifferent, "json", "one_sided");
  }

  const auto options_of_question = find_options(context.question);
  const auto kind = question_kind(context.question);
  // Without the options in the question, two answers that are nothing but a letter still are choices.
  const bool bare_letters = scan::word_count(a) == 1 && scan::word_count(b) == 1;
  // So do answers that both announce one: the options may stand in an image or an earlier message.
  const bool announced = kind == QuestionKind::kOpen && announces_answer(a) && announces_answer(b);
  if (kind == QuestionKind::kChoice || bare_letters || announced) {
    const auto x = extract_choice(a, options_of_question);
    const auto y = extract_choice(b, options_of_question);
    const bool have_x = usable(x.how);
    const bool have_y = usable(y.how);
    if (any_cut) {
      const bool stated = x.how == Extraction::kStated && y.how == Extraction::kStated;
      if (!stated && !announced) return unknown("cut", "choice");
    }
    const bool both_stated = x.how == Extraction::kStated && y.how == Extraction::kStated;
    if (have_x && have_y && (kind == QuestionKind::kChoice || both_stated)) {
      return same_if(x.letters == y.letters, "choice");
    }
    if (kind == QuestionKind::kChoice) {
      if (x.how == Extraction::kAmbiguous || y.how == Extraction::kAmbiguous)
        return unknown("ambiguous", "choice");
      if (have_x != have_y) return verdict(Verdict::kDifferent, "choice", "one_sided");
      // No letter on both sides is never "same", not even for equal texts.
      return unknown("no_choice", "choice");
    }
  }

  if (kind == QuestionKind::kYesNo || (scan::word_count(a) <= 2 && scan::word_count(b) <= 2)) {
    const auto x = extract_yes_no(a);
    const auto y = extract_yes_no(b);
    if (x.how == Extraction::kStated && y.how == Extraction::kStated)
      return same_if(x.value == y.value, "yes_no");
    if (x.how == Extraction::kAmbiguous || y.how == Extraction::kAmbiguous)
      return unknown("ambiguous", "yes_no");
  }
  if (any_cut) return unknown("cut");

  const auto text_a = normalised_text(a);
  const auto text_b = normalised_text(b);
  if (text_a == text_b && !text_a.empty()) return verdict(Verdict::kSame, "text", "equal");

  {
    const auto x = extract_number(a);
    const auto y = extract_number(b);
    const bool stated = x.how == Extraction::kStated && y.how == Extraction::kStated;
    const bool asked = kind == QuestionKind::kNumber;
    const bool brief = scan::word_count(a) <= 12 && scan::word_count(b) <= 12;
    // A side that is nothing but a number shows that a number was asked for.
    const bool bare = scan::word_count(a) <= 2 || scan::word_count(b) <= 2;
    const bool codes = code_like(a) || code_like(b);
    if ((stated && !codes && (asked || brief || bare)) || (asked && usable(x.how) && usable(y.how))) {
      const auto found = same_number(x, y, options);
      return found == Verdict::kCannotTell ? unknown("rounding", "number")
                                           : same_if(found == Verdict::kSame, "number");
    }
    if (asked && (x.how == Extraction::kAmbiguous || y.how == Extraction::kAmbiguous))
      return unknown("ambiguous", "number");
  }

  if (code_like(a) && code_like(b)) return verdict(Verdict::kDifferent, "text", "unequal");
  free_text = true;
  return compare_short(text_a, text_b, options);
}

}  // namespace

CompareContext compare_context(const ChatRequest& request) {
  CompareContext context;
  context.question = request.last_user_text();
  context.has_response_format = request.has_response_format;
  return context;
}

AnswerComparison compare_answers(const Answer& first, const Answer& second, const CompareContext& context,
                                 const CompareOptions& options) {
  bool free_text = false;
  auto found = compare_exactly(first, second, context, options, free_text);
  if (found.verdict != Verdict::kCannotTell || !free_text || !context.embedding_similarity) return found;
  return compare_embedding(first.text, second.text, *context.embedding_similarity, options);
}

bool wants_embedding(const Answer& first, const Answer& second, const CompareContext& context,
                     const CompareOptions& options) {
  bool free_text = false;
  const auto found = compare_exactly(first, second, context, options, free_text);
  return found.verdict == Verdict::kCannotTell && free_text;
}

}  // namespace brevet
