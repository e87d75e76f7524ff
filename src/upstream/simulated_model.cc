#include "upstream/simulated_model.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string>

#include "base/random.h"
#include "domain/markers.h"
#include "upstream/played_model.h"

namespace brevet {
namespace {

/// Keys that keep the draws of one world apart.
enum class Draw : std::uint64_t {
  kTopic = 1,
  kHidden,
  kOwn,
  kPrompt,
  kWhich,
  kStyle,
  kLogprob,
  kLatency,
  kLeak,
  kFlip,
  kBias,
  kPrefer,
  kGrade,
  kUnrelated,
  kOtherFamily,
  kSample
};

/// A text around a question that is shorter says nothing that could help or disturb.
constexpr std::size_t kHelpBytesMin = 24;

/// The order of a verdict's text: first, second, tie.
enum class Word { kFirst, kSecond, kTie };

std::uint64_t key(std::uint64_t seed, Draw what, std::uint64_t a, std::uint64_t b = 0) {
  return mix_bits(mix_bits(mix_bits(seed, static_cast<std::uint64_t>(what)), a), b);
}
double uniform(std::uint64_t bits) {
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1.0p-53;
}
double normal(std::uint64_t bits) {
  return std::sqrt(-2 * std::log(uniform(bits))) *
         std::cos(2 * std::numbers::pi * uniform(mix_bits(bits, 1)));
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n") - begin + 1);
}

/// The text between a first line and the next line equal to it (a fence), or all of it without one.
std::string fenced(std::string_view block) {
  block = trimmed(block);
  const auto end = block.find('\n');
  if (end == std::string_view::npos) return std::string(block);
  const auto fence = trimmed(block.substr(0, end));
  const auto close = block.find("\n" + std::string(fence), end);
  if (close == std::string_view::npos) return std::string(block);
  return std::string(trimmed(block.substr(end, close - end)));
}

/// Both answers of a judge's prompt: each stands after a line that ends in "Answer A" or "Answer B", with or
/// without a colon, inside a fence.
std::optional<std::pair<std::string, std::string>> judged_answers(std::string_view prompt) {
  const std::string folded = lower(prompt);
  auto after_heading = [&](const char* heading, std::size_t from) {
    for (auto at = folded.find(heading, from); at != std::string::npos; at = folded.find(heading, at + 1)) {
      const auto end = folded.find('\n', at);
      if (end == std::string::npos) return std::string::npos;
      if (end - at <= std::string_view(heading).size() + 1) return end + 1;
    }
    return std::string::npos;
  };
  const auto first = after_heading("answer a", 0);
  if (first == std::string::npos) return std::nullopt;
  const auto second = after_heading("answer b", first);
  if (second == std::string::npos) return std::nullopt;
  const auto heading = folded.rfind("answer b", second - 1);
  return std::pair(fenced(prompt.substr(first, heading - first)), fenced(prompt.substr(second)));
}

class World final : public SimulatedWorld {
 public:
  explicit World(SimulationProfile profile)
      : profile_(std::move(profile)), questions_(SimulatedQuestions::generate(profile_.questions)) {
    const auto families = question_families().size();
    double mean = 0, square = 0;
    for (std::size_t i = 0; i < families; ++i) {
      topics_.push_back(normal(key(profile_.questions.seed, Draw::kTopic, i)));
      mean += topics_.back() / static_cast<double>(families);
    }
    for (double& topic : topics_) {
      topic -= mean;
      square += topic * topic / static_cast<double>(families);
    }
    // Standardised, so that the declared loading is the spread of the families there are.
    for (double& topic : topics_) topic /= std::sqrt(square);
  }
  const SimulationProfile& profile() const override { return profile_; }
  const SimulatedQuestions& questions() const override { return *questions_; }
  using SimulatedWorld::right;
  bool right(const SimulatedModelProfile& model, const SimulatedQuestion& question, Help help,
             std::uint64_t prompt_hash, Asked asked) const override {
    const auto seed = profile_.questions.seed;
    const auto name = hash_bytes(model.name);
    double own = normal(key(seed, Draw::kOwn, question.number, name));
    if (prompt_hash != 0 && model.guide_redraw > 0) {
      const double other = normal(mix_bits(key(seed, Draw::kPrompt, question.number, name), prompt_hash));
      own = std::sqrt(1 - model.guide_redraw) * own + std::sqrt(model.guide_redraw) * other;
    }
    if (asked.sample != 0 && model.sample_redraw > 0) {
      const double other = normal(mix_bits(key(seed, Draw::kSample, question.number, name), asked.sample));
      own = std::sqrt(1 - model.sample_redraw) * own + std::sqrt(model.sample_redraw) * other;
    }
    const double hidden = normal(key(seed, Draw::kHidden, question.number));
    const double sum =
        model.skill + model.topic_loading * topics_[static_cast<std::size_t>(question.family)] -
        model.size_loading * std::numbers::sqrt3 * question.size + std::sqrt(profile_.shared) * hidden +
        std::sqrt(1 - profile_.shared) * own + (help == Help::kFitting ? model.guide_gain : 0) +
        (asked.reasoning ? model.reasoning_gain : 0);
    return sum > 0;
  }

 private:
  const SimulationProfile profile_;
  const std::shared_ptr<const SimulatedQuestions> questions_;
  std::vector<double> topics_;
};

/// Ends with the family's name, which is how a weak simulated model notices that a guide fits.
std::string guide_about(std::size_t family) {
  const auto& about = question_families()[family];
  return about.method +
         " Go slowly and check the result once more; this is the way for every task of the kind " +
         about.name + ".";
}

/// One of the few whose guides are nearest in length to this family's own and do not name it.
std::size_t other_family(std::size_t family, std::uint64_t draw) {
  constexpr std::size_t kChoices = 4;
  const auto& families = question_families();
  const std::size_t length = guide_about(family).size();
  std::vector<std::pair<std::size_t, std::size_t>> by_distance;
  for (std::size_t other = 0; other < families.size(); ++other) {
    const std::string text = guide_about(other);
    if (other == family || lower(text).find(families[family].name) != std::string::npos) continue;
    by_distance.emplace_back(text.size() > length ? text.size() - length : length - text.size(), other);
  }
  std::sort(by_distance.begin(), by_distance.end());
  return by_distance[draw % std::min(kChoices, by_distance.size())].second;
}

class SimulatedModel final : public PlayedModel {
 public:
  SimulatedModel(std::shared_ptr<const SimulatedWorld> world, const SimulatedModelProfile& model,
                 InjectFaults faults)
      : world_(std::move(world)), model_(model), faults_(faults), name_hash_(hash_bytes(model.name)) {}

  Task<ModelOutcome> call(ModelCall call, StreamSink* sink) override {
    const auto seen = seen_prompt(call);
    PlayedAnswer out;
    auto& answer = out.answer;
    answer = reply(seen);
    answer.returned_model = model_.name;
    answer.finish_reason = "stop";
    answer.usage.input_tokens = static_cast<std::int64_t>(seen.bytes + 3) / 4 + 3;
    answer.usage.output_tokens = std::max<std::int64_t>(1, estimated_tokens(answer.text));
    const auto limit = call.max_tokens                         ? std::optional<std::int64_t>(*call.max_tokens)
                       : call.request && call.messages.empty() ? call.request->max_tokens
                                                               : std::nullopt;
    if (limit && *limit > 0 && *limit < *answer.usage.output_tokens) {
      answer.text.resize(std::min<std::size_t>(answer.text.size(), static_cast<std::size_t>(*limit) * 4));
      answer.usage.output_tokens = *limit;
      answer.finish_reason = "length";
    }
    out.cost = price(answer.usage);
    const auto id = hash_bytes(seen.last_user, hash_bytes(seen.system, name_hash_));
    const double factor = std::exp(model_.latency_spread * normal(key(seed(), Draw::kLatency, id)));
    out.first_token = Microseconds{
        static_cast<std::int64_t>(1000.0 * static_cast<double>(model_.latency.count()) * factor)};
    out.latency = out.first_token + model_.per_token * *answer.usage.output_tokens;
    out.speed = world_->profile().speed;
    out.fingerprint = "simulated";
    out.id = id;
    if (faults_ == InjectFaults::kYes) {
      out.fault = draw_fault(model_.faults, fault_calls_++);
      out.slow_by = model_.faults.slow_by;
    }
    co_return co_await play(std::move(out), std::move(call), sink);
  }
  Cost price(const Usage& usage) const override { return price_usage(model_.price, usage); }
  bool simulated() const override { return true; }

 private:
  std::uint64_t seed() const { return world_->profile().questions.seed; }

  Answer reply(const SeenPrompt& seen) const {
    std::string rest;
    const auto* question = world_->questions().find(seen.last_user, &rest);
    if (seen.system.starts_with(kJudgeMarker)) {
      return judge(question, seen);
    }
    if (seen.system.starts_with(kLabelMarker)) {
      return grade(question);
    }
    if (seen.system.starts_with(kCheckMarker)) {
      return check(question, seen);
    }
    if (seen.system.starts_with(kGuideMarker)) {
      return guide(question);
    }
    Answer answer;
    if (!question) {
      answer.text = "[simulated model " + model_.name + "] I can only pretend: this message of " +
                    std::to_string(seen.last_user.size()) +
                    " bytes is not one of the questions that this made-up world knows the answer to. No real "
                    "model has read it.";
      return answer;
    }
    return answer_to(*question, seen, rest);
  }

  Answer answer_to(const SimulatedQuestion& question, const SeenPrompt& seen, const std::string& rest) const {
    const std::string around = lower(seen.system + rest);
    auto help = SimulatedWorld::Help::kNone;
    std::uint64_t prompt_hash = 0;
    if (around.size() >= kHelpBytesMin) {
      const auto& family = question_families()[static_cast<std::size_t>(question.family)];
      help = around.find(family.name) != std::string::npos ? SimulatedWorld::Help::kFitting
                                                           : SimulatedWorld::Help::kUnrelated;
      prompt_hash = hash_bytes(around) | 1;
    }
    if (seen.last_user.find(question.reworded) != std::string::npos)
      prompt_hash = mix_bits(prompt_hash, 2) | 1;
    const SimulatedWorld::Asked asked{seen.last_user.find(kFinalAnswerMark) != std::string::npos,
                                      seen.sample};
    const bool right = world_->right(model_, question, help, prompt_hash, asked);
    const auto which = key(seed(), Draw::kWhich, question.number, name_hash_);
    const bool usual = uniform(seen.sample == 0 ? which : mix_bits(which, seen.sample)) < 0.6;
    Answer answer;
    const auto& said = right ? question.answer : usual ? question.wrong : question.wrong2;
    answer.text = worded(question, said);
    if (asked.reasoning) {
      answer.text = question_families()[static_cast<std::size_t>(question.family)].method + "\n" +
                    std::string(kFinalAnswerMark) + " " +
                    (question.kind == AnswerKind::kChoice ? "(" + said + ")" : said);
    }
    const double z = normal(mix_bits(key(seed(), Draw::kLogprob, question.number, name_hash_), prompt_hash));
    const double mean = -std::exp(-1.6 + 0.8 * (z - (right ? model_.logprob_signal : 0)));
    answer.mean_logprob = std::max(mean, -20.0);
    answer.min_logprob = std::max(3 * *answer.mean_logprob, -30.0);
    return answer;
  }

  std::string worded(const SimulatedQuestion& question, const std::string& value) const {
    if (question.kind == AnswerKind::kText || question.kind == AnswerKind::kJson) return value;
    const double style = uniform(key(seed(), Draw::kStyle, question.number, name_hash_));
    const std::string shown = question.kind == AnswerKind::kChoice ? "(" + value + ")" : value;
    if (style < 0.25) return question.kind == AnswerKind::kChoice ? value : shown;
    if (style < 0.6) return "The answer is " + shown + ".";
    return question_families()[static_cast<std::size_t>(question.family)].method + " The answer is " + shown +
           ".";
  }

  Answer guide(const SimulatedQuestion* question) const {
    Answer answer;
    if (!question) {
      answer.text = "Read the task twice, split it into small steps and check each step before the next one.";
      return answer;
    }
    const auto own = static_cast<std::size_t>(question->family);
    const bool unrelated =
        uniform(key(seed(), Draw::kUnrelated, question->number, name_hash_)) < model_.guide_unrelated;
    answer.text = guide_about(
        unrelated ? other_family(own, key(seed(), Draw::kOtherFamily, question->number, name_hash_)) : own);
    if (uniform(key(seed(), Draw::kLeak, question->number, name_hash_)) < model_.guide_leak_rate) {
      answer.text += " The answer is " + question->answer + ".";
    }
    return answer;
  }

  /// One digit from 1 to 5 for the world's first model, as prompt/label_prompt.h asks: grades around a point
  /// that lies as far apart for its right and wrong answers as logprob_signal says.
  Answer grade(const SimulatedQuestion* question) const {
    Answer answer;
    if (!question) {
      answer.text = "I";
      answer.first_token = {{"I", std::log(.9)}, {"This", std::log(.1)}};
    } else {
      const bool right =
          world_->right(world_->profile().models.front(), *question, SimulatedWorld::Help::kNone, 0);
      const double noise = normal(key(seed(), Draw::kGrade, question->number, name_hash_));
      const double point = 3 + .5 * model_.logprob_signal * (right ? 1 : -1) + noise;
      std::array<double, 5> weight{};
      double sum = 0;
      for (int label = 1; label <= 5; ++label) {
        const auto i = static_cast<std::size_t>(label - 1);
        sum += weight[i] = std::exp(-.5 * (label - point) * (label - point));
      }
      for (int label = 1; label <= 5; ++label) {
        const auto i = static_cast<std::size_t>(label - 1);
        answer.first_token.push_back({std::to_string(label), std::log(.98 * weight[i] / sum)});
      }
      std::stable_sort(answer.first_token.begin(), answer.first_token.end(),
                       [](const auto& a, const auto& b) { return a.logprob > b.logprob; });
      answer.text = answer.first_token.front().token;
    }
    answer.mean_logprob = answer.min_logprob = answer.first_token.front().logprob;
    return answer;
  }

  /// One answer in fences, the last block, as prompt/self_check.h shows it. Errs as a judge does.
  Answer check(const SimulatedQuestion* question, const SeenPrompt& seen) const {
    Answer answer;
    const auto at = seen.last_user.rfind("Answer:\n");
    if (!question || at == std::string::npos) {
      answer.text = "[simulated model " + model_.name + "] I found nothing to check.";
      return answer;
    }
    const auto shown = seen.last_user.substr(at);
    const auto begin = shown.find('\n', shown.find('\n') + 1) + 1;
    const auto end = shown.rfind('\n');
    const auto text = end > begin ? shown.substr(begin, end - begin) : std::string();
    bool right = answer_is_right(*question, text);
    const auto id = hash_bytes(seen.last_user, name_hash_);
    if (uniform(key(seed(), Draw::kFlip, id)) < model_.judge_flip_rate) right = !right;
    answer.text = right ? "It holds.\n[[RIGHT]]" : "It does not hold.\n[[WRONG]]";
    return answer;
  }

  /// Two answers in fences, as prompt/judge.h shows them.
  Answer judge(const SimulatedQuestion* question, const SeenPrompt& seen) const {
    Answer answer;
    const auto pair = judged_answers(seen.last_user);
    const auto* known = question;
    if (!pair) {
      answer.text = "[simulated model " + model_.name + "] I found no two answers to compare.";
      return answer;
    }
    const auto& [first, second] = *pair;
    const auto id = hash_bytes(seen.last_user, name_hash_);
    Word word = Word::kTie;
    if (known) {
      const bool a = answer_is_right(*known, first), b = answer_is_right(*known, second);
      if (a != b) word = a ? Word::kFirst : Word::kSecond;
      // Two wrong answers that differ: one is liked better, the same one in either order.
      if (!a && !b && first != second)
        word = hash_bytes(first) < hash_bytes(second) ? Word::kFirst : Word::kSecond;
    } else if (first != second) {
      word = first.size() >= second.size() ? Word::kFirst : Word::kSecond;
    }
    if (uniform(key(seed(), Draw::kFlip, id)) < model_.judge_flip_rate) {
      word = word == Word::kFirst                            ? Word::kSecond
             : word == Word::kSecond                         ? Word::kFirst
             : uniform(key(seed(), Draw::kPrefer, id)) < 0.5 ? Word::kFirst
                                                             : Word::kSecond;
    }
    if (word != Word::kTie && uniform(key(seed(), Draw::kBias, id)) < model_.judge_first_bias)
      word = Word::kFirst;
    answer.text = word == Word::kFirst    ? "Verdict: [[A]]"
                  : word == Word::kSecond ? "Verdict: [[B]]"
                                          : "Verdict: [[C]]";
    return answer;
  }

  const std::shared_ptr<const SimulatedWorld> world_;
  const SimulatedModelProfile& model_;  // of the world's profile
  const InjectFaults faults_;
  const std::uint64_t name_hash_;
  std::atomic<std::uint64_t> fault_calls_{0};
};

}  // namespace

std::shared_ptr<const SimulatedWorld> SimulatedWorld::create(SimulationProfile profile) {
  return std::make_shared<World>(std::move(profile));
}

Result<ModelClientPtr> make_simulated_model(std::shared_ptr<const SimulatedWorld> world,
                                            const std::string& name, InjectFaults faults) {
  const auto* model = world->profile().find(name);
  if (!model) {
    std::string names;
    for (const auto& known : world->profile().models) names += (names.empty() ? "" : ", ") + known.name;
    return fail(ErrorKind::kCallerInvalid, "unknown_model",
                "The simulated world has no model \"" + name + "\"; it has " + names + ".", "model");
  }
  return std::make_shared<SimulatedModel>(std::move(world), *model, faults);
}

}  // namespace brevet
