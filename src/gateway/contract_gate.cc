#include "gateway/contract_gate.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "gateway/contract_book.h"
#include "quality/delta_plan.h"
#include "store/varint.h"

namespace brevet {
namespace {

using contract::Book;
using contract::Entry;
using contract::EntryKind;
using contract::Group;

/// A journal is replayed by the arithmetic that wrote it alone.
std::string magic() {
  return fmt::format("BREVET-CONTRACT {}\n", kContractArithmetic);
}
/// Seats whose outcome has not come in time are booked out so many at a time, so that no request pays for
/// many.
constexpr std::size_t kExpiredAtOnce = 64;
/// Compared requests between two looks at whether learning still pays.
constexpr std::uint64_t kWorthEvery = 100;
/// Compared requests before anything is said of what is feasible.
constexpr std::size_t kPairsMin = 100;
/// Requests over which learning must pay back, and after which it is tried again where it did not.
constexpr double kHorizon = 20'000;
/// What a report counts of each refusal.
constexpr std::pair<std::uint64_t GroupReport::*, Refusal> kRefusals[] = {
    {&GroupReport::refused_credit, Refusal::kNoCredit},
    {&GroupReport::refused_certificate, Refusal::kNotCertified},
    {&GroupReport::refused_drift, Refusal::kDriftAlarm},
    {&GroupReport::refused_model, Refusal::kModelChanged},
    {&GroupReport::refused_switch, Refusal::kSwitchedOff},
    {&GroupReport::refused_coins, Refusal::kCoinsRefuted},
};

std::string_view next_tag(std::string_view& tags) {
  const auto comma = tags.find(',');
  auto tag = tags.substr(0, comma);
  tags = comma == std::string_view::npos ? std::string_view{} : tags.substr(comma + 1);
  while (!tag.empty() && tag.front() == ' ') tag.remove_prefix(1);
  while (!tag.empty() && tag.back() == ' ') tag.remove_suffix(1);
  return tag;
}

/// The first declared group that a tag names; the rest is the last one.
std::uint32_t group_of(const ContractTerms& terms, std::string_view tags) {
  while (!tags.empty()) {
    const auto tag = next_tag(tags);
    const auto found = std::find(terms.groups.begin(), terms.groups.end(), tag);
    if (found != terms.groups.end()) return static_cast<std::uint32_t>(found - terms.groups.begin());
  }
  return static_cast<std::uint32_t>(terms.groups.size());
}

std::uint32_t position_of(const Group& group, const ContractQuestion& question) {
  if (!question.checkable) return kNeverRisky;
  if (!question.score || group.thresholds.empty()) return question.risky ? 1 : kNeverRisky;
  for (std::size_t j = 0; j < group.thresholds.size(); ++j) {
    if (*question.score >= group.thresholds[j]) return static_cast<std::uint32_t>(j + 1);
  }
  return kNeverRisky;
}

/// Thresholds that send the best 1/h, 2/h, ... of these scores to the weak model; equal ones are one.
std::vector<double> path_of(std::vector<double> scores, std::size_t positions) {
  std::sort(scores.begin(), scores.end(), std::greater<>());
  std::vector<double> out;
  for (std::size_t j = 1; j < positions; ++j) {
    const double threshold = scores[std::max<std::size_t>(1, scores.size() * j / positions) - 1];
    if (out.empty() || threshold < out.back()) out.push_back(threshold);
  }
  out.push_back(-std::numeric_limits<double>::max());
  return out;
}

ContractOptions options_of(const ContractTerms& terms) {
  ContractOptions out;
  out.retain = terms.retain;
  out.confidence = terms.confidence;
  out.surplus = SurplusKind::kAgreement;
  out.groups = static_cast<std::uint32_t>(terms.groups.size() + 1);
  out.positions = 1;
  out.audit_floor = terms.judge.empty() ? 1 : terms.audit_share;
  out.credit_max = terms.credit_max;
  out.alarm_run_length = terms.alarm_run_length;
  return out;
}

LearningPlanOptions plan_of(const ContractTerms& terms) {
  LearningPlanOptions out;
  out.floor = terms.check_share_min;
  out.budget_share = terms.budget_share;
  out.horizon = kHorizon;
  return out;
}

/// Of everything that a ledger stands on; another text is another promise, with a ledger of its own.
std::string fingerprint_of(const Route& route) {
  auto options = options_of(*route.contract);
  options.key = {};
  std::string text = contract::options_bytes(options) + "|" + route.reference.key() + "|" +
                     (route.contract->judge.empty() ? "checked" : "judged") + "|";
  for (const auto& group : route.contract->groups) text += group + "\n";
  return sha256_hex(text).substr(0, 32);
}

class Gate final : public ContractGate {
 public:
  Gate(ContractGateOptions options, Clock& clock) : options_(std::move(options)), clock_(clock) {}

  Result<> read() {
    if (options_.journal.empty()) return {};
    auto opened = FramedLog::open(options_.journal, magic());
    if (!opened) return fail(opened.error());
    log_ = std::move(opened->log);
    torn_bytes_ = opened->torn_bytes;
    if (torn_bytes_ > 0)
      spdlog::warn(
          "the contract's journal ended in {} bytes of a record that was not finished; they are dropped",
          torn_bytes_);
    for (const auto& record : opened->records) {
      const auto entries = contract::entries_of(record);
      if (!entries) return broken("a record cannot be read");
      for (const auto& entry : *entries) {
        auto& book = books_[entry.book];
        if (!book) book = std::make_unique<Book>(), book->id = entry.book;
        if (!book->contract && entry.kind != EntryKind::kOpened) return broken("a contract is not opened");
        if (!book->apply(entry, {})) return broken("an event does not fit its contract");
        next_book_ = std::max(next_book_, entry.book + 1);
      }
    }
    last_checkpoint_ = log_->bytes();
    for (auto& [id, book] : books_) {
      book->restored_hash = hash_of(*book);
      by_name_[{book->tenant, book->route}] = book.get();
    }
    // Of two promises of one route the later one holds.
    std::erase_if(books_, [&](const auto& held) {
      return by_name_[{held.second->tenant, held.second->route}] != held.second.get();
    });
    for (auto& [id, book] : books_) {
      std::vector<Entry> entries;
      for (std::uint32_t i = 0; i < book->groups.size(); ++i) {
        // Whoever was to find out is gone.
        const auto report = book->contract->report(i);
        if (report.open > 0)
          entries.push_back(event(*book, ExpireEvent{book->contract->next_number() - 1, i, true}));
      }
      if (auto done = write_and_apply(*book, entries); !done) return done;
    }
    return {};
  }

  ContractSeat ask(const Route& route, const ContractQuestion& question) override {
    std::lock_guard lock(mutex_);
    auto seat = blocked(route, question);
    if (!seat.reason.empty()) return seat;
    auto* book = book_of(route, question.tenant);
    if (!book) return unwritable();
    const auto group = group_of(*route.contract, question.tags);
    auto& of = book->groups[group];
    const auto position = position_of(of, question);
    if (!wants_risky(of, question, position)) {
      return book->switched_on ? beyond_path(question) : answer_of(Refusal::kSwitchedOff);
    }
    return answer_of(book->contract->would_refuse(group, position));
  }

  ContractSeat admit(const Route& route, const ContractQuestion& question) override {
    std::lock_guard lock(mutex_);
    auto seat = blocked(route, question);
    auto* book = book_of(route, question.tenant);
    if (!book) return unwritable();
    expire_late(*book);
    const auto group_number = group_of(*route.contract, question.tags);
    auto& group = book->groups[group_number];
    const bool stopped = route.contract->stop || !book->switched_on;
    const bool learns = !stopped && resumes(*book, group);
    const auto position = stopped ? kNeverRisky : position_of(group, question);
    std::vector<Entry> entries;

    ShadowQuestion asked;
    asked.risky_cost = book->risky_cost();
    asked.loss_second_moment = group.moment_n > 0 ? group.moment_sum / static_cast<double>(group.moment_n)
                                                  : asked.loss_second_moment;
    const auto first = book->contract->would_refuse(group_number, 1);
    asked.certified_any = first == Refusal::kNone || first == Refusal::kNoCredit;
    auto odds = group.plan->odds(asked);
    if (!learns) odds = {0, 0, 0};
    const auto floor = probability_of(odds.floor);
    if (floor != group.floor) entries.push_back(event(*book, FloorEvent{group_number, floor}));

    AdmitEvent admitted;
    admitted.number = book->contract->next_number();
    admitted.group = group_number;
    admitted.wish =
        !question.decided && wants_risky(group, question, position) ? Wish::kRisky : Wish::kReference;
    admitted.position = position;
    admitted.shadow_if_risky = probability_of(odds.if_risky);
    admitted.shadow_if_reference = probability_of(position == kNeverRisky ? 0 : odds.if_reference);
    admitted.judged = !route.contract->judge.empty();
    admitted.answered = question.decided;
    admitted.audit = probability_of(admitted.judged ? route.contract->audit_share : 1);
    entries.push_back(event(*book, admitted));
    if (!write(entries)) return unwritable();
    for (const auto& entry : entries) {
      if (&entry != &entries.back()) (void)book->apply(entry, plan_of(*route.contract));
    }
    const auto admission = book->contract->admit(admitted);
    if (admission.alarm) note_alarm(*book, group_number);

    ContractSeat out = seat;
    if (seat.reason.empty()) {
      out = stopped ? answer_of(Refusal::kSwitchedOff) : answer_of(admission.refusal);
      if (!stopped && admission.refusal == Refusal::kNone && admission.served == Served::kReference)
        out = beyond_path(question);
    }
    out.book = book->id;
    out.number = admission.number;
    out.group = group_number;
    out.risky = admission.served == Served::kRisky;
    out.shadow = admission.shadow;
    out.audit = admission.audit;
    out.judged = admitted.judged;
    out.probability = admission.probability.value();
    if (out.risky) out.reason.clear(), out.sentence.clear();
    if (question.risky && !question.checkable) ++book->uncheckable;
    if (!question.refused.empty()) ++group.refused[std::string(question.refused)];

    const double shadow_cost = !out.shadow ? 0 : out.risky ? 1 : asked.risky_cost;
    group.reference_total += 1;
    group.spent_total += shadow_cost;
    group.plan->admitted(1, shadow_cost, asked.loss_second_moment);
    if (out.shadow) {
      book->waited_for.insert(out.number);
      book->open.push_back({out.number, group_number, clock_.steady() + route.contract->outcome_timeout});
      if (group.asked.size() >= contract::kAskedMax) group.asked.erase(group.asked.begin());
      group.asked[out.number] = {question.score.value_or(question.risky ? 1 : 0),
                                 out.probability > 0 ? 1 / out.probability : 1};
    }
    if (question.score && question.checkable && group.thresholds.empty())
      note_score(*book, group_number, *question.score, *route.contract);
    checkpoint_if_large();
    return out;
  }

  void settle(const ContractSeat& seat, const ContractFinding& finding) override {
    std::lock_guard lock(mutex_);
    auto* book = find(seat);
    if (!book) return;
    SettleEvent settled;
    settled.number = seat.number;
    settled.group = seat.group;
    if (finding.checked) settled.truth = Qualities{1, *finding.checked ? 1.0 : 0.0};
    if (seat.judged) settled.judged = Qualities{1, finding.judged.value_or(false) ? 1.0 : 0.0};
    book->waited_for.erase(seat.number);
    auto& group = book->groups[seat.group];
    const bool same = finding.checked.value_or(finding.judged.value_or(false));
    ++group.comparisons;
    group.plan->compared();
    group.agreed += same ? 1 : 0;
    group.cannot_tell += finding.cannot_tell ? 1 : 0;
    const double retain = book->contract->options().retain;
    const double surplus = risky_surplus(SurplusKind::kAgreement, retain, {1, same ? 1.0 : 0.0});
    group.moment_sum += surplus * surplus;
    ++group.moment_n;
    const auto asked = group.asked.find(seat.number);
    if (asked != group.asked.end()) {
      if (group.pairs.size() >= kPairsKept) group.pairs.pop_front();
      // Of feasible_share(): the higher, the rather it needs the reference.
      group.pairs.push_back({-asked->second.first, {1, same ? 1.0 : 0.0}, asked->second.second});
      group.asked.erase(asked);
    }
    book_outcome(*book, settled);
    if (group.comparisons % kWorthEvery == 0) look_at_worth(*book, seat.group);
  }

  void answered(const ContractSeat& seat) override {
    std::lock_guard lock(mutex_);
    auto* book = find(seat);
    if (!book) return;
    SettleEvent settled;
    settled.number = seat.number;
    settled.group = seat.group;
    settled.reference = 1;
    book_outcome(*book, settled);
  }

  void expire(const ContractSeat& seat) override {
    std::lock_guard lock(mutex_);
    auto* book = find(seat);
    if (!book) return;
    book->waited_for.erase(seat.number);
    book->groups[seat.group].asked.erase(seat.number);
    book_expiry(*book, {seat.number, seat.group, false});
  }

  void outside(const Route& route, std::string_view tenant) override {
    std::lock_guard lock(mutex_);
    if (auto* book = book_of(route, tenant)) ++book->outside;
  }

  void saw_model(const Route& route, std::string_view tenant, const Configuration& configuration,
                 const std::string& returned_id) override {
    if (returned_id.empty()) return;
    std::lock_guard lock(mutex_);
    auto* book = book_of(route, tenant);
    if (!book) return;
    const auto key = configuration.model;
    const auto& ids = book->model_ids[key];
    if (std::find(ids.begin(), ids.end(), returned_id) != ids.end() || ids.size() >= contract::kModelIdsMax)
      return;
    const bool first = ids.empty();
    Entry entry{EntryKind::kModel, book->id, {}};
    varint::put(entry.body, std::string_view(key));
    varint::put(entry.body, std::string_view(returned_id));
    std::vector<Entry> entries{entry};
    if (!first) {
      spdlog::warn(
          "route {}: {} answers as {}, which was never seen before; what its contract had certified is "
          "taken back",
          route.name, key, returned_id);
      for (std::uint32_t i = 0; i < book->groups.size(); ++i)
        entries.push_back(event(*book, RestartEvent{i, RestartEvent::Why::kModelChanged}));
      for (auto& group : book->groups)
        group.pairs.clear(), group.stop = LearningStop::kGoesOn, group.resume_at = 0;
    }
    (void)write_and_apply(*book, entries);
  }

  void saw_cost(const Route& route, std::string_view tenant, const Configuration& configuration,
                const Cost& cost) override {
    if (!cost.amount) return;
    std::lock_guard lock(mutex_);
    auto* book = book_of(route, tenant);
    if (!book) return;
    const bool reference = configuration == route.reference;
    (reference ? book->reference_cost : book->other_cost) += static_cast<double>(cost.amount->pico_usd);
    ++(reference ? book->reference_costs : book->other_costs);
  }

  Result<> set_switch(const std::string& tenant, const std::string& route, bool on) override {
    std::lock_guard lock(mutex_);
    const auto found = by_name_.find({tenant, route});
    if (found == by_name_.end()) {
      return fail(ErrorKind::kCallerNotFound, "no_contract",
                  fmt::format("Route '{}' has no contract, or has not served a request under it yet.", route),
                  "route");
    }
    auto& book = *found->second;
    if (book.switched_on == on) return {};
    return write_and_apply(book, {event(book, SwitchEvent{on})});
  }

  std::vector<ContractState> states() const override {
    std::lock_guard lock(mutex_);
    std::vector<ContractState> out;
    for (const auto& [name, book] : by_name_) {
      // Read from the journal and not asked for since: its route may be gone.
      if (book->weak.empty()) continue;
      out.push_back(state_of(*book));
    }
    return out;
  }

  std::vector<MetricSample> samples() const override;

 private:
  static Result<> broken(const char* why) {
    return fail(
        ErrorKind::kInternal, "contract_journal_broken",
        fmt::format("The contract's journal cannot be replayed: {}. Restore it from a backup, or move it "
                    "away: then every contract starts anew, with nothing certified.",
                    why));
  }

  static Entry event(const Book& book, const ContractEvent& what) {
    return {EntryKind::kEvent, book.id, event_bytes(what)};
  }

  Result<> write(const std::vector<Entry>& entries) {
    if (!log_) return {};
    std::string payload;
    for (const auto& entry : entries) contract::put_entry(payload, entry);
    auto done = log_->append(payload);
    if (!done) {
      if (write_failures_++ == 0) spdlog::error("{}", done.error().message);
      return done;
    }
    return {};
  }

  Result<> write_and_apply(Book& book, const std::vector<Entry>& entries) {
    if (entries.empty()) return {};
    if (auto done = write(entries); !done) return done;
    for (const auto& entry : entries) (void)book.apply(entry, plan_of(book.terms));
    return {};
  }

  void book_outcome(Book& book, const SettleEvent& settled) {
    const auto entry = event(book, settled);
    // An outcome that is not on disk is not booked: it would be lost by a restart, and the bytes would
    // differ.
    if (!write({entry})) return;
    if (book.contract->settle(settled).alarm) note_alarm(book, settled.group);
  }

  bool book_expiry(Book& book, const ExpireEvent& expired) {
    if (!write({event(book, expired)})) return false;
    if (book.contract->expire(expired).alarm) note_alarm(book, expired.group);
    return true;
  }

  static void note_alarm(Book& book, std::uint32_t place) {
    spdlog::warn(
        "route {}: what is served seems to have fallen below the contract; the reference serves until it is "
        "certified again",
        book.route);
    auto& group = book.groups[place];
    group.pairs.clear();
    group.stop = LearningStop::kGoesOn;
    group.resume_at = 0;
  }

  void expire_late(Book& book) {
    const auto now = clock_.steady();
    for (std::size_t n = 0; n < kExpiredAtOnce && !book.open.empty() && book.open.front().deadline <= now;
         ++n) {
      const auto late = book.open.front();
      book.open.pop_front();
      if (book.waited_for.erase(late.number) == 0) continue;
      book.groups[late.group].asked.erase(late.number);
      if (!book_expiry(book, {late.number, late.group, false})) return;
    }
  }

  /// Learning that was stopped is tried again when its horizon has passed.
  static bool resumes(const Book& book, Group& group) {
    if (group.stop == LearningStop::kGoesOn) return true;
    if (book.contract->next_number() < group.resume_at) return false;
    group.stop = LearningStop::kGoesOn;
    group.pairs.clear();
    return true;
  }

  void look_at_worth(Book& book, std::uint32_t place) {
    auto& group = book.groups[place];
    const auto report = book.contract->report(place);
    if (report.certified > 0) return;  // what is certified must go on being watched
    const auto feasible = feasible_of(book, group);
    if (!feasible) return;
    LearningProspect prospect;
    prospect.share_max = feasible->share_high;
    prospect.saving_per_risky = 1 - book.risky_cost();
    prospect.requests_needed = report.requests_until_next.value_or(0);
    prospect.cost_per_request = group.reference_total > 0 ? group.spent_total / group.reference_total : 0;
    const auto worth = group.plan->worth(prospect);
    if (worth != LearningStop::kDoesNotPay && worth != LearningStop::kNothingToGain) return;
    group.stop = worth;
    group.resume_at = book.contract->next_number() + static_cast<std::uint64_t>(kHorizon);
    spdlog::info("route {}: the contract stops learning for {} requests: {}", book.route,
                 static_cast<std::uint64_t>(kHorizon),
                 worth == LearningStop::kDoesNotPay
                     ? "it would cost more than it can save"
                     : "no share of the requests can be kept by the weak model");
  }

  static std::optional<FeasibleShare> feasible_of(const Book& book, const Group& group) {
    if (group.pairs.size() < kPairsMin) return std::nullopt;
    const std::vector<ScoredPair> pairs(group.pairs.begin(), group.pairs.end());
    return feasible_share(pairs, SurplusKind::kAgreement, book.contract->options().retain);
  }

  void note_score(Book& book, std::uint32_t place, double score, const ContractTerms& terms) {
    auto& group = book.groups[place];
    group.scores.push_back(score);
    if (group.scores.size() < kScoresForPath || terms.thresholds < 2) return;
    const auto path = path_of(group.scores, terms.thresholds);
    Entry entry{EntryKind::kPath, book.id, {}};
    varint::put(entry.body, std::uint64_t{place});
    varint::put(entry.body, std::uint64_t{path.size()});
    for (const double threshold : path) varint::put(entry.body, std::bit_cast<std::uint64_t>(threshold));
    // The path of one position is what the strategy itself chose; its evidence is of other thresholds.
    (void)write_and_apply(book,
                          {entry, event(book, FreezeEvent{place, static_cast<std::uint32_t>(path.size())}),
                           event(book, AdoptEvent{place})});
    group.pairs.clear();
  }

  static bool wants_risky(const Group& group, const ContractQuestion& question, std::uint32_t position) {
    if (position == kNeverRisky) return false;
    return question.score && !group.thresholds.empty() ? true : question.risky;
  }

  /// A seat for which nobody asks the contract: the configuration has stopped it, or nothing could be
  /// compared.
  static ContractSeat blocked(const Route& route, const ContractQuestion& question) {
    ContractSeat out;
    if (route.contract->stop) {
      out.reason = code_of(Refusal::kSwitchedOff);
      out.sentence = "The contract is stopped by its configuration.";
    } else if (question.risky && !question.checkable) {
      out.reason = "contract_not_checkable";
      out.sentence =
          "its answer could not be compared with the reference's afterwards, so the contract could not count "
          "it.";
    }
    return out;
  }

  static ContractSeat answer_of(Refusal refusal) {
    ContractSeat out;
    out.risky = refusal == Refusal::kNone;
    out.reason = code_of(refusal);
    out.sentence = sentence_of(refusal);
    return out;
  }

  static ContractSeat beyond_path(const ContractQuestion& question) {
    ContractSeat out;
    if (!question.risky) return out;
    out.reason = code_of(Refusal::kNotCertified);
    out.sentence = sentence_of(Refusal::kNotCertified);
    return out;
  }

  static ContractSeat unwritable() {
    ContractSeat out;
    out.reason = "contract_unwritable";
    out.sentence = "The contract's journal cannot be written, so nothing can be booked.";
    return out;
  }

  Book* find(const ContractSeat& seat) {
    const auto found = books_.find(seat.book);
    return found == books_.end() || seat.number == 0 ? nullptr : found->second.get();
  }

  /// The contract of this tenant and route, opened where there is none; null where it cannot be written.
  Book* book_of(const Route& route, std::string_view tenant) {
    const auto name = std::make_pair(std::string(tenant), route.name);
    auto found = by_name_.find(name);
    if (found != by_name_.end() && found->second->terms.key == route.contract->key &&
        !found->second->weak.empty())
      return found->second;
    const auto fingerprint = fingerprint_of(route);
    if (found == by_name_.end() || found->second->fingerprint != fingerprint) {
      if (books_.size() >= kContractsMax && found == by_name_.end()) return nullptr;
      auto options = options_of(*route.contract);
      options.key = options_.new_key();
      auto made = std::make_unique<Book>();
      made->id = next_book_;
      Entry entry{EntryKind::kOpened, made->id, {}};
      varint::put(entry.body, tenant);
      varint::put(entry.body, std::string_view(route.name));
      varint::put(entry.body, std::string_view(fingerprint));
      varint::put(entry.body, std::string_view(contract::options_bytes(options)));
      Entry version{EntryKind::kVersion, made->id, route.contract->version};
      if (!write({entry, version})) return nullptr;
      if (!made->apply(entry, plan_of(*route.contract))) return nullptr;
      (void)made->apply(version, {});
      ++next_book_;
      // Another promise: the ledger of the old one has nothing to say of it.
      if (found != by_name_.end()) books_.erase(found->second->id);
      found = by_name_.insert_or_assign(name, made.get()).first;
      books_[made->id] = std::move(made);
    }
    take_terms(*found->second, route);
    return found->second;
  }

  /// The terms of the route as it is now; another version is certified anew, by the same ledger.
  void take_terms(Book& book, const Route& route) {
    book.terms = *route.contract;
    book.weak = route.weak.key();
    book.reference = route.reference.key();
    for (auto& group : book.groups) contract::refill_plan(group, plan_of(book.terms));
    if (book.version == route.contract->version) return;
    std::vector<Entry> entries{{EntryKind::kVersion, book.id, route.contract->version}};
    for (std::uint32_t i = 0; i < book.groups.size(); ++i) {
      if (!book.groups[i].thresholds.empty()) {
        Entry path{EntryKind::kPath, book.id, {}};
        varint::put(path.body, std::uint64_t{i});
        varint::put(path.body, std::uint64_t{0});
        entries.push_back(std::move(path));
      }
      entries.push_back(event(book, FreezeEvent{i, 1}));
      entries.push_back(event(book, AdoptEvent{i}));
      entries.push_back(event(book, RestartEvent{i, RestartEvent::Why::kOperator}));
      book.groups[i].pairs.clear();
    }
    (void)write_and_apply(book, entries);
  }

  void checkpoint_if_large() {
    if (!log_ || log_->bytes() < std::max(options_.journal_bytes_max, 4 * last_checkpoint_)) return;
    std::vector<std::string> records;
    for (const auto& [id, book] : books_) records.push_back(checkpoint_of(*book));
    if (auto done = log_->replace(records); !done) spdlog::error("{}", done.error().message);
    last_checkpoint_ = log_->bytes();
  }

  static std::string checkpoint_of(const Book& book) {
    std::string out;
    Entry opened{EntryKind::kOpened, book.id, {}};
    varint::put(opened.body, std::string_view(book.tenant));
    varint::put(opened.body, std::string_view(book.route));
    varint::put(opened.body, std::string_view(book.fingerprint));
    varint::put(opened.body, std::string_view(contract::options_bytes(book.contract->options())));
    contract::put_entry(out, opened);
    contract::put_entry(out, {EntryKind::kVersion, book.id, book.version});
    contract::put_entry(out, {EntryKind::kCheckpoint, book.id, book.contract->state()});
    for (std::size_t i = 0; i < book.groups.size(); ++i) {
      const auto& group = book.groups[i];
      if (!group.thresholds.empty()) {
        Entry path{EntryKind::kPath, book.id, {}};
        varint::put(path.body, std::uint64_t{i});
        varint::put(path.body, std::uint64_t{group.thresholds.size()});
        for (const double threshold : group.thresholds)
          varint::put(path.body, std::bit_cast<std::uint64_t>(threshold));
        contract::put_entry(out, path);
      }
      Entry totals{EntryKind::kTotals, book.id, {}};
      varint::put(totals.body, std::uint64_t{i});
      varint::put(totals.body, std::bit_cast<std::uint64_t>(group.reference_total));
      varint::put(totals.body, std::bit_cast<std::uint64_t>(group.spent_total));
      varint::put(totals.body, group.comparisons);
      varint::put(totals.body, group.agreed);
      varint::put(totals.body, group.cannot_tell);
      contract::put_entry(out, totals);
    }
    for (const auto& [configuration, ids] : book.model_ids) {
      for (const auto& model_id : ids) {
        Entry entry{EntryKind::kModel, book.id, {}};
        varint::put(entry.body, std::string_view(configuration));
        varint::put(entry.body, std::string_view(model_id));
        contract::put_entry(out, entry);
      }
    }
    return out;
  }

  /// With what was refused before a seat was taken.
  static GroupReport report_of(const Book& book, std::uint32_t place) {
    auto out = book.contract->report(place);
    const auto& refused = book.groups[place].refused;
    for (const auto& [count, why] : kRefusals) {
      const auto found = refused.find(code_of(why));
      if (found != refused.end()) out.*count += found->second;
    }
    return out;
  }

  static std::string hash_of(const Book& book) { return sha256_hex(book.contract->state()).substr(0, 16); }

  ContractState state_of(const Book& book) const {
    ContractState out;
    out.tenant = book.tenant;
    out.route = book.route;
    out.terms = book.terms;
    out.weak = book.weak;
    out.reference = book.reference;
    out.switched_on = book.switched_on && !book.terms.stop;
    out.coins_refuted = book.contract->coin_audit().refuted();
    out.uncheckable = book.uncheckable;
    out.outside = book.outside;
    out.state_hash = hash_of(book);
    out.restored_hash = book.restored_hash;
    for (const auto& [configuration, ids] : book.model_ids) out.model_ids.emplace_back(configuration, ids);
    for (std::uint32_t i = 0; i < book.groups.size(); ++i) {
      const auto& group = book.groups[i];
      ContractGroupState state;
      if (i < book.terms.groups.size()) state.name = book.terms.groups[i];
      state.report = report_of(book, i);
      state.thresholds = group.thresholds;
      state.scores_seen = group.scores.size();
      state.learning = group.stop;
      state.compared = group.comparisons;
      state.agreed = group.agreed;
      state.cannot_tell = group.cannot_tell;
      state.checks_spent_share = group.reference_total > 0 ? group.spent_total / group.reference_total : 0;
      state.feasible = feasible_of(book, group);
      const DeltaPlan deltas{book.terms.confidence, static_cast<std::uint32_t>(book.groups.size())};
      EntryFee fee;
      fee.retain = book.terms.retain;
      fee.delta = deltas.ledger();
      fee.reference_quality = 1;  // under agreement the reference agrees with itself
      if (group.moment_n > 0) fee.loss_second_moment = group.moment_sum / static_cast<double>(group.moment_n);
      state.entry_fee = entry_fee_requests(fee);
      out.groups.push_back(std::move(state));
    }
    return out;
  }

  const ContractGateOptions options_;
  Clock& clock_;

  mutable std::mutex mutex_;
  // All below guarded by mutex_.
  std::unique_ptr<FramedLog> log_;
  std::map<std::uint64_t, std::unique_ptr<Book>> books_;
  std::map<std::pair<std::string, std::string>, Book*> by_name_;  ///< by tenant and route
  std::uint64_t next_book_ = 1;
  std::uint64_t last_checkpoint_ = 0;
  std::uint64_t write_failures_ = 0;
  std::uint64_t torn_bytes_ = 0;
};

std::vector<MetricSample> Gate::samples() const {
  std::lock_guard lock(mutex_);
  std::vector<MetricSample> out;
  const auto add = [&](const char* name, const char* help, bool counter,
                       std::vector<std::pair<std::string, std::string>> labels, double value) {
    out.push_back({name, help, counter, std::move(labels), value});
  };
  // Tenants are summed, as everywhere; what cannot be summed is the worst of them.
  std::map<std::pair<std::string, std::string>, std::vector<GroupReport>> reports;
  for (const auto& [name, book] : by_name_) {
    if (book->weak.empty()) continue;
    for (std::uint32_t i = 0; i < book->groups.size(); ++i) {
      const auto group = i < book->terms.groups.size() ? book->terms.groups[i] : std::string("rest");
      reports[{book->route, group}].push_back(report_of(*book, i));
    }
  }
  for (const auto& [where, rows] : reports) {
    const std::vector<std::pair<std::string, std::string>> labels{{"route", where.first},
                                                                  {"group", where.second}};
    GroupReport sum;
    double credit = std::numeric_limits<double>::infinity();
    double certified = 1;
    for (const auto& row : rows) {
      sum.requests += row.requests, sum.risky += row.risky, sum.shadows += row.shadows;
      sum.expired += row.expired, sum.alarms += row.alarms, sum.open += row.open;
      for (const auto& [counted, why] : kRefusals) sum.*counted += row.*counted;
      sum.restarts += row.restarts;
      credit = std::min(credit, row.credit);
      certified =
          std::min(certified, row.positions == 0 ? 0.0 : static_cast<double>(row.certified) / row.positions);
    }
    const auto count = [&](const char* name, const char* help, std::uint64_t value) {
      add(name, help, true, labels, static_cast<double>(value));
    };
    count("brevet_contract_requests_total", "Requests under a contract.", sum.requests);
    count("brevet_contract_weak_total", "Of these, served without the reference.", sum.risky);
    count("brevet_contract_checks_total", "Requests of which both answers were to be compared.", sum.shadows);
    count("brevet_contract_expired_total", "Comparisons that never came and count as the worst.",
          sum.expired);
    count("brevet_contract_alarms_total", "Times that what was served fell below the contract.", sum.alarms);
    count("brevet_contract_restarts_total", "Times that what was certified was taken back.", sum.restarts);
    for (const auto& [counted, why] : kRefusals) {
      auto with = labels;
      with.emplace_back("reason", code_of(why).substr(std::string_view("contract_").size()));
      add("brevet_contract_refused_total", "Requests that the contract gave to the reference.", true, with,
          static_cast<double>(sum.*counted));
    }
    add("brevet_contract_credit", "Wrong answers that the promise still affords, of the tenant with least.",
        false, labels, credit);
    add("brevet_contract_certified",
        "Share of the path of thresholds that is certified, of the tenant with least.", false, labels,
        certified);
    add("brevet_contract_open", "Comparisons under way.", false, labels, static_cast<double>(sum.open));
  }
  if (log_) {
    add("brevet_contract_journal_bytes", "Size of the contract's journal.", false, {},
        static_cast<double>(log_->bytes()));
    add("brevet_contract_journal_failures_total", "Records that could not be written.", true, {},
        static_cast<double>(write_failures_));
    add("brevet_contract_journal_torn_bytes", "Bytes of an unfinished record dropped at the start.", false,
        {}, static_cast<double>(torn_bytes_));
  }
  return out;
}

}  // namespace

Result<std::unique_ptr<ContractGate>> make_contract_gate(ContractGateOptions options, Clock& clock) {
  auto gate = std::make_unique<Gate>(std::move(options), clock);
  if (auto done = gate->read(); !done) return fail(done.error());
  return std::unique_ptr<ContractGate>(std::move(gate));
}

}  // namespace brevet
