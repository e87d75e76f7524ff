#include "dataset/orders.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>
#include <map>
#include <numeric>

#include "base/random.h"

namespace brevet {
namespace {

constexpr double kRepeatShareMax = .9;
constexpr double kDefaultRepeats = .3, kDefaultParaphrases = .5;
constexpr std::size_t kDefaultTurns = 4, kTurnsMax = 1000;
// How far a question strays from its topic's place in a drifting order, as a share of the whole: wide enough
// that any stretch of a tenth mixes several topics.
constexpr double kDriftWidth = .25;

double unit(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1.0p-53;
}

void shuffle(std::vector<std::uint32_t>& items, std::uint64_t key) {
  for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[mix_bits(key, i) % i]);
}

/// Topic numbers in seeded order, each with its questions shuffled.
std::vector<std::vector<std::uint32_t>> shuffled_topics(const std::vector<std::uint32_t>& topic,
                                                        std::uint64_t key) {
  std::map<std::uint32_t, std::vector<std::uint32_t>> by_topic;
  for (std::uint32_t q = 0; q < topic.size(); ++q) by_topic[topic[q]].push_back(q);
  std::vector<std::uint32_t> numbers;
  for (const auto& [number, questions] : by_topic) numbers.push_back(number);
  shuffle(numbers, mix_bits(key, 1));
  std::vector<std::vector<std::uint32_t>> out;
  for (const auto number : numbers) {
    out.push_back(std::move(by_topic[number]));
    shuffle(out.back(), mix_bits(key, 1000 + number));
  }
  return out;
}

std::vector<std::uint32_t> base_order(std::size_t questions, const std::vector<std::uint32_t>& topic,
                                      OrderKind kind, std::uint64_t key) {
  std::vector<std::uint32_t> out;
  out.reserve(questions);
  if (kind == OrderKind::kRandom || topic.empty()) {
    out.resize(questions);
    std::iota(out.begin(), out.end(), 0u);
    shuffle(out, mix_bits(key, 0));
    return out;
  }
  const auto topics = shuffled_topics(topic, key);
  if (kind == OrderKind::kTopicBlocked) {
    for (const auto& block : topics) out.insert(out.end(), block.begin(), block.end());
    return out;
  }
  std::vector<std::pair<double, std::uint32_t>> placed;
  double before = 0;
  for (const auto& block : topics) {
    const double size = static_cast<double>(block.size()) / static_cast<double>(questions);
    for (const auto q : block) {
      // A place inside the topic's own stretch, moved by a triangular stray.
      const double inside = before + size * unit(mix_bits(mix_bits(key, 2), q));
      const double stray = unit(mix_bits(mix_bits(key, 3), q)) + unit(mix_bits(mix_bits(key, 4), q)) - 1;
      placed.emplace_back(inside + kDriftWidth * stray, q);
    }
    before += size;
  }
  std::sort(placed.begin(), placed.end());
  for (const auto& [place, q] : placed) out.push_back(q);
  return out;
}

void add_sessions(std::vector<OrderedRequest>& requests, const std::vector<std::uint32_t>& topic,
                  std::size_t turns_max, std::uint64_t key) {
  struct Open {
    std::uint32_t session = 0;
    std::size_t left = 0;
  };
  std::map<std::uint32_t, Open> open;
  std::uint32_t next = 0;
  for (auto& request : requests) {
    if (turns_max <= 1) {
      request.session = next++;
      continue;
    }
    auto& session = open[topic.empty() ? 0 : topic[request.question]];
    if (session.left == 0) {
      session.session = next++;
      session.left = 1 + mix_bits(mix_bits(key, 6), session.session) % turns_max;
    }
    --session.left;
    request.session = session.session;
  }
}

std::string short_number(double value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

tl::unexpected<Error> bad_order(std::string_view text, const std::string& why) {
  return fail(
      ErrorKind::kCallerInvalid, "bad_order",
      "The order \"" + std::string(text) + "\" " + why +
          "; it is random, topic-blocked, drifting, repeats, paraphrases or multi-turn, with +repeats=SHARE, "
          "+paraphrases=SHARE or +sessions=TURNS added, such as random+repeats=.3.",
      "order");
}

}  // namespace

const char* name_of(OrderKind kind) {
  switch (kind) {
    case OrderKind::kRandom:
      return "random";
    case OrderKind::kTopicBlocked:
      return "topic-blocked";
    case OrderKind::kDrifting:
      return "drifting";
  }
  return "random";
}

Result<OrderOptions> parse_order(std::string_view text) {
  OrderOptions out;
  bool repeats_given = false;
  for (std::size_t at = 0, part_number = 0; at <= text.size(); ++part_number) {
    const auto end = std::min(text.find('+', at), text.size());
    const auto part = text.substr(at, end - at);
    at = end + 1;
    const auto equals = part.find('=');
    const auto name = part.substr(0, equals);
    if (part_number == 0) {
      if (part == "random" || part == "repeats" || part == "paraphrases" || part == "multi-turn") {
        out.kind = OrderKind::kRandom;
        if (part == "repeats") out.repeat_share = kDefaultRepeats;
        if (part == "paraphrases") out.paraphrase_share = kDefaultParaphrases;
        if (part == "multi-turn") out.session_turns = kDefaultTurns;
      } else if (part == "topic-blocked") {
        out.kind = OrderKind::kTopicBlocked;
      } else if (part == "drifting") {
        out.kind = OrderKind::kDrifting;
      } else {
        return bad_order(text, "starts with an unknown kind");
      }
      continue;
    }
    double value = 0;
    const auto digits = equals == std::string_view::npos ? std::string_view{} : part.substr(equals + 1);
    const auto [stop, code] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (code != std::errc{} || stop != digits.data() + digits.size() || digits.empty())
      return bad_order(text, "has a part without a number");
    if (name == "repeats" && value >= 0 && value <= kRepeatShareMax) {
      out.repeat_share = value;
      repeats_given = true;
    } else if (name == "paraphrases" && value >= 0 && value <= 1) {
      out.paraphrase_share = value;
    } else if (name == "sessions" && value >= 1 && value <= static_cast<double>(kTurnsMax)) {
      out.session_turns = static_cast<std::size_t>(value);
    } else {
      return bad_order(text, "has an unknown part or a number out of its range");
    }
  }
  if (out.paraphrase_share > 0 && out.repeat_share == 0) {
    if (repeats_given) return bad_order(text, "asks for paraphrases of no repeats");
    out.repeat_share = kDefaultRepeats;
  }
  return out;
}

std::string order_text(const OrderOptions& options) {
  std::string out = name_of(options.kind);
  if (options.repeat_share > 0) out += "+repeats=" + short_number(options.repeat_share);
  if (options.paraphrase_share > 0) out += "+paraphrases=" + short_number(options.paraphrase_share);
  if (options.session_turns > 1) out += "+sessions=" + std::to_string(options.session_turns);
  return out;
}

std::vector<OrderedRequest> make_order(std::size_t questions, const std::vector<std::uint32_t>& topic,
                                       const OrderOptions& options, std::uint64_t seed) {
  assert(topic.empty() || topic.size() == questions);
  const auto key = mix_bits(seed, 0x0BDE5);
  const auto base = base_order(questions, topic, options.kind, key);

  // A first asking has its place as number; a repeat a real number after it.
  std::vector<std::pair<double, OrderedRequest>> placed;
  for (std::size_t i = 0; i < base.size(); ++i) placed.push_back({static_cast<double>(i), {base[i], 0, 0}});
  if (questions > 0 && options.repeat_share > 0) {
    const double share = std::min(options.repeat_share, kRepeatShareMax);
    const auto wanted = static_cast<std::size_t>(static_cast<double>(questions) * share / (1 - share) + .5);
    const auto room = options.requests_max > questions ? options.requests_max - questions : 0;
    for (std::size_t r = 0; r < std::min(wanted, room); ++r) {
      const auto coins = mix_bits(mix_bits(key, 5), r);
      const auto first = mix_bits(coins, 0) % questions;
      // Strictly after the first asking: (first, questions].
      const double place =
          static_cast<double>(questions) - unit(mix_bits(coins, 1)) * static_cast<double>(questions - first);
      OrderedRequest request{base[first], 0, 0};
      if (unit(mix_bits(coins, 2)) < options.paraphrase_share)
        request.variant = 1 + static_cast<std::uint32_t>(mix_bits(coins, 3) % kParaphraseVariants);
      placed.push_back({place, request});
    }
    std::stable_sort(placed.begin(), placed.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
  }
  std::vector<OrderedRequest> out;
  out.reserve(std::min(placed.size(), options.requests_max));
  for (const auto& [place, request] : placed) {
    if (out.size() < options.requests_max) out.push_back(request);
  }
  add_sessions(out, topic, options.session_turns, key);
  return out;
}

std::string surface_paraphrase(std::string_view text, std::uint32_t variant) {
  if (variant == 0) return std::string(text);
  static constexpr std::array<std::string_view, 6> kOpenings = {
      "Please help me with this: ", "Hello! ",          "Could you answer this for me? ",
      "I have a question. ",        "Quick question: ", "Hi there, please look at this. "};
  const std::uint32_t pattern = (variant - 1) % kParaphraseVariants;
  const bool flip_case = pattern / 6 % 2 == 1, wide_blanks = pattern / 12 % 2 == 1,
             closing = pattern / 24 % 2 == 1;
  const auto line_end = std::min(text.find('\n'), text.size());
  std::string line(text.substr(0, line_end));
  if (flip_case && !line.empty()) {
    // An abbreviation keeps its capitals.
    const bool abbreviation = line.size() > 1 && line[1] >= 'A' && line[1] <= 'Z';
    if (line[0] >= 'A' && line[0] <= 'Z' && !abbreviation) {
      line[0] = static_cast<char>(line[0] - 'A' + 'a');
    } else if (line[0] >= 'a' && line[0] <= 'z') {
      line[0] = static_cast<char>(line[0] - 'a' + 'A');
    }
  }
  if (wide_blanks) {
    std::string wide;
    bool first = true;
    for (std::size_t i = 0; i < line.size(); ++i) {
      wide += line[i];
      if (line[i] != ' ') continue;
      const bool after_sentence = i > 0 && (line[i - 1] == '.' || line[i - 1] == '?' || line[i - 1] == '!');
      if (first || after_sentence) wide += ' ';
      first = false;
    }
    line = std::move(wide);
  }
  std::string out(kOpenings[pattern % 6]);
  out += line;
  // Behind a list of choices a closing would stand among them.
  if (closing && line_end == text.size()) out += " Thank you!";
  out += text.substr(line_end);
  return out;
}

}  // namespace brevet
