#include "router/answer_signals.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <map>

#include "compare/answer_core.h"
#include "compare/compare.h"

namespace brevet {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t kEndBytes = 16 * 1024;
constexpr std::size_t kChecksMax = 16;

float& at(AnswerSignals& signals, Signal signal) {
  return signals[static_cast<std::size_t>(signal)];
}

/// Head and tail of a long text.
std::string bounded(std::string_view text) {
  if (text.size() <= 2 * kEndBytes) return std::string(text);
  return std::string(text.substr(0, kEndBytes)) + std::string(text.substr(text.size() - kEndBytes));
}

float stated_by(Extraction how) {
  return how == Extraction::kStated ? 1.0F : how == Extraction::kLoose ? .5F : 0.0F;
}

float stated_in(const std::string& text, std::string_view question, bool json_asked) {
  if (json_asked) return json_part(text).empty() ? 0.0F : 1.0F;
  switch (question_kind(question)) {
    case QuestionKind::kChoice:
      return stated_by(extract_choice(text, find_options(question)).how);
    case QuestionKind::kNumber:
      return stated_by(extract_number(text).how);
    case QuestionKind::kYesNo:
      return stated_by(extract_yes_no(text).how);
    case QuestionKind::kOpen:
      break;
  }
  return text.empty() ? 0.0F : 1.0F;
}

float hedges_in(std::string_view text) {
  static constexpr std::string_view kHedges[] = {"maybe",   "perhaps", "possibly", "probably", "unsure",
                                                 "unclear", "assume",  "assuming", "guess",    "might",
                                                 "however", "unknown", "cannot",   "wait",     "uncertain"};
  std::size_t words = 0, hedges = 0;
  std::string word;
  const auto end_word = [&] {
    if (word.empty()) return;
    ++words;
    hedges += std::find(std::begin(kHedges), std::end(kHedges), word) != std::end(kHedges) ? 1 : 0;
    word.clear();
  };
  for (const char c : text) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper || (c >= 'a' && c <= 'z')) {
      word += upper ? static_cast<char>(c - 'A' + 'a') : c;
    } else {
      end_word();
    }
  }
  end_word();
  return words == 0 ? 0.0F : -100.0F * static_cast<float>(hedges) / static_cast<float>(words);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

template <class Call>
void for_each_part(std::string_view text, char separator, const Call& call) {
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (const auto part = trimmed(text.substr(0, end)); !part.empty()) call(part);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace

const char* name_of(Signal signal) {
  static constexpr const char* kNames[kSignals] = {"mean_logprob", "min_logprob", "agreement", "entropy",
                                                   "self_check",   "stated",      "finished",  "declines",
                                                   "length",       "digits",      "hedges"};
  return kNames[static_cast<std::size_t>(signal)];
}

AnswerSignals unknown_signals() {
  AnswerSignals out{};
  out.fill(kUnknown);
  return out;
}

AnswerSignals signals_of(const Answer& answer, std::string_view question, bool json_asked) {
  auto out = unknown_signals();
  if (answer.mean_logprob) at(out, Signal::kMeanLogprob) = static_cast<float>(*answer.mean_logprob);
  if (answer.min_logprob) at(out, Signal::kMinLogprob) = static_cast<float>(*answer.min_logprob);
  const auto text = bounded(answer.text);
  at(out, Signal::kStated) = stated_in(text, question, json_asked);
  at(out, Signal::kFinished) =
      answer.finish_reason == "length" || answer.finish_reason == "content_filter" ? 0.0F : 1.0F;
  at(out, Signal::kDeclines) = looks_like_refusal(text) ? 0.0F : 1.0F;
  at(out, Signal::kLength) = std::log1p(static_cast<float>(answer.text.size()));
  const auto digits = std::count_if(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  at(out, Signal::kDigits) =
      text.empty() ? 0.0F : static_cast<float>(digits) / static_cast<float>(text.size());
  at(out, Signal::kHedges) = hedges_in(text);
  return out;
}

float agreement_of(const Answer& first, const Answer& second, std::string_view question, bool json_asked) {
  CompareContext context;
  context.question = question;
  context.has_response_format = json_asked;
  switch (compare_answers(first, second, context).verdict) {
    case Verdict::kSame:
      return 1;
    case Verdict::kDifferent:
      return 0;
    case Verdict::kCannotTell:
      break;
  }
  return kUnknown;
}

std::vector<std::size_t> meanings_of(std::span<const Answer> samples, std::string_view question,
                                     bool json_asked) {
  std::vector<std::size_t> out, first;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    std::size_t group = first.size();
    for (std::size_t g = 0; g < first.size() && group == first.size(); ++g) {
      if (agreement_of(samples[first[g]], samples[i], question, json_asked) == 1) group = g;
    }
    if (group == first.size()) first.push_back(i);
    out.push_back(group);
  }
  return out;
}

std::optional<SampleSignals> sample_signals(const std::vector<std::size_t>& groups) {
  if (groups.empty()) return std::nullopt;
  std::map<std::size_t, std::pair<std::size_t, std::size_t>> counts;  // group -> members, first member
  for (std::size_t i = 0; i < groups.size(); ++i) {
    auto& [count, first] = counts.try_emplace(groups[i], 0, i).first->second;
    ++count;
  }
  SampleSignals out;
  std::size_t largest = 0;
  double entropy = 0;
  for (const auto& [group, members] : counts) {
    const double share = static_cast<double>(members.first) / static_cast<double>(groups.size());
    entropy += share * std::log(share);
    if (members.first > largest || (members.first == largest && members.second < out.leader)) {
      largest = members.first;
      out.leader = members.second;
    }
  }
  out.agreement = static_cast<float>(largest) / static_cast<float>(groups.size());
  out.entropy = static_cast<float>(entropy);
  return out;
}

Result<AnswerChecks> AnswerChecks::parse(std::string_view text) {
  AnswerChecks out;
  std::string wrong;
  for_each_part(text, ';', [&](std::string_view part) {
    const auto sign = part.find('=');
    const auto name = trimmed(part.substr(0, sign));
    const auto value = sign == std::string_view::npos ? std::string_view{} : trimmed(part.substr(sign + 1));
    Check check;
    check.text = value;
    bool takes_value = true;
    if (name == "json" || name == "number" || name == "choice") {
      takes_value = false;
      check.kind = name == "json" ? Kind::kJson : name == "number" ? Kind::kNumber : Kind::kChoice;
    } else if (name == "keys") {
      check.kind = Kind::kKeys;
    } else if (name == "contains") {
      check.kind = Kind::kContains;
    } else if (name == "lacks") {
      check.kind = Kind::kLacks;
    } else if (name == "max_chars") {
      check.kind = Kind::kMaxChars;
      const auto read = std::from_chars(value.data(), value.data() + value.size(), check.number);
      if (read.ec != std::errc{} || read.ptr != value.data() + value.size()) wrong = part;
    } else {
      wrong = part;
    }
    if (takes_value == value.empty()) wrong = part;
    if (out.checks_.size() < kChecksMax) {
      out.checks_.push_back(std::move(check));
    } else {
      wrong = part;
    }
  });
  if (!wrong.empty()) {
    return fail(ErrorKind::kCallerInvalid, "bad_option",
                fmt::format("'{}' is no check of an answer. Known are json, keys=A,B, number, choice, "
                            "max_chars=N, contains=TEXT and lacks=TEXT, at most {}, with ';' between them.",
                            wrong, kChecksMax),
                "checks");
  }
  return out;
}

std::optional<std::string> AnswerChecks::failed_by(const Answer& answer, std::string_view question) const {
  for (const auto& check : checks_) {
    switch (check.kind) {
      case Kind::kJson:
        if (json_part(answer.text).empty()) return "it is not JSON";
        break;
      case Kind::kKeys: {
        const auto json = json_part(answer.text);
        std::string missing;
        for_each_part(check.text, ',', [&](std::string_view key) {
          if (json.find(fmt::format("\"{}\"", key)) == std::string_view::npos) missing = key;
        });
        if (!missing.empty()) return fmt::format("it has no '{}'", missing);
        break;
      }
      case Kind::kNumber:
        if (stated_by(extract_number(answer.text).how) == 0) return "it states no number";
        break;
      case Kind::kChoice:
        if (stated_by(extract_choice(answer.text, find_options(question)).how) == 0)
          return "it chooses no option";
        break;
      case Kind::kMaxChars:
        if (answer.text.size() > check.number)
          return fmt::format("it has {} bytes, allowed {}", answer.text.size(), check.number);
        break;
      case Kind::kContains:
        if (answer.text.find(check.text) == std::string::npos)
          return fmt::format("it lacks '{}'", check.text);
        break;
      case Kind::kLacks:
        if (answer.text.find(check.text) != std::string::npos)
          return fmt::format("it contains '{}'", check.text);
        break;
    }
  }
  return std::nullopt;
}

}  // namespace brevet
