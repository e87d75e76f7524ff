#include "record/recorder.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "base/random.h"
#include "prompt/guide.h"
#include "prompt/judge.h"
#include "record/cell.h"
#include "record/json_out.h"
#include "record/plan.h"
#include "wire/openai_chat.h"

namespace brevet::record {
namespace {

/// How long a call waits for a breaker to let it through before it counts as failed.
constexpr std::chrono::seconds kBreakerPatience{90};
constexpr std::chrono::milliseconds kBreakerLook{100};
/// Reminds waiting calls that the user may want to end.
constexpr std::chrono::milliseconds kWaitAtMost{500};

class Recorder {
 public:
  Recorder(const std::vector<Question>& questions, Journal& journal, const RecordOptions& options)
      : questions_(questions), journal_(journal), options_(options), budget_(options.limits) {}

  Result<RecordSummary> run() {
    take_over();
    summary_.outcomes.resize(questions_.size());
    int workers = std::max(options_.concurrency, 1);
    for (const auto& [name, model] : options_.models)
      workers = std::min(workers, std::max(model.concurrent_max, 1));
    for (int i = 0; i < workers; ++i) asio::co_spawn(context_, work(), asio::detached);
    context_.run();
    if (fatal_) return fail(*fatal_);
    summary_.spent = budget_.spent();
    summary_.unpriced = budget_.unpriced();
    if (summary_.end == RecordEnd::kComplete && summary_.cells_missing > 0)
      summary_.end = RecordEnd::kIncomplete;
    return std::move(summary_);
  }

 private:
  /// What earlier runs spent counts against the budget.
  void take_over() {
    for (const auto& [number, call] : journal_.state().calls()) {
      if (!call.result) ++summary_.lost;
      const auto charged = call.result ? call.result->charged : call.intent.booked;
      budget_.spend(call.intent.booked ? charged : std::nullopt);
      if (call.intent.what == "judge" && charged) summary_.judge_spent += *charged;
    }
  }

  bool stopping() {
    if (!stopped_ && options_.stop && options_.stop())
      end(RecordEnd::kInterrupted, "Interrupted; run it again to go on.");
    return stopped_;
  }
  void end(RecordEnd why, std::string message) {
    if (stopped_) return;
    stopped_ = true;
    summary_.end = why;
    summary_.message = std::move(message);
  }
  void give_up(Error error) {
    if (!fatal_) fatal_ = std::move(error);
    stopped_ = true;
  }

  Task<void> work() {
    while (next_ < questions_.size()) {
      if (stopping()) co_return;
      const auto at = next_++;
      co_await one_question(at);
      ++done_;
      if (asked_.erase(questions_[at].record.id) > 0) ++done_asking_;
      if (options_.progress)
        options_.progress({done_, done_asking_, questions_.size(), summary_.calls, budget_.spent()});
    }
  }

  /// All configurations of one question, the one that others are judged against first.
  Task<void> one_question(std::size_t at) {
    const Question& question = questions_[at];
    std::optional<std::string> reference;
    if (options_.against) {
      const auto* known = question.record.outcome(options_.against->key());
      if (known != nullptr) reference = known->response;
    }
    std::vector<Configuration> order = options_.configurations;
    std::stable_partition(order.begin(), order.end(), [&](const Configuration& one) {
      return options_.against && one == *options_.against;
    });
    std::map<std::string, std::string> cells;
    for (const auto& configuration : order) {
      const auto key = configuration.key();
      if (question.record.outcome(key) != nullptr) continue;
      std::vector<ScoredCall> calls;
      for (int sample = 0; sample < configuration.samples; ++sample) {
        Ask ask = answer_ask(question, configuration, sample, options_);
        const CallResult* result = co_await paid(&ask);
        if (result == nullptr) continue;
        if (result->finish_reason == "length") ++summary_.cut;
        calls.push_back({result, {}});
      }
      bool whole = calls.size() == static_cast<std::size_t>(configuration.samples);
      if (whole && options_.against && configuration == *options_.against)
        reference = calls.front().call->response;
      for (auto& one : calls) {
        if (!whole || fatal_) break;
        one.score = co_await score(&question, &configuration, one.call, &reference);
        if (one.score.value) continue;
        whole = false;
        if (stopped_) break;
        ++summary_.unscored;
        ++summary_.no_score[one.score.why];
      }
      if (whole) {
        cells[key] = cell_json(calls);
      } else {
        ++summary_.cells_missing;
      }
    }
    for (const auto& configuration : options_.configurations) {
      const auto found = cells.find(configuration.key());
      if (found == cells.end()) continue;
      ++summary_.cells;
      summary_.outcomes[at].emplace_back(found->first, std::move(found->second));
      cells.erase(found);
    }
  }

  Task<Score> score(const Question* question, const Configuration* configuration, const CallResult* call,
                    const std::optional<std::string>* reference) {
    if (options_.scorer == ScorerKind::kCommand) co_return co_await by_command(question, configuration, call);
    if (options_.scorer != ScorerKind::kJudge)
      co_return score_text(options_.scorer, *question, call->response, options_.schema);
    Score out;
    if (options_.against && *configuration == *options_.against) {
      out.value = .5;
      co_return out;
    }
    const auto compared = options_.against ? *reference : std::optional(question->record.answer);
    if (!compared) {
      out.why = "no_reference";
      co_return out;
    }
    // Equal texts are a tie in either order, and the two prompts would be the same.
    if (*compared == call->response) {
      out.value = .5;
      co_return out;
    }
    const auto text = question_text(*question);
    std::optional<JudgeWord> words[2];
    for (const int order : {0, 1}) {
      JudgedPair pair{text, call->response, *compared};
      if (order == 1) std::swap(pair.first, pair.second);
      Ask ask = judge_ask(*question, pair, options_);
      const CallResult* said = co_await paid(&ask);
      if (said == nullptr) {
        out.why = "judge_failed";
        co_return out;
      }
      words[order] = parse_judge_word(said->response);
    }
    const auto verdict = judge_score(words[0], words[1]);
    ++summary_.judged;
    summary_.orders_differ += verdict.orders_differ ? 1 : 0;
    if (!verdict.value) {
      ++summary_.judge_unreadable;
      out.why = "judge_unreadable";
    }
    out.value = verdict.value;
    co_return out;
  }

  Task<Score> by_command(const Question* question, const Configuration* configuration,
                         const CallResult* call) {
    ScoredAnswer answer{question->record.id, configuration->key(), question_text(*question), call->response,
                        question->record.answer};
    ScoreNote note;
    note.key = sha256_hex(options_.command.command + '\0' + answer.id + '\0' + answer.configuration + '\0' +
                          answer.prompt + '\0' + answer.reference + '\0' + answer.answer);
    Score out;
    if (const auto* known = journal_.state().score(note.key)) {
      out.value = known->score;
      co_return out;
    }
    auto said = co_await score_by_command(options_.command, std::move(answer));
    if (!said) {
      give_up(said.error());
      co_return out;
    }
    // A command that failed may be mended, so only scores are remembered.
    if (said->value) {
      note.score = said->value;
      if (auto kept = journal_.append(note); !kept) give_up(kept.error());
    }
    co_return *said;
  }

  /// The answer to a call: from the journal, or by making it. Null when it cannot be had.
  Task<const CallResult*> paid(Ask* ask) {
    const auto& state = journal_.state();
    if (const auto* known = state.answer(ask->key)) {
      ++summary_.reused;
      co_return known;
    }
    if (const auto* last = state.last_call(ask->key)) {
      const bool unknown = !last->result || !last->result->free();
      if (unknown && !options_.retry_unknown) {
        ++summary_.unknown_left;
        co_return nullptr;
      }
    }
    const RecordModel& model = options_.models.at(ask->configuration.model);
    const auto prepared = prepare_call(*ask, model);
    if (!prepared) {
      give_up(prepared.error());
      co_return nullptr;
    }
    const auto until = std::chrono::steady_clock::now() + kBreakerPatience;
    for (;;) {
      const bool allowed = co_await booked(&*prepared, &model, until);
      if (!allowed) co_return nullptr;
      const CallResult* result = co_await make(ask, &*prepared, &model);
      if (result == nullptr || result->answered) co_return result;
      // The breaker refused before anything was sent: that was no try at all.
      if (result->code == "upstream_breaker_open" && std::chrono::steady_clock::now() < until) {
        // A breaker that tries one call of another question says so to all others at once.
        asio::steady_timer timer(co_await asio::this_coro::executor, kBreakerLook);
        co_await timer.async_wait(kNoThrow);
        continue;
      }
      ++summary_.failed;
      ++summary_.failures[result->code];
      ++(result->free() ? summary_.failed_unpaid : summary_.unknown_left);
      failures_in_a_row_ = result->free() ? failures_in_a_row_ + 1 : 0;
      if (failures_in_a_row_ >= options_.failures_max) {
        end(RecordEnd::kFailures, fmt::format("{} calls in a row failed without an answer; the last said: {} "
                                              "({}). Mend that and run it again.",
                                              failures_in_a_row_, result->message, result->code));
      }
      co_return nullptr;
    }
  }

  /// Waits until the worst case fits beside what is in flight. False when it never will.
  Task<bool> booked(const PreparedCall* call, const RecordModel* model,
                    std::chrono::steady_clock::time_point until) {
    const auto executor = co_await asio::this_coro::executor;
    for (;;) {
      if (stopping()) co_return false;
      if (model->client->status().breaker == BreakerState::kOpen &&
          std::chrono::steady_clock::now() < until) {
        asio::steady_timer timer(executor, kBreakerLook);
        co_await timer.async_wait(kNoThrow);
        continue;
      }
      const auto done = budget_.book(call->worst);
      if (done == Booking::kBooked) co_return true;
      if (done == Booking::kOverCalls) {
        end(RecordEnd::kBudget,
            fmt::format(
                "{} calls without a known price were allowed and made. To go on, run it again with a larger "
                "--allow-unknown-cost.",
                options_.limits.unpriced_max));
        co_return false;
      }
      if (in_flight_ == 0) {
        end(RecordEnd::kBudget, fmt::format("The budget of {} USD could be passed by the next call: {} USD "
                                            "are spent and it may cost up to "
                                            "{} USD. To go on, run it again with a larger --budget-usd.",
                                            options_.limits.usd.to_string(), budget_.spent().to_string(),
                                            call->worst->to_string()));
        co_return false;
      }
      settled_.expires_after(kWaitAtMost);
      co_await settled_.async_wait(kNoThrow);
    }
  }

  /// Intent, call, result. Null when the journal could not take one of them.
  Task<const CallResult*> make(const Ask* ask, const PreparedCall* prepared, const RecordModel* model) {
    CallIntent intent;
    intent.number = journal_.state().next_number();
    intent.key = ask->key;
    intent.what = ask->judge ? "judge" : "answer";
    intent.record = ask->record;
    intent.configuration = ask->configuration.key();
    intent.booked = prepared->worst;
    if (auto kept = journal_.append(intent); !kept) {
      budget_.settle(prepared->worst, Money{});
      give_up(kept.error());
      co_return nullptr;
    }
    ++summary_.calls;
    asked_.insert(ask->record);
    ++in_flight_;
    ModelCall call = prepared->call;
    auto outcome = co_await model->client->call(std::move(call), nullptr);
    --in_flight_;
    auto result = result_of(outcome, *prepared, *model);
    result.number = intent.number;
    const auto charged = result.charged;
    const auto kept = journal_.append(result);
    budget_.settle(prepared->worst, charged);
    settled_.cancel();
    if (ask->judge && charged) summary_.judge_spent += *charged;
    if (!kept) {
      give_up(kept.error());
      co_return nullptr;
    }
    if (result.answered) {
      ++summary_.answered;
      failures_in_a_row_ = 0;
    }
    if (charged && prepared->worst && *charged > *prepared->worst) {
      Error error;
      error.kind = ErrorKind::kProviderGarbage;
      error.code = "cost_above_booking";
      error.message = fmt::format(
          "Model '{}' reported tokens worth {} USD for a call whose worst case is {} USD: it does not keep "
          "to {}. The "
          "budget cannot be kept with it, so nothing more is asked.",
          ask->configuration.model, charged->to_string(), prepared->worst->to_string(), options_.limit_field);
      give_up(std::move(error));
    }
    co_return &*journal_.state().calls().at(intent.number).result;
  }

  const std::vector<Question>& questions_;
  Journal& journal_;
  const RecordOptions& options_;
  Budget budget_;
  asio::io_context context_{1};
  asio::steady_timer settled_{context_};
  RecordSummary summary_;
  std::optional<Error> fatal_;
  std::size_t next_ = 0, done_ = 0, done_asking_ = 0;
  std::unordered_set<std::string> asked_;  ///< questions in work that this run has made a call for
  int in_flight_ = 0, failures_in_a_row_ = 0;
  bool stopped_ = false;
};

}  // namespace

Result<RecordSummary> record(const std::vector<Question>& questions, Journal& journal,
                             const RecordOptions& options) {
  if (auto good = check_plan(questions, options); !good) return fail(good.error());
  return Recorder(questions, journal, options).run();
}

}  // namespace brevet::record
