#include "upstream/question_families.h"

#include <algorithm>
#include <array>
#include <numeric>

namespace brevet {
namespace {

using Draws = QuestionDraws;
using Draft = QuestionDraft;

std::string str(std::int64_t value) {
  return std::to_string(value);
}
/// Hundredths as "12.50", "12.5" or "12": the shortest exact decimal.
std::string hundredths(std::int64_t value) {
  std::string out = value < 0 ? "-" : "";
  const auto magnitude = value < 0 ? -value : value;
  out += str(magnitude / 100);
  const auto rest = magnitude % 100;
  if (rest == 0) return out;
  out += rest < 10 ? ".0" + str(rest) : "." + str(rest % 10 == 0 ? rest / 10 : rest);
  return out;
}

Draft number(std::vector<std::string> wordings, std::int64_t answer, std::vector<std::int64_t> slips) {
  Draft draft{std::move(wordings), AnswerKind::kNumber, str(answer), {}};
  for (const auto slip : slips) draft.wrongs.push_back(str(slip));
  for (const std::int64_t off : {1, -1, 10, -10, 2}) draft.wrongs.push_back(str(answer + off));
  return draft;
}
Draft decimal(std::vector<std::string> wordings, std::int64_t answer, std::vector<std::int64_t> slips) {
  Draft draft{std::move(wordings), AnswerKind::kNumber, hundredths(answer), {}};
  for (const auto slip : slips) draft.wrongs.push_back(hundredths(slip));
  for (const std::int64_t off : {100, -100, 1000, 50, 25}) draft.wrongs.push_back(hundredths(answer + off));
  return draft;
}
Draft text(std::vector<std::string> wordings, std::string answer, std::vector<std::string> wrongs) {
  return {std::move(wordings), AnswerKind::kText, std::move(answer), std::move(wrongs)};
}

const std::vector<std::string> kNames = {"Ada",   "Bruno", "Chloe", "Dmitri", "Elif",  "Farid",
                                         "Greta", "Hugo",  "Ines",  "Jonas",  "Kemal", "Lena",
                                         "Mateo", "Nadia", "Omar",  "Priya",  "Quinn", "Rosa",
                                         "Sven",  "Tara",  "Umut",  "Vera",   "Wanda", "Yusuf"};
const std::vector<std::string> kThings = {"apples",   "pencils",   "tickets", "bottles",
                                          "stickers", "bricks",    "candles", "marbles",
                                          "badges",   "notebooks", "lemons",  "buttons"};
const std::vector<std::string> kWords = {
    "amber",  "basket", "candle", "dolphin", "engine",  "feather", "garden",  "harbor", "island", "jacket",
    "kettle", "ladder", "magnet", "needle",  "orchid",  "pepper",  "quartz",  "ribbon", "saddle", "timber",
    "umber",  "velvet", "walnut", "yonder",  "zephyr",  "anchor",  "blanket", "copper", "desert", "falcon",
    "goblet", "hammer", "insect", "jungle",  "lantern", "meadow",  "nectar",  "oyster", "pillow", "rocket"};
const std::vector<std::string> kCities = {"Lima",  "Oslo",  "Quito", "Turin", "Gent",
                                          "Porto", "Malmo", "Izmir", "Cork",  "Bern"};

std::vector<std::string> different(Draws& draws, const std::vector<std::string>& from, std::size_t count) {
  std::vector<std::string> out;
  while (out.size() < count) {
    const auto& word = draws.pick(from);
    if (std::find(out.begin(), out.end(), word) == out.end()) out.push_back(word);
  }
  return out;
}
template <class List>
std::string joined(const List& list, const std::string& separator = ", ") {
  std::string out;
  for (const auto& item : list) {
    if (!out.empty()) out += separator;
    if constexpr (std::is_same_v<std::decay_t<decltype(item)>, std::string>) {
      out += item;
    } else {
      out += str(item);
    }
  }
  return out;
}
std::vector<std::int64_t> numbers(Draws& draws, double level, std::size_t count, std::int64_t low,
                                  std::int64_t high) {
  std::vector<std::int64_t> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(draws.scaled(level, low, high));
  return out;
}
std::size_t length(Draws& draws, double level, int low, int high) {
  return static_cast<std::size_t>(draws.scaled(level, low, high));
}

Draft addition(Draws& d, double level) {
  const auto a = d.scaled(level, 20, 90'000) * 7 + d.between(0, 6),
             b = d.scaled(level, 15, 70'000) + d.between(0, 9);
  return number({"What is " + str(a) + " + " + str(b) + "?", "Add " + str(a) + " and " + str(b) + ".",
                 "Compute the sum of " + str(a) + " and " + str(b) + "."},
                a + b, {a + b - 10, a + b + 100});
}
Draft subtraction(Draws& d, double level) {
  const auto b = d.scaled(level, 12, 80'000) + d.between(0, 9),
             a = b + d.scaled(level, 20, 90'000) + d.between(0, 9);
  return number({"What is " + str(a) + " - " + str(b) + "?", "Subtract " + str(b) + " from " + str(a) + ".",
                 "How much larger is " + str(a) + " than " + str(b) + "?"},
                a - b, {a - b + 10, a - b - 100, a + b});
}
Draft multiplication(Draws& d, double level) {
  const auto a = d.scaled(level, 6, 999) + d.between(0, 5), b = d.scaled(level, 4, 480) + d.between(0, 5);
  return number({"What is " + str(a) + " times " + str(b) + "?", "Multiply " + str(a) + " by " + str(b) + ".",
                 "Work out the product of " + str(a) + " and " + str(b) + "."},
                a * b, {a * b + a, a * b - b, a * (b + 1) + 10});
}
Draft remainder(Draws& d, double level) {
  const auto b = d.scaled(level, 3, 90) + d.between(0, 3),
             a = b * d.scaled(level, 5, 900) + d.between(1, b - 1);
  return number({"What is the remainder when " + str(a) + " is divided by " + str(b) + "?",
                 str(a) + " objects are packed into boxes of " + str(b) + ". How many are left over?",
                 "Find " + str(a) + " mod " + str(b) + "."},
                a % b, {a / b, b - a % b, (a % b) + 2});
}
Draft whole_quotient(Draws& d, double level) {
  const auto b = d.scaled(level, 3, 60), a = b * d.scaled(level, 6, 700) + d.between(0, b - 1);
  const auto& thing = d.pick(kThings);
  return number(
      {"How many full boxes of " + str(b) + " can be filled with " + str(a) + " " + thing + "?",
       "Someone packs " + str(a) + " " + thing + ", " + str(b) + " to a box. How many boxes get full?"},
      a / b, {a / b + 1, a % b, a / b - 1});
}
Draft percentage(Draws& d, double level) {
  const auto p = d.scaled(level, 1, 19) * 5, base = d.scaled(level, 4, 900) * 20;
  return number(
      {"What is " + str(p) + "% of " + str(base) + "?", "Find " + str(p) + " percent of " + str(base) + ".",
       "A survey has " + str(base) + " answers; " + str(p) + "% are positive. How many are positive?"},
      p * base / 100, {base - p * base / 100, p * base / 10, p * base / 1000});
}
Draft discount(Draws& d, double level) {
  const auto p = d.scaled(level, 1, 14) * 5, price = d.scaled(level, 3, 240) * 4;
  const auto& thing = d.pick(kThings);
  return decimal({"A crate of " + thing + " costs " + str(price) + " dollars. It is sold at a discount of " +
                      str(p) + "%. What is the new price in dollars?",
                  "Price " + str(price) + " dollars, reduced by " + str(p) + "%. What does the crate of " +
                      thing + " cost now, in dollars?"},
                 price * (100 - p), {price * p, price * (100 + p), price * 100 - p * 100});
}
Draft average(Draws& d, double level) {
  auto list = numbers(d, level, length(d, level, 3, 7), 4, 180);
  const auto count = static_cast<std::int64_t>(list.size());
  list[0] += count - std::accumulate(list.begin(), list.end(), std::int64_t{0}) % count;
  const auto sum = std::accumulate(list.begin(), list.end(), std::int64_t{0});
  auto sorted = list;
  std::sort(sorted.begin(), sorted.end());
  return number(
      {"What is the mean of " + joined(list) + "?",
       "Compute the average of these numbers: " + joined(list) + ".",
       d.pick(kNames) + " scored " + joined(list) + " points in as many games. What was the average?"},
      sum / count, {sorted[sorted.size() / 2], sum, sum / (count + 1)});
}
Draft median(Draws& d, double level) {
  const auto list = numbers(d, level, length(d, level, 1, 4) * 2 + 1, 3, 240);
  auto sorted = list;
  std::sort(sorted.begin(), sorted.end());
  const auto sum = std::accumulate(list.begin(), list.end(), std::int64_t{0});
  return number({"What is the median of " + joined(list) + "?",
                 "Find the middle value of " + joined(list) + " after sorting."},
                sorted[sorted.size() / 2],
                {list[list.size() / 2], sum / static_cast<std::int64_t>(list.size()), sorted[0]});
}
Draft precedence(Draws& d, double level) {
  const auto a = d.scaled(level, 2, 300), b = d.scaled(level, 2, 40), c = d.scaled(level, 2, 30),
             e = d.scaled(level, 1, 60);
  const std::string expression = str(a) + " + " + str(b) + " * " + str(c) + " - " + str(e);
  return number({"Evaluate " + expression + ".", "What is the value of " + expression + "?"}, a + b * c - e,
                {(a + b) * c - e, a + b * (c - e), a + b * c + e});
}
Draft common_divisor(Draws& d, double level) {
  const auto g = d.scaled(level, 2, 48), a = g * d.scaled(level, 2, 25), b = g * d.scaled(level, 3, 31);
  const auto gcd = std::gcd(a, b);
  return number({"What is the greatest common divisor of " + str(a) + " and " + str(b) + "?",
                 "Find the largest whole number that divides both " + str(a) + " and " + str(b) + "."},
                gcd, {gcd * 2, gcd > 2 ? gcd / 2 : gcd + 1, std::min(a, b)});
}
Draft common_multiple(Draws& d, double level) {
  const auto a = d.scaled(level, 3, 60), b = d.scaled(level, 4, 48) + d.between(0, 3);
  const auto lcm = std::lcm(a, b);
  return number(
      {"What is the least common multiple of " + str(a) + " and " + str(b) + "?",
       "Two lights flash every " + str(a) + " and " + str(b) +
           " seconds. They flash together now. After how many seconds do they flash together again?"},
      lcm, {a * b, lcm * 2, a + b});
}
Draft next_prime(Draws& d, double level) {
  const auto start = d.scaled(level, 8, 900) + d.between(0, 12);
  auto prime = [](std::int64_t n) {
    for (std::int64_t i = 2; i * i <= n; ++i) {
      if (n % i == 0) return false;
    }
    return n > 1;
  };
  auto next = start + 1;
  while (!prime(next)) ++next;
  auto after = next + 1;
  while (!prime(after)) ++after;
  return number({"What is the smallest prime number greater than " + str(start) + "?",
                 "Name the first prime after " + str(start) + "."},
                next, {after, next + 2, next + 4});
}
Draft digit_sum(Draws& d, double level) {
  const auto count = length(d, level, 3, 10);
  std::string digits = str(d.between(1, 9));
  while (digits.size() < count) digits += str(d.between(0, 9));
  std::int64_t sum = 0;
  for (const char c : digits) sum += c - '0';
  return number(
      {"What is the sum of the digits of " + digits + "?", "Add up all digits of the number " + digits + "."},
      sum, {sum - (digits.back() - '0'), sum + 9, sum - 9});
}
Draft letter_count(Draws& d, double level) {
  const auto words = different(d, kWords, length(d, level, 1, 6));
  const std::string all = joined(words, " ");
  const char letter = all[static_cast<std::size_t>(d.between(0, 4))];
  const auto count = std::count(all.begin(), all.end(), letter);
  return number({std::string("How many times does the letter '") + letter + "' occur in \"" + all + "\"?",
                 "Count the letter '" + std::string(1, letter) + "' in: " + all},
                count, {count + 1, count > 1 ? count - 1 : count + 2});
}
std::string swapped(std::string word, std::size_t at) {
  if (word.size() > at + 1) std::swap(word[at], word[at + 1]);
  return word;
}
Draft reverse_text(Draws& d, double level) {
  const auto word = joined(different(d, kWords, length(d, level, 1, 3)), "");
  const std::string back(word.rbegin(), word.rend());
  return text(
      {"Write the word \"" + word + "\" backwards.", "Reverse the order of the letters in \"" + word + "\"."},
      back,
      {swapped(back, back.size() / 2), swapped(back, 1), swapped(back, back.size() - 3), back.substr(1)});
}
Draft first_in_alphabet(Draws& d, double level) {
  const auto words = different(d, kWords, length(d, level, 3, 9));
  auto sorted = words;
  std::sort(sorted.begin(), sorted.end());
  const auto place = static_cast<std::size_t>(d.between(0, 2));
  static const std::array<std::string, 3> kPlaces = {"first", "second", "third"};
  std::vector<std::string> wrongs;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    if (i != place) wrongs.push_back(sorted[(i + place) % sorted.size()]);
  }
  return text(
      {"Which of these words comes " + kPlaces[place] + " in alphabetical order: " + joined(words) + "?",
       "Sort alphabetically: " + joined(words) + ". Which word is " + kPlaces[place] + "?"},
      sorted[place], wrongs);
}
Draft initials(Draws& d, double level) {
  const auto words = different(d, kWords, length(d, level, 3, 8));
  std::string out;
  for (const auto& word : words) out += word[0];
  return text({"Take the first letter of each word: " + joined(words, " ") + ". What string do they form?",
               "Which string do the initial letters of \"" + joined(words, " ") + "\" spell?"},
              out, {swapped(out, 0), swapped(out, 1), out.substr(1), out + out.back()});
}
Draft shift_cipher(Draws& d, double level) {
  const auto word = d.pick(kWords);
  const auto shift = d.scaled(level, 1, 11);
  auto moved = [&](std::int64_t by) {
    std::string out;
    for (const char c : word) out += static_cast<char>('a' + (c - 'a' + by + 26) % 26);
    return out;
  };
  return text(
      {"Shift every letter of \"" + word + "\" forward by " + str(shift) + " in the alphabet (z wraps to a).",
       "Encode \"" + word + "\" with a Caesar cipher of shift " + str(shift) + "."},
      moved(shift), {moved(shift + 1), moved(-shift), moved(shift - 1 + 26 * (shift == 1))});
}
Draft length_units(Draws& d, double level) {
  struct Unit {
    const char *big, *small;
    std::int64_t factor;
  };
  static const std::vector<Unit> kUnits = {
      {"kilometres", "metres", 1000}, {"hours", "minutes", 60}, {"kilograms", "grams", 1000},
      {"metres", "centimetres", 100}, {"days", "hours", 24},    {"feet", "inches", 12},
      {"pounds", "ounces", 16},       {"weeks", "days", 7},     {"litres", "millilitres", 1000}};
  const auto& unit = d.pick(kUnits);
  const auto whole = d.scaled(level, 2, 90), extra = d.scaled(level, 0, unit.factor - 1);
  const std::string amount = str(whole) + " " + unit.big + " and " + str(extra) + " " + unit.small;
  return number({"How many " + std::string(unit.small) + " are " + amount + "?",
                 "Convert " + amount + " to " + unit.small + "."},
                whole * unit.factor + extra,
                {whole * unit.factor - extra, (whole + extra) * unit.factor,
                 whole * 10 * unit.factor / 10 + extra * 2});
}
Draft temperature(Draws& d, double level) {
  const auto c = d.scaled(level, 1, 40) * 5 - 45;
  const auto f = c * 9 / 5 + 32;
  if (d.between(0, 1) == 0) {
    return number({"What is " + str(c) + " degrees Celsius in degrees Fahrenheit?",
                   "Convert " + str(c) + " °C to Fahrenheit."},
                  f, {c * 2 + 30, c * 9 / 5 - 32, f + 9});
  }
  return number({"What is " + str(f) + " degrees Fahrenheit in degrees Celsius?",
                 "Convert " + str(f) + " °F to Celsius."},
                c, {(f - 30) / 2, f - 32, c + 5});
}
std::string clock_text(std::int64_t minutes) {
  minutes = (minutes % 1440 + 1440) % 1440;
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + str(n); };
  return two(minutes / 60) + ":" + two(minutes % 60);
}
Draft clock_time(Draws& d, double level) {
  const auto start = d.between(0, 1439), added = d.scaled(level, 5, 900);
  return text(
      {"It is " + clock_text(start) + ". What time is it " + str(added) +
           " minutes later? Use the 24-hour form HH:MM.",
       "A train leaves at " + clock_text(start) + " and travels for " + str(added) +
           " minutes. When does it arrive (24-hour clock, HH:MM)?"},
      clock_text(start + added),
      {clock_text(start + added - 60), clock_text(start + added + 10), clock_text(start + added + 40)});
}
/// Days from 1970-01-01 to a civil date, and back (the usual era arithmetic on the proleptic calendar).
std::int64_t days_of(std::int64_t y, std::int64_t m, std::int64_t day) {
  y -= m <= 2;
  const auto era = y / 400, yoe = y - era * 400, doy = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719'468;
}
std::string date_text(std::int64_t days) {
  days += 719'468;
  const auto era = days / 146'097, doe = days - era * 146'097;
  const auto yoe = (doe - doe / 1460 + doe / 36'524 - doe / 146'096) / 365;
  const auto doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  const auto day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  const auto two = [](std::int64_t n) { return (n < 10 ? "0" : "") + str(n); };
  return str(yoe + era * 400 + (month <= 2)) + "-" + two(month) + "-" + two(day);
}
Draft days_between(Draws& d, double level) {
  const auto from = days_of(d.between(1990, 2029), d.between(1, 12), d.between(1, 28)),
             gap = d.scaled(level, 9, 800);
  return number({"How many days are there from " + date_text(from) + " to " + date_text(from + gap) + "?",
                 "A contract starts on " + date_text(from) + " and ends on " + date_text(from + gap) +
                     ". How many days lie between the two dates?"},
                gap, {gap + 1, gap - 1, gap + 30});
}
Draft date_after(Draws& d, double level) {
  const auto from = days_of(d.between(1990, 2029), d.between(1, 12), d.between(1, 28)),
             gap = d.scaled(level, 5, 400);
  return text({"Which date is " + str(gap) + " days after " + date_text(from) + "? Write it as YYYY-MM-DD.",
               "An invoice of " + date_text(from) + " is due in " + str(gap) +
                   " days. Give the due date as YYYY-MM-DD."},
              date_text(from + gap),
              {date_text(from + gap + 1), date_text(from + gap - 1), date_text(from + gap + 2)});
}
Draft weekday(Draws& d, double level) {
  static const std::vector<std::string> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                 "Friday", "Saturday", "Sunday"};
  const auto start = d.between(0, 6), gap = d.scaled(level, 3, 500);
  const auto at = static_cast<std::size_t>((start + gap) % 7);
  const auto& today = kDays[static_cast<std::size_t>(start)];
  return text({"Today is " + today + ". Which day of the week is it in " + str(gap) + " days?",
               "If a " + today + " is day 0, which weekday is day " + str(gap) + "?"},
              kDays[at], {kDays[(at + 1) % 7], kDays[(at + 6) % 7], kDays[(at + 2) % 7]});
}
std::string roman(std::int64_t n) {
  static const std::vector<std::pair<std::int64_t, const char*>> kParts = {
      {1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
      {40, "XL"},  {10, "X"},   {9, "IX"},  {5, "V"},    {4, "IV"},  {1, "I"}};
  std::string out;
  for (const auto& [value, letters] : kParts) {
    for (; n >= value; n -= value) out += letters;
  }
  return out;
}
Draft roman_numeral(Draws& d, double level) {
  const auto n = d.scaled(level, 12, 3800) + d.between(0, 9);
  return number({"Which number is the Roman numeral " + roman(n) + "?",
                 "Write " + roman(n) + " as an ordinary number."},
                n, {n + 2, n - 10, n + 100});
}
std::string in_base(std::int64_t n, int base) {
  std::string out;
  for (; n > 0; n /= base) out.insert(out.begin(), "0123456789ABCDEF"[n % base]);
  return out.empty() ? "0" : out;
}
Draft binary(Draws& d, double level) {
  const auto n = d.scaled(level, 5, 4000) + d.between(0, 7);
  return number({"What is the binary number " + in_base(n, 2) + " in decimal?",
                 "Convert " + in_base(n, 2) + " from base 2 to base 10."},
                n, {n + 1, n * 2, n - 2, n + 4});
}
Draft hexadecimal(Draws& d, double level) {
  const auto n = d.scaled(level, 18, 60'000) + d.between(0, 15);
  return text(
      {"What is " + str(n) + " in hexadecimal?", "Write the decimal number " + str(n) + " in base 16."},
      in_base(n, 16), {in_base(n + 1, 16), in_base(n + 16, 16), in_base(n - 1, 16), in_base(n + 256, 16)});
}
Draft last_digit(Draws& d, double level) {
  const auto base = d.scaled(level, 2, 99), power = d.scaled(level, 3, 300);
  std::int64_t digit = 1;
  for (std::int64_t i = 0; i < power; ++i) digit = digit * (base % 10) % 10;
  return number({"What is the last digit of " + str(base) + "^" + str(power) + "?",
                 "Find the units digit of " + str(base) + " raised to the power " + str(power) + "."},
                digit, {(digit + 2) % 10, base % 10, (digit + 5) % 10});
}
Draft sequence(Draws& d, double level) {
  const auto start = d.scaled(level, 1, 60), step = d.scaled(level, 2, 25),
             bend = d.between(0, 1) * d.scaled(level, 1, 6);
  std::vector<std::int64_t> list = {start};
  for (int i = 0; i < 5; ++i) list.push_back(list.back() + step + bend * i);
  const auto next = list.back();
  list.pop_back();
  return number({"Which number comes next: " + joined(list) + ", ...?",
                 "Continue the sequence " + joined(list) + " by one number."},
                next, {next - bend - 1, next + step, next - bend});
}
Draft shopping(Draws& d, double level) {
  const auto a = d.scaled(level, 2, 40), p = d.scaled(level, 2, 30), b = d.scaled(level, 2, 25),
             q = d.scaled(level, 3, 45);
  const auto things = different(d, kThings, 2);
  const auto& who = d.pick(kNames);
  return number({who + " buys " + str(a) + " " + things[0] + " at " + str(p) + " cents each and " + str(b) +
                     " " + things[1] + " at " + str(q) + " cents each. How many cents does " + who + " pay?",
                 "One of the " + things[0] + " costs " + str(p) + " cents and one of the " + things[1] + " " +
                     str(q) + " cents. " + who + " takes " + str(a) + " and " + str(b) +
                     " of them. What is the total in cents?"},
                a * p + b * q, {(a + b) * (p + q), a * q + b * p, a * p + q});
}
Draft travel(Draws& d, double level) {
  const auto speed = d.scaled(level, 3, 32) * 4, quarters = d.scaled(level, 3, 34);
  const auto cities = different(d, kCities, 2);
  const std::string time = str(quarters / 4) + " hours and " + str(quarters % 4 * 15) + " minutes";
  return number({"A car drives from " + cities[0] + " to " + cities[1] + " at " + str(speed) +
                     " km/h and needs " + time + ". How many kilometres is that?",
                 "How far, in kilometres, does one get in " + time + " at a steady " + str(speed) +
                     " km/h on the way from " + cities[0] + " to " + cities[1] + "?"},
                speed * quarters / 4,
                {speed * (quarters / 4), speed * (quarters + 1) / 4, speed * quarters / 2});
}
Draft interest(Draws& d, double level) {
  const auto capital = d.scaled(level, 2, 90) * 100, rate = d.scaled(level, 2, 12),
             years = d.scaled(level, 2, 9);
  const auto gain = capital / 100 * rate * years;
  return number({str(capital) + " dollars earn simple interest of " + str(rate) +
                     "% a year. How much interest, in dollars, is that after " + str(years) + " years?",
                 "How many dollars of simple interest do " + str(capital) + " dollars yield in " +
                     str(years) + " years at " + str(rate) + "% a year?"},
                gain, {capital + gain, capital / 100 * rate, gain + capital / 100});
}
Draft rectangle(Draws& d, double level) {
  const auto a = d.scaled(level, 3, 90), b = d.scaled(level, 4, 75);
  if (d.between(0, 1) == 0) {
    return number(
        {"A rectangle is " + str(a) + " cm by " + str(b) + " cm. What is its area in square centimetres?",
         "How many square centimetres does a sheet of " + str(a) + " cm times " + str(b) + " cm have?"},
        a * b, {2 * (a + b), a * b / 2, a + b});
  }
  return number({"A rectangle is " + str(a) + " m by " + str(b) + " m. What is its perimeter in metres?",
                 "How many metres of fence surround a field of " + str(a) + " m times " + str(b) + " m?"},
                2 * (a + b), {a * b, a + b, 2 * a + b});
}
Draft right_triangle(Draws& d, double level) {
  static const std::vector<std::array<std::int64_t, 3>> kTriples = {{3, 4, 5},   {5, 12, 13},  {8, 15, 17},
                                                                    {7, 24, 25}, {20, 21, 29}, {9, 40, 41}};
  const auto& triple = kTriples[static_cast<std::size_t>(d.scaled(level, 0, 5))];
  const auto k = d.scaled(level, 1, 40);
  return number({"A right triangle has legs of " + str(triple[0] * k) + " and " + str(triple[1] * k) +
                     ". How long is the hypotenuse?",
                 "How long is the straight way across, after walking " + str(triple[0] * k) +
                     " m north and " + str(triple[1] * k) + " m east, in metres?"},
                triple[2] * k, {(triple[0] + triple[1]) * k, triple[2] * k + k, triple[1] * k + 1});
}
Draft ordering(Draws& d, double level) {
  const auto names = different(d, kNames, length(d, level, 3, 7));
  std::vector<std::string> facts;
  for (std::size_t i = 0; i + 1 < names.size(); ++i)
    facts.push_back(names[i] + " is taller than " + names[i + 1] + ".");
  for (std::size_t i = facts.size(); i > 1; --i)
    std::swap(facts[i - 1], facts[static_cast<std::size_t>(d.between(0, static_cast<std::int64_t>(i) - 1))]);
  const bool tallest = d.between(0, 1) == 0;
  const auto& right = tallest ? names.front() : names.back();
  std::vector<std::string> wrongs(names.begin(), names.end());
  if (tallest) std::rotate(wrongs.begin(), wrongs.begin() + 1, wrongs.end());
  std::reverse(wrongs.begin() + 1, wrongs.end());
  const std::string who = tallest ? "tallest" : "shortest";
  return text({joined(facts, " ") + " Who is the " + who + "?",
               "Who is the " + who + " person, given the following? " + joined(facts, " ")},
              right, wrongs);
}
Draft truth_value(Draws& d, double level) {
  const auto count = length(d, level, 2, 6);
  bool value = d.between(0, 1) == 1;
  std::string expression = value ? "true" : "false";
  for (std::size_t i = 0; i < count; ++i) {
    const bool next = d.between(0, 1) == 1, negate = d.between(0, 2) == 0, conjunction = d.between(0, 1) == 1;
    expression = "(" + expression + (conjunction ? " and " : " or ") + (negate ? "not " : "") +
                 (next ? "true)" : "false)");
    const bool operand = next != negate;
    value = conjunction ? value && operand : value || operand;
  }
  return text({"Is this expression true or false: " + expression + "?",
               "Evaluate the logical expression " + expression + " to true or false."},
              value ? "true" : "false", {value ? "false" : "true"});
}
Draft table_lookup(Draws& d, double level) {
  const auto rows = different(d, kNames, length(d, level, 3, 7));
  std::string table = "name | north | south | west";
  std::vector<std::int64_t> totals;
  for (const auto& name : rows) {
    const auto values = numbers(d, level, 3, 1, 80);
    totals.push_back(values[0] + values[1] + values[2]);
    table += "\n" + name + " | " + joined(values, " | ");
  }
  const auto best = static_cast<std::size_t>(std::max_element(totals.begin(), totals.end()) - totals.begin());
  const auto asked = static_cast<std::size_t>(d.between(0, static_cast<std::int64_t>(rows.size()) - 1));
  if (d.between(0, 1) == 0) {
    return number(
        {"Units sold:\n" + table + "\nWhat is the total of " + rows[asked] + " over the three regions?",
         "Add up the row of " + rows[asked] + " in this table of units sold.\n" + table},
        totals[asked], {totals[(asked + 1) % rows.size()], totals[asked] + 11, totals[asked] - 3});
  }
  if (std::count(totals.begin(), totals.end(), totals[best]) > 1) {
    return number({"Units sold:\n" + table + "\nWhat is the highest total of any row?",
                   "What is the largest row total in this table of units sold?\n" + table},
                  totals[best], {totals[best] - 7, totals[best] + 5});
  }
  std::vector<std::string> wrongs;
  for (std::size_t i = 1; i < rows.size(); ++i) wrongs.push_back(rows[(best + i) % rows.size()]);
  return text({"Units sold:\n" + table + "\nWho sold most in total?",
               "Whose row has the largest total in this table of units sold?\n" + table},
              rows[best], wrongs);
}
Draft set_overlap(Draws& d, double level) {
  const auto first = different(d, kWords, length(d, level, 3, 8));
  auto second = different(d, kWords, length(d, level, 3, 8));
  for (std::size_t i = 0; i < std::min<std::size_t>(2, second.size() - 1); ++i) {
    if (std::find(second.begin(), second.end(), first[i]) == second.end()) second[i + 1] = first[i];
  }
  std::int64_t shared = 0;
  for (const auto& word : first) shared += std::count(second.begin(), second.end(), word);
  return number(
      {"How many words are in both lists? List one: " + joined(first) + ". List two: " + joined(second) + ".",
       "Set A = {" + joined(first) + "}, set B = {" + joined(second) +
           "}. How many elements does the intersection have?"},
      shared, {shared + 1, shared > 0 ? shared - 1 : 3});
}
Draft ages(Draws& d, double level) {
  const auto young = d.scaled(level, 3, 40), gap = d.scaled(level, 2, 30), later = d.scaled(level, 2, 20);
  const auto names = different(d, kNames, 2);
  return number(
      {names[0] + " is " + str(gap) + " years older than " + names[1] + ". In " + str(later) + " years " +
           names[1] + " will be " + str(young + later) + ". How old is " + names[0] + " now?",
       names[1] + " turns " + str(young + later) + " in " + str(later) + " years and is " + str(gap) +
           " years younger than " + names[0] + ". What is the present age of " + names[0] + "?"},
      young + gap, {young + gap + later, young, young + later - gap});
}
Draft probability(Draws& d, double level) {
  const auto red = d.scaled(level, 1, 30), blue = d.scaled(level, 2, 40), green = d.scaled(level, 1, 25);
  const auto all = red + blue + green;
  auto fraction = [](std::int64_t a, std::int64_t b) {
    return str(a / std::gcd(a, b)) + "/" + str(b / std::gcd(a, b));
  };
  const std::string urn = str(red) + " red, " + str(blue) + " blue and " + str(green) + " green balls";
  return text(
      {"An urn holds " + urn +
           ". What is the probability of drawing a blue one? Give a reduced fraction a/b.",
       "One ball is drawn from " + urn + ". With which probability, as a reduced fraction a/b, is it blue?"},
      fraction(blue, all),
      {fraction(blue, red + green + blue + 1), fraction(red, all), fraction(blue, all + blue),
       fraction(green + blue, all + red)});
}
Draft linear_equation(Draws& d, double level) {
  const auto a = d.scaled(level, 2, 25), x = d.scaled(level, 1, 60) - 15, b = d.scaled(level, 1, 90);
  return number({"Solve for x: " + str(a) + "x + " + str(b) + " = " + str(a * x + b) + ".",
                 "A number is multiplied by " + str(a) + ", then " + str(b) + " is added; the result is " +
                     str(a * x + b) + ". What is the number?"},
                x, {x + 1, -x, x + b});
}
Draft two_unknowns(Draws& d, double level) {
  const auto a = d.scaled(level, 5, 120), b = d.scaled(level, 2, 90);
  const auto sum = a + b, gap = a > b ? a - b : b - a;
  return number(
      {"Two numbers add up to " + str(sum) + " and differ by " + str(gap) + ". What is the larger one?",
       "x + y = " + str(sum) + " and x - y = " + str(gap) + ". What is x?"},
      (sum + gap) / 2, {(sum - gap) / 2, sum - gap, sum / 2});
}
Draft combinations(Draws& d, double level) {
  const auto n = d.scaled(level, 4, 14), k = d.scaled(level, 2, 4);
  std::int64_t ways = 1, ordered = 1;
  for (std::int64_t i = 0; i < k; ++i) {
    ways = ways * (n - i) / (i + 1);
    ordered *= n - i;
  }
  return number({"In how many ways can " + str(k) + " of " + str(n) + " people be chosen for a committee?",
                 "How many subsets of size " + str(k) + " does a set of " + str(n) + " elements have?"},
                ways, {ordered, n * k, ways + n});
}
Draft change(Draws& d, double level) {
  const auto price = d.scaled(level, 1, 95) * 25 + d.between(0, 4) * 5;
  const auto paid = (price / 1000 + 1) * 1000;
  return decimal({"Something costs " + hundredths(price) + " dollars and is paid with " + hundredths(paid) +
                      " dollars. How much change is due, in dollars?",
                  "How many dollars come back from " + hundredths(paid) + " dollars for a bill of " +
                      hundredths(price) + " dollars?"},
                 paid - price, {paid - price + 100, paid - price - 10, paid - price + 10});
}
Draft vowels(Draws& d, double level) {
  const auto words = different(d, kWords, length(d, level, 1, 7));
  std::int64_t count = 0;
  for (const char c : joined(words, " "))
    count += std::string_view("aeiou").find(c) != std::string_view::npos;
  return number({"How many vowels (a, e, i, o, u) are in \"" + joined(words, " ") + "\"?",
                 "Count the vowels a, e, i, o, u in: " + joined(words, " ")},
                count, {count + 1, count - 1, count + 2});
}
Draft work_rate(Draws& d, double level) {
  const auto days = d.scaled(level, 2, 30), people = d.scaled(level, 2, 14), other = d.scaled(level, 1, 9);
  const auto total = days * people * other;
  return number({str(people * other) + " workers build a wall in " + str(days) + " days. How many days do " +
                     str(people) + " workers need at the same pace?",
                 "If a job takes " + str(people * other) + " people " + str(days) +
                     " days, how many days does it take " + str(people) + " people?"},
                total / people, {days, total, days * people});
}

}  // namespace

const std::vector<FamilyRecipe>& family_recipes() {
  static const std::vector<FamilyRecipe> kRecipes = {
      {{"addition of large numbers",
        "Write both numbers under each other and add from the right, carrying into the next column."},
       addition},
      {{"subtraction with borrowing",
        "Go column by column from the right and borrow from the next column where the upper digit is "
        "smaller."},
       subtraction},
      {{"long multiplication",
        "Split the second factor into its digits, multiply by each, shift and add the partial products."},
       multiplication},
      {{"remainder after division",
        "Take away the largest multiple of the divisor that fits; what is left is asked for."},
       remainder},
      {{"whole boxes to fill", "Divide and round down: a box that is not full does not count."},
       whole_quotient},
      {{"percentage of a quantity", "Turn the percentage into hundredths and multiply."}, percentage},
      {{"price after a discount",
        "Find what remains after the discount in percent and take that share of the old price."},
       discount},
      {{"mean of a list", "Add everything up, then divide by how many values there are."}, average},
      {{"median of a list", "Sort the list first; only then take the value in the middle."}, median},
      {{"order of operations", "Do products before sums and differences, then go from left to right."},
       precedence},
      {{"greatest common divisor",
        "Use Euclid: replace the larger number by the remainder until nothing is left."},
       common_divisor},
      {{"least common multiple", "Divide the product of the two by their greatest common divisor."},
       common_multiple},
      {{"next prime number", "Try odd candidates upwards; test divisors up to the square root only."},
       next_prime},
      {{"sum of digits", "Read the number digit by digit and keep a running total, zeros included."},
       digit_sum},
      {{"counting one letter", "Spell every word out letter by letter and mark each match before counting."},
       letter_count},
      {{"reversing a word", "Number the letters, then write them from the highest number down."},
       reverse_text},
      {{"alphabetical order",
        "Compare first letters, and later letters only where the first ones are equal."},
       first_in_alphabet},
      {{"initial letters", "Take exactly one letter from each word, in the order in which the words stand."},
       initials},
      {{"shifting letters in the alphabet",
        "Count forward letter by letter and start again at the beginning after z."},
       shift_cipher},
      {{"conversion of mixed units",
        "Convert the larger unit first, then add what is already in the smaller one."},
       length_units},
      {{"temperature scales",
        "The zero points differ: scale by nine fifths and shift, in the right order for the direction "
        "asked."},
       temperature},
      {{"clock arithmetic",
        "Split the minutes into hours and minutes, add both, and carry over at sixty and at midnight."},
       clock_time},
      {{"days between dates",
        "Count whole months with their own lengths, mind leap years, then the days at both ends."},
       days_between},
      {{"date after some days",
        "Use up the rest of the month first, then whole months with their own lengths."},
       date_after},
      {{"day of the week", "Only what is left after whole weeks moves the day."}, weekday},
      {{"roman numerals", "A smaller sign before a larger one is taken away; all others are added."},
       roman_numeral},
      {{"binary numbers", "Give each digit from the right its power of two and add those with a one."},
       binary},
      {{"hexadecimal numbers",
        "Divide by the base again and again; the remainders from last to first are the digits."},
       hexadecimal},
      {{"last digit of a power",
        "Only the last digit matters, and it repeats with a short cycle: find the place in the cycle."},
       last_digit},
      {{"next number of a sequence",
        "Write down the differences of neighbours, and if they change, their differences."},
       sequence},
      {{"total of a purchase", "Multiply count and price for each item separately, then add."}, shopping},
      {{"distance from speed and time",
        "Turn minutes into a fraction of an hour before multiplying by the speed."},
       travel},
      {{"simple interest",
        "One year's interest times the number of years; the capital itself is not part of it."},
       interest},
      {{"rectangle measures",
        "Area is the product of the sides, perimeter twice their sum: see which is asked."},
       rectangle},
      {{"right triangle sides",
        "The square of the longest side is the sum of the other squares; look for a known triple."},
       right_triangle},
      {{"ordering by comparison",
        "Chain the comparisons into one line before reading off the end that is asked for."},
       ordering},
      {{"truth of an expression",
        "Work from the innermost bracket outwards and apply a negation before joining."},
       truth_value},
      {{"reading a table", "Find the row first, then add across it, and compare rows only by their totals."},
       table_lookup},
      {{"common elements of two lists",
        "Go through the first list and tick each element that also stands in the second."},
       set_overlap},
      {{"ages now and later", "Bring every age to the present first, then apply the difference."}, ages},
      {{"probability of a draw", "Favourable cases over all cases, then reduce the fraction."}, probability},
      {{"linear equation", "Undo the addition first and the multiplication second."}, linear_equation},
      {{"sum and difference of two numbers", "Half of sum plus difference is the larger number."},
       two_unknowns},
      {{"choosing without order", "Count ordered choices and divide by the orders of the chosen ones."},
       combinations},
      {{"change from a payment", "Count up from the price to the payment in convenient steps."}, change},
      {{"counting vowels", "Go word by word and note the vowels of each before adding."}, vowels},
      {{"workers and days", "The amount of work is workers times days and stays the same."}, work_rate},
  };
  return kRecipes;
}

}  // namespace brevet
