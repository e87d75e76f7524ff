#include "upstream/simulated_questions.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "upstream/question_families.h"

namespace brevet {
namespace {

constexpr std::size_t kRequestsMax = 1'000'000;
constexpr int kAttemptsMax = 40;       ///< for a question whose text does not exist yet
constexpr std::size_t kLinesMax = 80;  ///< of a text in which a question is looked for

enum class Form { kPlain, kLettered, kJson };

const std::vector<std::string> kOpeners = {"",
                                           "",
                                           "",
                                           "Please help me with this. ",
                                           "Quick question: ",
                                           "For a quiz: ",
                                           "I need this for a report. ",
                                           "Hello! "};
const std::vector<std::string> kPlainClosings = {"", "", "\nGive only the result.",
                                                 "\nExplain briefly, then give the result.",
                                                 "\nState the result at the end."};
const std::vector<std::string> kLetterClosings = {"\nAnswer with the letter.", "\nWhich option is right?",
                                                  "\nReply with the letter of the right option."};
const std::vector<std::string> kJsonClosings = {"\nReply with JSON only: {\"answer\": ...}",
                                                "\nReturn a JSON object with the single key \"answer\"."};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto begin = text.find_first_not_of(kSpace);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

Form choose_form(QuestionDraws& draws, AnswerKind kind) {
  const double u = draws.uniform();
  const double plain = kind == AnswerKind::kText ? 0.65 : 0.55;
  if (u < plain) return Form::kPlain;
  return u < plain + (1 - plain) * 0.7 ? Form::kLettered : Form::kJson;
}

SimulatedQuestion make_question(std::uint64_t key, std::size_t number) {
  QuestionDraws draws(key);
  const auto& recipes = family_recipes();
  SimulatedQuestion out;
  out.number = number;
  out.family = static_cast<int>(draws.between(0, static_cast<std::int64_t>(recipes.size()) - 1));
  const double level = draws.uniform();
  out.size = 2 * level - 1;
  auto draft = recipes[static_cast<std::size_t>(out.family)].make(draws, level);
  std::vector<std::string> wrongs;
  for (auto& wrong : draft.wrongs) {
    if (!wrong.empty() && wrong != draft.answer &&
        std::find(wrongs.begin(), wrongs.end(), wrong) == wrongs.end()) {
      wrongs.push_back(std::move(wrong));
    }
  }
  if (wrongs.empty()) wrongs.push_back(draft.answer + "x");
  const auto form = choose_form(draws, draft.kind);
  out.kind = draft.kind;
  out.answer = draft.answer;
  // The most tempting slip is the usual one, but not always.
  std::size_t first =
      draws.uniform() < 0.7
          ? 0
          : static_cast<std::size_t>(draws.between(0, static_cast<std::int64_t>(wrongs.size()) - 1));
  std::size_t second = (first + 1) % wrongs.size();
  out.wrong = wrongs[first];
  out.wrong2 = wrongs[second];
  std::string options;
  const std::vector<std::string>* closings = &kPlainClosings;
  if (form == Form::kLettered) {
    const auto count = std::min<std::size_t>(wrongs.size() + 1, draws.between(0, 3) == 0 ? 5 : 4);
    std::vector<std::string> list(wrongs.begin(), wrongs.begin() + static_cast<std::ptrdiff_t>(count - 1));
    first = std::min(first, count - 2);
    second = (first + 1) % (count - 1);
    out.wrong = list[first];
    out.wrong2 = list[second];
    list.push_back(out.answer);
    for (std::size_t i = list.size(); i > 1; --i) {
      std::swap(list[i - 1],
                list[static_cast<std::size_t>(draws.between(0, static_cast<std::int64_t>(i) - 1))]);
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      options += "\n" + std::string(1, static_cast<char>('A' + i)) + ". " + list[i];
    }
    auto letter = [&](const std::string& text) {
      return std::string(1,
                         static_cast<char>('A' + (std::find(list.begin(), list.end(), text) - list.begin())));
    };
    out.kind = AnswerKind::kChoice;
    out.answer = letter(out.answer);
    out.wrong = letter(out.wrong);
    out.wrong2 = letter(out.wrong2);
    closings = &kLetterClosings;
  } else if (form == Form::kJson) {
    for (auto* text : {&out.answer, &out.wrong, &out.wrong2}) {
      *text =
          "{\"answer\": " +
          (draft.kind == AnswerKind::kNumber ? *text : boost::json::serialize(boost::json::string(*text))) +
          "}";
    }
    out.kind = AnswerKind::kJson;
    closings = &kJsonClosings;
  }
  const auto wording =
      static_cast<std::size_t>(draws.between(0, static_cast<std::int64_t>(draft.wordings.size()) - 1));
  out.text = draws.pick(kOpeners) + draft.wordings[wording] + options + draws.pick(*closings);
  out.reworded = draws.pick(kOpeners) + draft.wordings[(wording + 1) % draft.wordings.size()] + options +
                 draws.pick(*closings);
  return out;
}

class QuestionSet : public SimulatedQuestions {
 public:
  explicit QuestionSet(const QuestionOptions& options) {
    const auto requests = std::min(options.requests, kRequestsMax);
    std::vector<std::uint8_t> asked;  // per question: bit 0 as first worded, bit 1 reworded
    for (std::size_t i = 0; i < requests; ++i) {
      QuestionDraws draws(mix_bits(options.seed ^ 0x73747265616dull, i));
      const double u = draws.uniform();
      QuestionRequest request;
      if (i > 0 && u < options.repeat_share + options.reworded_share) {
        request = stream_[static_cast<std::size_t>(draws.between(0, static_cast<std::int64_t>(i) - 1))];
        if (u >= options.repeat_share) request.reworded = !request.reworded;
      } else {
        add_question(options.seed);
        request.question = questions_.size() - 1;
        asked.push_back(0);
      }
      auto& seen = asked[request.question];
      const auto bit = static_cast<std::uint8_t>(request.reworded ? 2 : 1);
      request.repeat = (seen & bit) != 0;
      seen = static_cast<std::uint8_t>(seen | bit);
      stream_.push_back(request);
    }
  }

  const std::vector<SimulatedQuestion>& questions() const override { return questions_; }
  const std::vector<QuestionRequest>& stream() const override { return stream_; }
  std::string_view text(std::size_t request) const override {
    const auto& item = stream_[request];
    const auto& question = questions_[item.question];
    return item.reworded ? question.reworded : question.text;
  }

  const SimulatedQuestion* find(std::string_view text, std::string* rest) const override {
    text = trimmed(text);
    if (const auto* question = exact(text)) {
      if (rest) rest->clear();
      return question;
    }
    // Ends of lines are the only places where a transform's text can meet the question's.
    std::vector<std::size_t> begins = {0}, ends;
    for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1)) {
      ends.push_back(at);
      begins.push_back(at + 1);
    }
    ends.push_back(text.size());
    if (begins.size() > kLinesMax) return nullptr;
    const SimulatedQuestion* best = nullptr;
    std::size_t from = 0, to = 0;
    for (std::size_t b = 0; b < begins.size(); ++b) {
      for (std::size_t e = ends.size(); e-- > b;) {
        if (ends[e] - begins[b] <= to - from) break;  // the longest wins, so shorter ones need no look
        const auto* question = exact(trimmed(text.substr(begins[b], ends[e] - begins[b])));
        if (question) best = question, from = begins[b], to = ends[e];
      }
    }
    if (best && rest) *rest = std::string(text.substr(0, from)) + std::string(text.substr(to));
    return best;
  }

 private:
  void add_question(std::uint64_t seed) {
    const auto number = questions_.size();
    for (int attempt = 0;; ++attempt) {
      auto question =
          make_question(mix_bits(mix_bits(seed, number), static_cast<std::uint64_t>(attempt)), number);
      const auto first = hash_bytes(trimmed(question.text)), second = hash_bytes(trimmed(question.reworded));
      if (attempt < kAttemptsMax &&
          (first == second || by_text_.contains(first) || by_text_.contains(second)))
        continue;
      by_text_.try_emplace(first, number);
      by_text_.try_emplace(second, number);
      questions_.push_back(std::move(question));
      return;
    }
  }
  const SimulatedQuestion* exact(std::string_view text) const {
    const auto found = by_text_.find(hash_bytes(text));
    if (found == by_text_.end()) return nullptr;
    const auto& question = questions_[found->second];
    return trimmed(question.text) == text || trimmed(question.reworded) == text ? &question : nullptr;
  }

  std::vector<SimulatedQuestion> questions_;
  std::vector<QuestionRequest> stream_;
  std::unordered_map<std::uint64_t, std::size_t> by_text_;
};

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

/// What follows the last phrase that announces an answer; the whole text without one.
std::string_view stated(std::string_view text) {
  const std::string folded = lower(text);
  std::size_t best = 0;
  for (const std::string_view phrase : {"answer is", "answer:", "result is", "result:"}) {
    const auto at = folded.rfind(phrase);
    if (at != std::string::npos) best = std::max(best, at + phrase.size());
  }
  return trimmed(text.substr(best));
}

std::optional<double> number_at(std::string_view text, std::size_t at) {
  std::string digits;
  if (at > 0 && text[at - 1] == '-') digits += '-';
  for (; at < text.size(); ++at) {
    const char c = text[at];
    const bool digit_follows = at + 1 < text.size() && text[at + 1] >= '0' && text[at + 1] <= '9';
    if (c >= '0' && c <= '9') {
      digits += c;
    } else if (c == '.' && digit_follows) {
      digits += c;
    } else if (!(c == ',' && digit_follows)) {
      break;
    }
  }
  char* end = nullptr;
  const double value = std::strtod(digits.c_str(), &end);
  return end && *end == '\0' ? std::optional(value) : std::nullopt;
}

std::optional<double> find_number(std::string_view text, bool first) {
  constexpr std::string_view kDigits = "0123456789";
  auto at = first ? text.find_first_of(kDigits) : text.find_last_of(kDigits);
  if (at == std::string_view::npos) return std::nullopt;
  if (!first) {
    while (at > 0 && (kDigits.find(text[at - 1]) != std::string_view::npos || text[at - 1] == '.' ||
                      text[at - 1] == ','))
      --at;
    at = text.find_first_of(kDigits, at);
  }
  return number_at(text, at);
}

char find_letter(std::string_view text) {
  auto letter_or_digit = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] < 'A' || text[i] > 'Z') continue;
    if (i > 0 && (letter_or_digit(text[i - 1]) || text[i - 1] == '\'')) continue;
    if (i + 1 < text.size() && (letter_or_digit(text[i + 1]) || text[i + 1] == '\'')) continue;
    return text[i];
  }
  return 0;
}

std::string bare(std::string_view text) {
  std::string out;
  for (const char c : lower(text)) {
    if (std::string_view(" \t\r\n\"'`*.!").find(c) == std::string_view::npos) out += c;
  }
  return out;
}

boost::json::value json_in(std::string_view text) {
  const auto from = text.find('{'), to = text.rfind('}');
  if (from == std::string_view::npos || to == std::string_view::npos || to < from) return nullptr;
  boost::system::error_code error;
  auto value = boost::json::parse(text.substr(from, to - from + 1), error);
  return error ? boost::json::value{} : value;
}

}  // namespace

const char* name_of(AnswerKind kind) {
  switch (kind) {
    case AnswerKind::kNumber:
      return "number";
    case AnswerKind::kChoice:
      return "choice";
    case AnswerKind::kText:
      return "text";
    case AnswerKind::kJson:
      return "json";
  }
  return "text";
}

const std::vector<QuestionFamily>& question_families() {
  static const std::vector<QuestionFamily> kFamilies = [] {
    std::vector<QuestionFamily> out;
    for (const auto& recipe : family_recipes()) out.push_back(recipe.family);
    return out;
  }();
  return kFamilies;
}

std::shared_ptr<const SimulatedQuestions> SimulatedQuestions::generate(const QuestionOptions& options) {
  return std::make_shared<const QuestionSet>(options);
}

bool answer_is_right(const SimulatedQuestion& question, std::string_view text) {
  const auto answer = stated(text);
  switch (question.kind) {
    case AnswerKind::kNumber: {
      const auto wanted = find_number(question.answer, true);
      auto given = find_number(answer, answer.size() < text.size());
      if (!given) given = find_number(text, false);
      return wanted && given && std::abs(*wanted - *given) <= 1e-9 * std::max(1.0, std::abs(*wanted));
    }
    case AnswerKind::kChoice:
      return find_letter(answer) == question.answer[0];
    case AnswerKind::kText:
      return bare(answer) == bare(question.answer);
    case AnswerKind::kJson: {
      const auto given = json_in(text);
      return given.is_object() && given == json_in(question.answer);
    }
  }
  return false;
}

}  // namespace brevet
