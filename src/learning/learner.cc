#include "learning/learner.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/prefer.hpp>
#include <condition_variable>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/bounded_queue.h"
#include "base/log.h"
#include "learning/pending_changes.h"
#include "learning/served_by_weak.h"
#include "learning/skill_rules.h"

namespace brevet {
namespace {

using FeedbackDone = std::function<void(Result<>)>;

/// One thing to commit. Exactly one of decision, passed, feedback and barrier is set.
struct Item {
  std::shared_ptr<const Decision> decision;
  std::optional<PassedRow> passed;             ///< a decision that fits the short form
  std::shared_ptr<const ShadowResult> shadow;  ///< with decision
  std::unique_ptr<Feedback> feedback;
  FeedbackDone done;  ///< with feedback
  std::shared_ptr<std::promise<bool>> barrier;
};

std::size_t decisions_of(const WriteBatch& batch) {
  return batch.decisions.size() + batch.passed.size();
}

class LearnerImpl : public Learner {
 public:
  LearnerImpl(Store& store, const Clock& clock, LearnerOptions options)
      : store_(store),
        clock_(clock),
        options_(std::move(options)),
        queue_(kQueueFactor * options_.queue_max + options_.feedback_max + kBarriersMax),
        memory_(options_.memory),
        served_by_weak_(options_.feedback_window) {}
  ~LearnerImpl() override { stop(); }

  Result<> load();
  void start() {
    if (options_.mode == LearnerMode::kThread) thread_ = std::thread([this] { run(); });
  }

  bool reserve() override {
    std::lock_guard lock(places_mutex_);
    if (stopped_ || reserved_ + waiting_ >= options_.queue_max) {
      ++refused_;
      return false;
    }
    ++reserved_;
    return true;
  }
  void release() override {
    std::lock_guard lock(places_mutex_);
    if (reserved_ > 0) --reserved_;
  }
  void decided(std::shared_ptr<const Decision> decision, std::shared_ptr<const ShadowResult> shadow) override;
  void passed(PassedRow row, const std::shared_ptr<const Decision>& decision) override;
  Task<Result<>> feedback(Feedback feedback) override;

  SnapshotPtr snapshot() const override {
    std::lock_guard lock(published_mutex_);
    return snapshot_;
  }
  LearnerFigures figures() const override;
  std::uint64_t first_number() const override { return first_number_; }
  bool flush() override;
  void stop() override;

 private:
  // A decision and its shadow's each use a place but only the first is reserved; what comes without a place
  // (a named model) needs room too. The hard bound is far above what reserve() allows.
  static constexpr std::size_t kQueueFactor = 4;
  static constexpr std::size_t kBarriersMax = 64;
  static constexpr Milliseconds kFlushPatience{5};
  // Looking for old texts visits every skill; a batch that forgets some must stay small.
  static constexpr std::chrono::hours kTextSweep{1};
  static constexpr std::size_t kTextPiece = 256;

  void run();
  void process(std::vector<Item>& items);
  Result<> check_feedback(const Feedback& feedback,
                          const std::set<std::pair<std::string, std::string>>& in_batch) const;
  bool commit(WriteBatch& batch, std::vector<Item>& items);
  void learn_from_words(const std::vector<Feedback>& words);
  void make_true(PendingChanges& changes, const LearnerFigures& counts);
  void keep_bounds();
  void forget_old_texts(PendingChanges& changes, LearnerFigures& counts);
  void publish();
  bool submit_feedback(Feedback feedback, FeedbackDone done);
  void put(Item item);

  Store& store_;
  const Clock& clock_;
  const LearnerOptions options_;
  std::uint64_t first_number_ = 1;

  BoundedQueue<Item> queue_;
  std::thread thread_;
  std::atomic<bool> failing_{false};  ///< the last commit failed and is being tried again

  mutable std::mutex places_mutex_;
  std::size_t reserved_ = 0;          // guarded by places_mutex_
  std::size_t waiting_ = 0;           // decisions queued or being committed; guarded by places_mutex_
  std::size_t feedback_waiting_ = 0;  // guarded by places_mutex_
  std::uint64_t refused_ = 0;         // guarded by places_mutex_
  std::uint64_t dropped_ = 0;         // guarded by places_mutex_
  bool stopped_ = false;              // guarded by places_mutex_
  std::condition_variable stopping_;

  /// The learning thread's alone; inline mode takes turns with work_mutex_.
  std::mutex work_mutex_;
  Memory memory_;
  ServedByWeak served_by_weak_;
  NextIds ids_;
  std::optional<Instant> texts_swept_;  ///< when all old texts were gone last
  /// What left memory with the last batch; its rows go in the next transaction, before what that puts.
  std::vector<std::uint64_t> forget_outcomes_;
  std::vector<Partition> forget_partitions_;
  LearnerFigures counts_;
  std::vector<PassedRow> spare_passed_;  ///< empty; the memory of the last batch's rows, for the next one's

  mutable std::mutex published_mutex_;
  SnapshotPtr snapshot_;      // guarded by published_mutex_
  LearnerFigures published_;  // guarded by published_mutex_
};

Result<> LearnerImpl::load() {
  std::set<std::string> weak_models;
  std::map<std::string, Partition> partitions;
  const auto meet = [&](const Partition& partition) {
    if (!partitions.emplace(partition.key(), partition).second) return;
    weak_models.insert(partition.weak.substr(0, partition.weak.find('|')));
  };
  auto loaded = store_.load({[&](StoredSkill stored) {
                               meet(stored.partition);
                               ids_.skill = std::max(ids_.skill, stored.skill.id + 1);
                               memory_.put_skill(stored.partition, std::move(stored.skill));
                             },
                             [&](StoredGuide stored) {
                               meet(stored.partition);
                               ids_.guide = std::max(ids_.guide, stored.guide.id + 1);
                               memory_.put_guide(stored.partition, std::move(stored.guide));
                             },
                             [&](StoredOutcome stored) {
                               meet(stored.partition);
                               ids_.outcome = std::max(ids_.outcome, stored.id + 1);
                               if (const auto feeds = labelled(stored))
                                 memory_.absorb(stored.partition, *feeds);
                             }});
  if (!loaded) return loaded;
  const auto setting = [&](const std::string& name) { return store_.setting(name); };
  auto ids = setting(kIdsSetting);
  if (!ids) return tl::unexpected(ids.error());
  if (*ids && !ids_.raise_to(**ids))
    spdlog::warn("learning: the stored ids cannot be read and are counted anew");
  first_number_ = ids_.decision_number;
  for (const auto& model : weak_models) {
    auto id = setting(model_id_setting(model));
    if (!id) return tl::unexpected(id.error());
    if (*id) memory_.load_model_ids(model, **id);
  }
  for (const auto& [key, partition] : partitions) {
    auto scores = setting(scores_setting(partition));
    if (!scores) return tl::unexpected(scores.error());
    if (*scores && !memory_.load_scores(partition, **scores)) {
      spdlog::warn("learning: stored scores of one partition cannot be read and start anew");
    }
  }
  keep_bounds();
  publish();
  return {};
}

void LearnerImpl::keep_bounds() {
  forget_outcomes_ = memory_.take_outcomes_over_bound();
  auto evicted = memory_.evict_over_bounds();
  forget_outcomes_.insert(forget_outcomes_.end(), evicted.outcomes.begin(), evicted.outcomes.end());
  forget_partitions_ = std::move(evicted.partitions);
}

void LearnerImpl::forget_old_texts(PendingChanges& changes, LearnerFigures& counts) {
  if (options_.retention.count() <= 0) return;
  const Instant now = clock_.now();
  if (texts_swept_ && now - *texts_swept_ < kTextSweep) return;
  const Instant oldest = now - options_.retention;
  std::vector<std::uint64_t> old;
  bool more = false;
  memory_.visit_skills([&](const Partition&, const SkillPtr& skill) {
    if (skill->text.empty() || skill->last_tried >= oldest) return;
    more = old.size() == kTextPiece;
    if (!more) old.push_back(skill->id);
  });
  for (const auto id : old) {
    auto stored = changes.skill(id);  // this batch may have seen its request again
    if (!stored || stored->skill.text.empty() || stored->skill.last_tried >= oldest) continue;
    stored->skill.text.clear();
    changes.put(stored->partition, std::move(stored->skill));
    ++counts.texts_forgotten;
  }
  if (!more) texts_swept_ = now;
}

void LearnerImpl::decided(std::shared_ptr<const Decision> decision,
                          std::shared_ptr<const ShadowResult> shadow) {
  Item item;
  PassedRow row;
  if (!shadow && passed_row(*decision, row)) {
    item.passed = std::move(row);
  } else {
    item.decision = std::move(decision);
    item.shadow = std::move(shadow);
  }
  put(std::move(item));
}

void LearnerImpl::passed(PassedRow row, const std::shared_ptr<const Decision>&) {
  Item item;
  item.passed = std::move(row);
  put(std::move(item));
}

/// Queues a decision and uses its place.
void LearnerImpl::put(Item item) {
  {
    std::lock_guard lock(places_mutex_);
    if (reserved_ > 0) --reserved_;
    ++waiting_;
  }
  if (options_.mode == LearnerMode::kInline) {
    std::vector<Item> items;
    items.push_back(std::move(item));
    std::lock_guard turn(work_mutex_);
    process(items);
    return;
  }
  const bool unhurried = item.passed.has_value();
  if (!(unhurried ? queue_.try_push_unhurried(std::move(item)) : queue_.try_push(std::move(item)))) {
    std::lock_guard lock(places_mutex_);
    --waiting_;
    ++dropped_;
  }
}

bool LearnerImpl::submit_feedback(Feedback feedback, FeedbackDone done) {
  {
    std::lock_guard lock(places_mutex_);
    if (stopped_ || feedback_waiting_ >= options_.feedback_max) return false;
    ++feedback_waiting_;
  }
  Item item;
  item.feedback = std::make_unique<Feedback>(std::move(feedback));
  item.done = std::move(done);
  if (options_.mode == LearnerMode::kInline) {
    std::vector<Item> items;
    items.push_back(std::move(item));
    std::lock_guard turn(work_mutex_);
    process(items);
    return true;
  }
  if (queue_.try_push(std::move(item))) return true;
  std::lock_guard lock(places_mutex_);
  --feedback_waiting_;
  return false;
}

/// Belongs to the coroutine's executor: the learning thread only posts to it.
struct WaitingFeedback {
  explicit WaitingFeedback(const asio::any_io_executor& executor)
      : wake(executor, asio::steady_timer::time_point::max()) {}
  asio::steady_timer wake;
  std::optional<Result<>> outcome;
};

/// Hands the outcome of a commit over to the executor of the coroutine that waits for it. To be called once:
/// what is waiting goes along with the post, for its timer may only be destroyed where its executor still
/// lives.
FeedbackDone hand_over(std::shared_ptr<WaitingFeedback> waiting, asio::any_io_executor executor) {
  // Tracked as outstanding work, so that an executor without anything else to do does not end meanwhile.
  auto tracked = asio::prefer(std::move(executor), asio::execution::outstanding_work.tracked);
  return [waiting = std::move(waiting), tracked = std::move(tracked)](Result<> outcome) mutable {
    const auto target = std::move(tracked);  // its work ends with this call, not with the function object
    asio::post(target, [waiting = std::move(waiting), outcome = std::move(outcome)] {
      waiting->outcome = outcome;
      waiting->wake.cancel();
    });
  };
}

Task<Result<>> LearnerImpl::feedback(Feedback feedback) {
  const auto executor = co_await asio::this_coro::executor;
  // A client that hangs up does not undo its word, and the completion must find somebody waiting.
  co_await asio::this_coro::reset_cancellation_state(asio::disable_cancellation());
  auto waiting = std::make_shared<WaitingFeedback>(executor);
  if (!submit_feedback(std::move(feedback), hand_over(waiting, executor))) {
    co_return fail(ErrorKind::kOverloaded, "learning_overloaded",
                   "Too much feedback is waiting to be written; send it again in a moment.");
  }
  while (!waiting->outcome) co_await waiting->wake.async_wait(kNoThrow);
  co_return *waiting->outcome;
}

LearnerFigures LearnerImpl::figures() const {
  LearnerFigures out;
  {
    std::lock_guard lock(published_mutex_);
    out = published_;
  }
  std::lock_guard lock(places_mutex_);
  out.refused = refused_;
  out.dropped = dropped_;
  out.queue_length = waiting_;
  return out;
}

bool LearnerImpl::flush() {
  if (options_.mode == LearnerMode::kInline) {
    std::lock_guard turn(work_mutex_);
    auto view = memory_.publish_view();
    std::lock_guard lock(published_mutex_);
    snapshot_ = std::move(view);
    return !failing_;
  }
  auto barrier = std::make_shared<std::promise<bool>>();
  auto reached = barrier->get_future();
  Item item;
  item.barrier = barrier;
  while (!queue_.try_push(std::move(item))) {  // NOLINT(bugprone-use-after-move): refused = untouched
    if (failing_ || queue_.closed()) return false;
    std::this_thread::sleep_for(kFlushPatience);
  }
  while (reached.wait_for(kFlushPatience) != std::future_status::ready) {
    if (failing_) return false;
  }
  return reached.get();
}

void LearnerImpl::stop() {
  {
    std::lock_guard lock(places_mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  queue_.close();
  if (thread_.joinable()) thread_.join();
}

void LearnerImpl::run() {
  std::vector<Item> items;
  while (true) {
    queue_.gather_batch(items, options_.batch_max, options_.passed_batch_max, options_.gather);
    const bool last = items.empty();
    {
      std::lock_guard turn(work_mutex_);
      process(items);  // the last, empty one writes the scores that the one before it brought
    }
    if (last) return;
    items.clear();  // what was committed is not held while there is nothing to do
  }
}

Result<> LearnerImpl::check_feedback(const Feedback& feedback,
                                     const std::set<std::pair<std::string, std::string>>& in_batch) const {
  if (in_batch.contains({feedback.tenant, feedback.decision_id})) return {};
  auto known = store_.decision(feedback.tenant, feedback.decision_id);
  if (!known) return tl::unexpected(known.error());
  if (*known) return {};
  return fail(ErrorKind::kCallerNotFound, "unknown_decision",
              "There is no decision " + feedback.decision_id +
                  " of this tenant; use the id from the x-brevet-decision header of the answer.",
              "decision_id");
}

void LearnerImpl::process(std::vector<Item>& items) {
  PendingChanges changes(memory_, ids_);
  LearnerFigures counts = counts_;  // becomes true with the commit
  WriteBatch batch;
  batch.passed = std::move(spare_passed_);
  batch.passed.clear();
  std::set<std::pair<std::string, std::string>> in_batch;
  std::size_t decisions = 0;
  std::size_t feedbacks = 0;
  std::string last_model, last_returned;  // Thousands in a row say the same of one model.
  const bool any_feedback =
      std::any_of(items.begin(), items.end(), [](const Item& item) { return item.feedback != nullptr; });
  for (auto& item : items) {
    if (item.decision) {
      ++decisions;
      learn_from_decision(*item.decision, changes, counts);
      if (item.shadow) learn_from_shadow(*item.shadow, *item.decision, changes, counts);
      if (any_feedback) in_batch.emplace(item.decision->tenant, item.decision->id);
      batch.decisions.push_back(item.decision);
    } else if (item.passed) {
      ++decisions;
      if (const auto models = passed_models(item.passed->record)) {
        const bool seen = models->model == last_model && models->returned_model == last_returned;
        if (seen) {
          changes.saw_decision_number(models->number);
        } else {
          learn_from_passed(*models, changes, counts);
          last_model = models->model;
          last_returned = models->returned_model;
        }
      }
      if (any_feedback) in_batch.emplace(item.passed->tenant, item.passed->id);
      batch.passed.push_back(std::move(*item.passed));
    } else if (item.feedback) {
      ++feedbacks;
      if (auto known = check_feedback(*item.feedback, in_batch); !known) {
        std::exchange(item.done, nullptr)(known);
        continue;
      }
      if (item.feedback->time == Instant{}) item.feedback->time = clock_.now();
      batch.feedback.push_back(*item.feedback);
    }
  }
  if (!items.empty()) forget_old_texts(changes, counts);
  changes.evict();
  changes.write_to(batch);
  batch.forget_outcomes.insert(batch.forget_outcomes.end(), forget_outcomes_.begin(), forget_outcomes_.end());
  batch.forget_partitions = forget_partitions_;
  for (const auto& partition : forget_partitions_) batch.forget_settings.push_back(scores_setting(partition));
  for (const auto& partition : memory_.partitions_with_new_scores()) {
    batch.settings.emplace_back(scores_setting(partition), memory_.save_scores(partition));
  }
  if (!batch.empty() && options_.more_settings) {
    for (auto& setting : options_.more_settings()) batch.settings.push_back(std::move(setting));
  }
  const std::size_t accepted_feedback = batch.feedback.size();
  // Refused feedback was answered above, and whoever read that must not see a commit of nothing fail.
  const bool done = batch.empty() || commit(batch, items);
  if (done) {
    counts.decisions_committed += decisions;
    counts.feedback_committed += batch.feedback.empty() ? 0 : accepted_feedback;
    make_true(changes, counts);
    for (const auto& item : items) {
      if (item.decision) served_by_weak_.add(*item.decision);
    }
    if (!batch.feedback.empty()) learn_from_words(batch.feedback);
    publish();
  }
  {
    std::lock_guard lock(places_mutex_);
    waiting_ -= decisions;
    feedback_waiting_ -= feedbacks;
    if (!done) dropped_ += decisions;
  }
  for (auto& item : items) {
    if (item.done) item.done({});
    if (item.barrier) item.barrier->set_value(done);
  }
  batch.passed.clear();
  spare_passed_ = std::move(batch.passed);
}

/// Tells memory what was committed.
void LearnerImpl::make_true(PendingChanges& changes, const LearnerFigures& counts) {
  const auto commits = counts_.commits;
  const auto failures = counts_.commit_failures;
  counts_ = counts;
  counts_.evicted_skills += changes.evicted_skills();
  counts_.evicted_guides += changes.evicted_guides();
  counts_.commits = commits;
  counts_.commit_failures = failures;
  ids_ = changes.ids();
  if (options_.memory.readers == Readers::kOwnersThread) {
    // Held, it would have to become a view of its own.
    std::lock_guard lock(published_mutex_);
    snapshot_ = nullptr;
  }
  changes.apply(memory_);
  keep_bounds();
}

/// In a transaction of its own behind the one that holds the words: a word that could not be kept, of which
/// its client was told, must not have taught either.
void LearnerImpl::learn_from_words(const std::vector<Feedback>& words) {
  PendingChanges changes(memory_, ids_);
  LearnerFigures counts = counts_;
  for (const auto& word : words) {
    if (!word.score) continue;
    if (const auto said = served_by_weak_.hear(word)) {
      learn_from_feedback(*said, word, changes, counts);
    } else {
      ++counts.feedback_unused;
    }
  }
  changes.evict();
  WriteBatch batch;
  changes.write_to(batch);
  batch.forget_outcomes.insert(batch.forget_outcomes.end(), forget_outcomes_.begin(), forget_outcomes_.end());
  batch.forget_partitions = forget_partitions_;
  for (const auto& partition : forget_partitions_) batch.forget_settings.push_back(scores_setting(partition));
  std::vector<Item> nobody_waits;
  if (batch.empty() || commit(batch, nobody_waits)) make_true(changes, counts);
}

/// True once the batch is on disk. Until then it is tried again, for what is waiting was promised to be kept;
/// only a stop ends that. Feedback is answered with the error at once, so that its client knows.
bool LearnerImpl::commit(WriteBatch& batch, std::vector<Item>& items) {
  Milliseconds pause = options_.retry_first;
  while (true) {
    auto written = store_.commit(batch);
    if (written) {
      ++counts_.commits;
      if (failing_.exchange(false)) spdlog::info("learning: the store takes writes again");
      return true;
    }
    ++counts_.commit_failures;
    if (!failing_.exchange(true))
      spdlog::error("learning: {} ({})", written.error().message, written.error().code);
    for (auto& item : items) {
      if (item.done) std::exchange(item.done, nullptr)(written);
    }
    batch.feedback.clear();
    {
      // Failures show in the figures while they last.
      std::lock_guard lock(published_mutex_);
      published_.commit_failures = counts_.commit_failures;
    }
    if (options_.mode == LearnerMode::kInline) return false;
    std::unique_lock lock(places_mutex_);
    if (stopped_ || stopping_.wait_for(lock, pause, [&] { return stopped_; })) {
      lock.unlock();
      // One last try, for the fault may be over.
      if (store_.commit(batch)) {
        ++counts_.commits;
        failing_ = false;
        return true;
      }
      spdlog::error("learning: stopping with {} decisions that could not be written", decisions_of(batch));
      return false;
    }
    pause = std::min(pause * 2, options_.retry_max);
  }
}

void LearnerImpl::publish() {
  auto next = memory_.publish();
  LearnerFigures figures = counts_;
  figures.memory = memory_.figures();
  std::lock_guard lock(published_mutex_);
  snapshot_ = std::move(next);
  published_ = figures;
}

}  // namespace

Result<std::unique_ptr<Learner>> make_learner(Store& store, const Clock& clock, LearnerOptions options) {
  auto learner = std::make_unique<LearnerImpl>(store, clock, std::move(options));
  if (auto loaded = learner->load(); !loaded) return tl::unexpected(loaded.error());
  learner->start();
  return std::unique_ptr<Learner>(std::move(learner));
}

}  // namespace brevet
