#include "store/passed_record.h"

#include "store/varint.h"

namespace brevet {
namespace {

// The first byte tells it from JSON; another layout takes another byte.
constexpr char kMark = '\x01';
constexpr std::size_t kUsualBytes = 160;

using varint::put;
using varint::put_signed;

void put(std::string& out, const std::optional<std::int64_t>& value) {
  out += value ? '\x01' : '\x00';
  if (value) put_signed(out, *value);
}
void put(std::string& out, const Cost& cost) {
  out += static_cast<char>(cost.basis);
  put(out, cost.amount ? std::optional(cost.amount->pico_usd) : std::nullopt);
}

class Reader : public varint::Reader {
 public:
  using varint::Reader::Reader;
  std::optional<std::int64_t> maybe() {
    if (character() == 0) return std::nullopt;
    return whole();
  }
  Cost cost() {
    Cost out;
    const auto basis = character();
    if (basis < 0 || basis > static_cast<char>(CostBasis::kUnknown)) known_ = false;
    out.basis = static_cast<CostBasis>(basis);
    if (const auto amount = maybe()) out.amount = Money::from_pico(*amount);
    return out;
  }
  /// All was there, known, and nothing is left.
  bool whole_record() const { return good() && known_ && at_end(); }

 private:
  bool known_ = true;
};

enum Flag : unsigned char { kSimulated = 1, kStreamed = 2, kEstimated = 4, kFirstToken = 8 };

bool same(const Reason& a, const Reason& b) {
  return a.code == b.code && a.sentence == b.sentence;
}

/// Nothing is set that the record has no place for.
bool fits(const Decision& d) {
  if (!d.route.empty() || !d.parent_id.empty() || !d.strategy.empty() || d.accepted != 0 || d.learn ||
      d.attempts.size() != 1 || d.steps.size() != 1 || d.state != DecisionState::kServed || d.error ||
      !same(d.steps[0], d.reason))
    return false;
  const auto& partition = d.partition;
  if (!d.request_hash.empty() || !d.draws.empty() || !d.comparisons.empty() || !d.neighbours.empty() ||
      d.snapshot_version != 0 || d.embedding || d.estimate || d.exact_repeat || d.skill_id != 0 ||
      !d.degraded.empty() || !d.would_have.empty() || d.baseline.amount ||
      d.baseline.basis != CostBasis::kUnknown || !d.baseline_note.empty() || d.store_text ||
      !partition.encoder_hash.empty() || !partition.weak.empty() || !partition.reference.empty() ||
      !partition.system_hash.empty())
    return false;
  const auto& attempt = d.attempts[0];
  return attempt.id == 0 && attempt.configuration.plain() && attempt.purpose == Purpose::kServe &&
         attempt.state == AttemptState::kDone && attempt.answer && !attempt.error &&
         !attempt.answer->mean_logprob && !attempt.answer->min_logprob;
}

}  // namespace

bool passed_record(const Decision& d, std::string& out) {
  if (!fits(d)) return false;
  const auto& attempt = d.attempts[0];
  const auto& answer = *attempt.answer;
  out.clear();
  out.reserve(kUsualBytes);
  out += kMark;
  out +=
      static_cast<char>((d.simulated ? kSimulated : 0) | (d.streamed ? kStreamed : 0) |
                        (answer.usage.estimated ? kEstimated : 0) | (attempt.first_token ? kFirstToken : 0));
  put(out, d.number);
  put(out, std::string_view(d.reason.code));
  put(out, std::string_view(d.reason.sentence));
  put(out, std::string_view(d.session));
  put(out, std::string_view(d.tags));
  put(out, d.cost);
  put_signed(out, d.latency.count());
  put_signed(out, d.overhead.count());
  put(out, std::string_view(attempt.configuration.model));
  put(out, std::string_view(answer.returned_model));
  put(out, std::string_view(answer.finish_reason));
  put(out, answer.usage.input_tokens);
  put(out, answer.usage.output_tokens);
  put(out, answer.usage.cached_input_tokens);
  put(out, answer.usage.cache_creation_tokens);
  put(out, answer.usage.reasoning_tokens);
  put(out, attempt.cost);
  put_signed(out, attempt.latency.count());
  if (attempt.first_token) put_signed(out, attempt.first_token->count());
  put_signed(out, attempt.tries);
  return true;
}

bool passed_row(const Decision& decision, PassedRow& out) {
  if (!passed_record(decision, out.record)) return false;
  out.id = decision.id;
  out.time = decision.time;
  out.tenant = decision.tenant;
  return true;
}

std::optional<Decision> decision_of(const PassedRow& row) {
  auto out = from_passed_record(row.record);
  if (!out) return out;
  out->id = row.id;
  out->time = row.time;
  out->tenant = row.tenant;
  return out;
}

bool is_passed_record(std::string_view bytes) {
  return !bytes.empty() && bytes.front() == kMark;
}

std::optional<PassedModels> passed_models(std::string_view bytes) {
  if (!is_passed_record(bytes)) return std::nullopt;
  Reader in(bytes.substr(1));
  PassedModels out;
  (void)in.character();
  out.number = in.number();
  for (int i = 0; i < 4; ++i) (void)in.view();  // code, sentence, session, tags
  (void)in.cost();
  (void)in.whole();  // latency
  (void)in.whole();  // overhead
  out.model = in.view();
  out.returned_model = in.view();
  if (!in.good()) return std::nullopt;
  return out;
}

std::optional<Decision> from_passed_record(std::string_view bytes) {
  if (!is_passed_record(bytes)) return std::nullopt;
  Reader in(bytes.substr(1));
  const auto flags = static_cast<unsigned char>(in.character());
  Decision d;
  Attempt attempt;
  Answer answer;
  d.learn = false;
  d.accepted = 0;
  d.simulated = (flags & kSimulated) != 0;
  d.streamed = (flags & kStreamed) != 0;
  d.number = in.number();
  d.reason.code = in.text();
  d.reason.sentence = in.text();
  d.steps = {d.reason};
  d.session = in.text();
  d.tags = in.text();
  d.cost = in.cost();
  d.latency = Microseconds(in.whole());
  d.overhead = Microseconds(in.whole());
  attempt.configuration.model = in.text();
  attempt.state = AttemptState::kDone;
  answer.returned_model = in.text();
  answer.finish_reason = in.text();
  answer.usage.estimated = (flags & kEstimated) != 0;
  answer.usage.input_tokens = in.maybe();
  answer.usage.output_tokens = in.maybe();
  answer.usage.cached_input_tokens = in.maybe();
  answer.usage.cache_creation_tokens = in.maybe();
  answer.usage.reasoning_tokens = in.maybe();
  attempt.cost = in.cost();
  attempt.latency = Microseconds(in.whole());
  if ((flags & kFirstToken) != 0) attempt.first_token = Microseconds(in.whole());
  attempt.tries = static_cast<int>(in.whole());
  if (!in.whole_record()) return std::nullopt;
  attempt.answer = std::move(answer);
  d.attempts.push_back(std::move(attempt));
  return d;
}

}  // namespace brevet
