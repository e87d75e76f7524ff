// Voting, deferral and agreement of several models on recorded answers, through the flow and the strategies
// that serve. Prints the rows of docs/ensembles-measured.md.
//
//   ensemble_measure vote FILE ORDERS        samples of one model (self_consistency_date)
//   ensemble_measure panel FILE RESPONSES    answers of several models (mmlu_pro, mmlu_pro_responses)
//   ensemble_measure more FILE RESPONSES|- EXPERTS...   the selector of `more`, held-out questions of 5
//   splits
//
// A played model gives the recorded answers: of several samples the one that the call's number stands for, in
// an order drawn for each question and repetition. What is reported is the recorded score of the very answer
// that the strategy accepted, and the calls that it made. Intervals: 95%, paired bootstrap over questions,
// 2,000 rounds, orders averaged first.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <iostream>
#include <map>
#include <numeric>

#include "base/random.h"
#include "dataset/outcome_file.h"
#include "dataset/prompt_text.h"
#include "gateway/request_flow.h"
#include "strategy/test_snapshot.h"
#include "train/fit_more.h"

namespace {

using namespace brevet;

/// Which recorded answers a model gives to the question under way.
struct Played {
  std::vector<std::string> texts;
  std::vector<double> scores;
  int calls = 0;
};

class PlayedClient final : public ModelClient {
 public:
  PlayedClient(std::string name, std::map<std::string, Played>& played)
      : name_(std::move(name)), played_(played) {}
  Task<ModelOutcome> call(ModelCall call, StreamSink*) override {
    auto& mine = played_.at(name_);
    ++mine.calls;
    const auto i = static_cast<std::size_t>(call.sample.value_or(0)) % mine.texts.size();
    ModelResult out;
    out.answer.text = mine.texts[i];
    out.answer.finish_reason = "stop";
    // Which answer it is, so that the score of the one accepted is known afterwards.
    out.answer.returned_model = std::to_string(i);
    out.cost = Cost{Money{}, CostBasis::kRecorded};
    co_return out;
  }
  ModelStatus status() const override { return {}; }
  Cost price(const Usage&) const override { return {}; }

 private:
  const std::string name_;
  std::map<std::string, Played>& played_;
};

class NoFeatures final : public FeatureSource {
 public:
  Task<FeatureResult> features(std::shared_ptr<const ChatRequest>) override { co_return FeatureResult{}; }
  const std::string& encoder_hash() const override { return none_; }

 private:
  const std::string none_ = "none";
};
class NoOutcomes final : public OutcomeSink {
 public:
  bool reserve() override { return false; }
  void release() override {}
  void decided(std::shared_ptr<const Decision>, std::shared_ptr<const ShadowResult>) override {}
  Task<Result<>> feedback(Feedback) override { co_return Result<>{}; }
};
class NoSink final : public ResponseSink {
 public:
  Task<Result<>> begin(const Decision&, const Configuration&) override { co_return Result<>{}; }
  Task<Result<>> event(std::string) override { co_return Result<>{}; }
  Task<Result<>> end(const Decision&, std::optional<Error>) override { co_return Result<>{}; }
  Task<Result<>> whole(const Decision&, Attempt&) override { co_return Result<>{}; }
  Task<Result<>> fail(const Decision&, const Error&) override { co_return Result<>{}; }
};

struct Served {
  double score = 0;
  double calls = 0;  ///< of all models
  bool reference = false;
};

/// One strategy over models that play what is put into `played`.
class Player {
 public:
  Player(std::vector<std::string> models, std::string_view strategy, const OptionValues& options) {
    auto runtime = std::make_shared<Runtime>();
    auto route = std::make_shared<Route>();
    route->name = "auto";
    for (const auto& name : models) {
      played[name];
      Model model;
      model.name = name;
      model.client = std::make_shared<PlayedClient>(name, played);
      runtime->models[name] = model;
      Configuration configuration;
      configuration.model = name;
      route->candidates.push_back(configuration);
    }
    route->weak = route->candidates.front();
    route->reference = route->candidates.back();
    route->learning.enabled = false;
    auto made = make_strategy(strategy, options);
    if (!made) {
      std::cerr << made.error().message << "\n";
      std::exit(2);
    }
    route->strategy = *made;
    runtime->routes["auto"] = route;
    runtime_ = runtime;
    FlowParts parts{features_, outcomes_, clock_, [] { return std::make_shared<const NothingRemembered>(); }};
    parts.new_decision_id = [] { return std::string("d"); };
    parts.next_number = [this] { return ++number_; };
    flow_ = make_request_flow(std::move(parts));
  }
  Served ask(const std::string& question) {
    for (auto& [name, mine] : played) mine.calls = 0;
    auto request = std::make_shared<ChatRequest>();
    request->raw = std::make_shared<const std::string>("{}");
    request->model = "auto";
    ChatMessage message;
    message.role = "user";
    message.text = question;
    request->messages.push_back(std::move(message));
    std::shared_ptr<const Decision> decision;
    asio::co_spawn(
        context_, flow_->run(runtime_, request, {}, sink_),
        [&](std::exception_ptr, std::shared_ptr<const Decision> made) { decision = std::move(made); });
    context_.restart();
    context_.run();
    Served out;
    for (const auto& [name, mine] : played) out.calls += mine.calls;
    const auto* served = decision ? decision->served() : nullptr;
    if (!served) return out;
    const auto& name = served->configuration.model;
    std::size_t i = 0;
    const auto& which = served->answer->returned_model;
    std::from_chars(which.data(), which.data() + which.size(), i);
    out.score = played.at(name).scores.at(i);
    out.reference = name == runtime_->routes.at("auto")->reference.model;
    return out;
  }
  std::map<std::string, Played> played;

 private:
  asio::io_context context_{1};
  NoFeatures features_;
  NoOutcomes outcomes_;
  ManualClock clock_{Instant{std::chrono::hours(24 * 365)}};
  NoSink sink_;
  RuntimePtr runtime_;
  std::uint64_t number_ = 0;
  std::unique_ptr<RequestFlow> flow_;
};

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// "+1.2 [.3, 2.1]" in points of accuracy: mean of the differences and its interval over questions.
std::string with_interval(const std::vector<double>& differences) {
  constexpr int kRounds = 2000;
  std::vector<double> means;
  for (int round = 0; round < kRounds; ++round) {
    Draws draws(11, static_cast<std::uint64_t>(round));
    double sum = 0;
    for (std::size_t i = 0; i < differences.size(); ++i) {
      const auto at = static_cast<std::size_t>(draws.uniform() * static_cast<double>(differences.size()));
      sum += differences[at];
    }
    means.push_back(100 * sum / static_cast<double>(differences.size()));
  }
  std::sort(means.begin(), means.end());
  return fmt::format("{:+.1f} [{:+.1f}, {:+.1f}]", 100 * mean(differences), means[kRounds / 40],
                     means[kRounds - kRounds / 40 - 1]);
}

Result<std::vector<OutcomeRecord>> read(const char* file, std::vector<std::string> models,
                                        PromptField prompt = PromptField::kRequired) {
  OutcomeReadOptions options;
  options.models = std::move(models);
  options.prompt = prompt;
  return read_outcome_file(file, options);
}

/// The samples in an order of this question and repetition.
Played shuffled(const RecordedOutcome& outcome, std::uint64_t question, std::uint64_t order) {
  std::vector<std::size_t> at(outcome.samples.size());
  std::iota(at.begin(), at.end(), std::size_t{0});
  Draws draws(mix_bits(5, question), order);
  for (std::size_t i = at.size(); i > 1; --i)
    std::swap(at[i - 1], at[static_cast<std::size_t>(draws.uniform() * static_cast<double>(i))]);
  Played out;
  for (const auto i : at) {
    out.texts.push_back(outcome.samples[i]);
    out.scores.push_back(outcome.sample_scores[i]);
  }
  return out;
}

struct Row {
  std::vector<double> score, calls, reference;  ///< of each question, averaged over orders
};

int vote(const char* file, int orders) {
  const std::string strong = "gpt-4-greedy:cot2";
  const std::vector<std::string> weaks{"llama-2-13b:cot2", "llama-2-13b:pot2", "gpt-3.5-turbo:cot2",
                                       "gpt-3.5-turbo:pot1"};
  auto names = weaks;
  names.push_back(strong);
  const auto records = read(file, names);
  if (!records) return std::cerr << records.error().message << "\n", 2;
  const auto n = static_cast<double>(records->size());
  std::vector<double> strong_scores;
  for (const auto& record : *records) strong_scores.push_back(record.outcome(strong)->score);
  std::cout << fmt::format("{} questions, {} orders of the samples; always {}: accuracy {:.3f}, 1 call\n\n",
                           n, orders, strong, mean(strong_scores));
  std::cout << "| weak model | setting | weak calls | strong share | accuracy | against always strong | "
               "against the "
               "mixture at this share |\n|---|---|---|---|---|---|---|\n";
  for (const auto& weak : weaks) {
    std::vector<double> single;  // mean over its samples: what one call is worth
    for (const auto& record : *records) single.push_back(mean(record.outcome(weak)->sample_scores));
    const auto play = [&](const OptionValues& options) {
      Player player({weak, strong}, "self_consistency", options);
      Row row;
      for (std::size_t q = 0; q < records->size(); ++q) {
        const auto& record = (*records)[q];
        player.played[strong].texts = {record.outcome(strong)->samples.empty()
                                           ? *record.outcome(strong)->pred
                                           : record.outcome(strong)->samples[0]};
        player.played[strong].scores = {record.outcome(strong)->score};
        double score = 0, calls = 0, reference = 0;
        for (int order = 0; order < orders; ++order) {
          auto mine = shuffled(*record.outcome(weak), q, static_cast<std::uint64_t>(order));
          player.played[weak].texts = std::move(mine.texts);
          player.played[weak].scores = std::move(mine.scores);
          const auto served = player.ask(record.prompt);
          score += served.score;
          reference += served.reference;
          calls += player.played[weak].calls;
        }
        row.score.push_back(score / orders);
        row.calls.push_back(calls / orders);
        row.reference.push_back(reference / orders);
      }
      return row;
    };
    const auto print = [&](const std::string& setting, const Row& row) {
      const double share = mean(row.reference);
      std::vector<double> against_strong, against_mixture;
      for (std::size_t q = 0; q < row.score.size(); ++q) {
        against_strong.push_back(row.score[q] - strong_scores[q]);
        against_mixture.push_back(row.score[q] - (share * strong_scores[q] + (1 - share) * single[q]));
      }
      std::cout << fmt::format("| {} | {} | {:.2f} | {:.2f} | {:.3f} | {} | {} |\n", weak, setting,
                               mean(row.calls), share, mean(row.score), with_interval(against_strong),
                               with_interval(against_mixture));
    };
    Row one;
    one.score = single;
    one.calls.assign(single.size(), 1);
    one.reference.assign(single.size(), 0);
    print("one call", one);
    for (const std::int64_t m : {3, 5, 10, 20}) print(fmt::format("vote of {}", m), play({{"samples", m}}));
    for (const std::int64_t m : {3, 5, 10}) {
      for (const double least : {.5, .7, .9, 1.0})
        print(fmt::format("vote of {}, {:.0f}% must agree", m, least * 100),
              play({{"samples", m}, {"agreement_min", least}}));
    }
  }
  return 0;
}

int panel(const char* file, const char* responses) {
  const std::vector<std::vector<std::string>> panels{
      {"Phi-3-mini-4k-instruct", "Mixtral-8x7B-Instruct-v0.1", "Meta-Llama-3_1-8B-Instruct"},
      {"Phi-3-mini-4k-instruct", "Mixtral-8x7B-Instruct-v0.1", "Meta-Llama-3_1-8B-Instruct",
       "Qwen1.5-72B-Chat", "jamba-1.5-large"},
      {"jamba-1.5-large", "Meta-Llama-3_1-70B-Instruct", "gemini-1.5-flash-002"},
      {"jamba-1.5-large", "Meta-Llama-3_1-70B-Instruct", "gemini-1.5-flash-002", "gemini-1.5-pro-002"}};
  std::vector<std::string> all;
  for (const auto& models : panels) all.insert(all.end(), models.begin(), models.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  auto records = read(file, all);
  if (!records) return std::cerr << records.error().message << "\n", 2;
  OutcomeReadOptions options;
  options.models = all;
  options.prompt = PromptField::kOptional;
  const auto joined = join_responses(*records, responses, options);
  if (!joined) return std::cerr << joined.error().message << "\n", 2;
  std::cout << "| panel, cheapest first | questions | best single | agreement | against best single | oracle "
               "| calls "
               "|\n|---|---|---|---|---|---|---|\n";
  for (const auto& models : panels) {
    Player player(models, "blender", {{"rank", std::string("agreement")}});
    std::vector<std::vector<double>> single(models.size());
    std::vector<double> chosen, oracle, calls;
    for (const auto& record : *records) {
      bool whole = true;
      for (const auto& name : models) {
        const auto* outcome = record.outcome(name);
        whole &= outcome && outcome->response;
      }
      if (!whole) continue;
      double best = 0;
      for (std::size_t m = 0; m < models.size(); ++m) {
        const auto* outcome = record.outcome(models[m]);
        player.played[models[m]].texts = {*outcome->response};
        player.played[models[m]].scores = {outcome->score};
        single[m].push_back(outcome->score);
        best = std::max(best, outcome->score);
      }
      const auto served = player.ask(render_prompt(record));
      chosen.push_back(served.score);
      calls.push_back(served.calls);
      oracle.push_back(best);
    }
    std::size_t top = 0;
    for (std::size_t m = 0; m < models.size(); ++m) {
      if (mean(single[m]) > mean(single[top])) top = m;
    }
    std::vector<double> differences;
    for (std::size_t q = 0; q < chosen.size(); ++q) differences.push_back(chosen[q] - single[top][q]);
    std::string names;
    for (const auto& name : models) names += (names.empty() ? "" : ", ") + name;
    std::cout << fmt::format("| {} | {} | {} {:.3f} | {:.3f} | {} | {:.3f} | {:.0f} |\n", names,
                             chosen.size(), models[top], mean(single[top]), mean(chosen),
                             with_interval(differences), mean(oracle), mean(calls));
  }
  return 0;
}

/// The forest against agreement and the best expert, over the held-out questions of five splits.
int more(const char* file, const std::string& responses, std::vector<std::string> experts) {
  auto records = read(file, experts);
  if (!records) return std::cerr << records.error().message << "\n", 2;
  if (responses != "-") {
    OutcomeReadOptions options;
    options.models = experts;
    options.prompt = PromptField::kOptional;
    if (auto joined = join_responses(*records, responses, options); !joined)
      return std::cerr << joined.error().message << "\n", 2;
  }
  constexpr std::uint64_t kSplits = 5;
  // A question that several splits held out counts once, with its mean.
  struct Held {
    double chosen = 0, agreed = 0, single = 0, oracle = 0, times = 0;
  };
  std::map<std::string, Held> held;
  std::vector<double> chosen, agreed, single, oracle, over_agreement, over_single;
  std::size_t fitted = 0, tested = 0;
  std::map<int, std::pair<double, double>> coverage;
  for (std::uint64_t seed = 1; seed <= kSplits; ++seed) {
    MoreOptions options;
    options.experts = experts;
    options.seed = seed;
    options.trees = 200;
    const auto fit = fit_more(*records, options);
    if (!fit) return std::cerr << fit.error().message << "\n", 2;
    fitted += fit->fitted / kSplits;
    tested += fit->tested / kSplits;
    for (std::size_t i = 0; i < fit->held_out.size(); ++i) {
      auto& one = held[fit->held_out[i]];
      one.chosen += fit->chosen[i];
      one.agreed += fit->agreed[i];
      one.single += fit->best_single[i];
      one.oracle += fit->oracle[i];
      one.times += 1;
    }
    for (std::size_t i = 0; i < fit->coverage.size(); ++i)
      coverage[static_cast<int>(i) + 1].first += fit->coverage[i].accuracy / kSplits;
  }
  for (const auto& [id, one] : held) {
    chosen.push_back(one.chosen / one.times);
    agreed.push_back(one.agreed / one.times);
    single.push_back(one.single / one.times);
    oracle.push_back(one.oracle / one.times);
    over_agreement.push_back(chosen.back() - agreed.back());
    over_single.push_back(chosen.back() - single.back());
  }
  std::string names;
  for (const auto& name : experts) names += (names.empty() ? "" : ", ") + name;
  std::cout << fmt::format(
      "| {} | {} / {} | {:.3f} | {:.3f} | {:.3f} | {} | {} | {:.3f} | {:.3f} / {:.3f} |\n", names, fitted,
      tested, mean(single), mean(agreed), mean(chosen), with_interval(over_single),
      with_interval(over_agreement), mean(oracle), coverage[5].first, coverage[8].first);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::string_view what = count > 1 ? arguments[1] : "";
  if (what == "vote" && count == 4) return vote(arguments[2], std::max(1, std::atoi(arguments[3])));
  if (what == "panel" && count == 4) return panel(arguments[2], arguments[3]);
  if (what == "more" && count > 5)
    return more(arguments[2], arguments[3], {arguments + 4, arguments + count});
  std::cerr << "usage: ensemble_measure vote FILE ORDERS | panel FILE RESPONSES | more FILE RESPONSES|- "
               "EXPERTS...\n";
  return 2;
}
