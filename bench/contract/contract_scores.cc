// Scores of a fitted router on recorded questions outside its fit, as lines for contract_recorded:
//   score <tab> weak quality <tab> strong quality <tab> weak cost <tab> strong cost     (costs: strong's mean
//   = 1)
// Usage: contract_scores FILE WEAK STRONG PRICES KIND FIT_LABELS OUT [without-subject]
// KIND is a router (`ensemble`), or `logprob`: the weak answer's recorded log-probability, a score that
// exists only after the weak call. What is fitted and what is written are disjoint by source question and
// near-duplicate.
#include <fmt/format.h>

#include <cmath>
#include <fstream>

#include "app/paths.h"
#include "eval/router_fit.h"
#include "features/embedding_file.h"

using namespace brevet;

namespace {

int complain(const Error& error) {
  fmt::print(stderr, "contract_scores: {}\n", error.message);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 8) {
    fmt::print(stderr,
               "usage: contract_scores FILE WEAK STRONG PRICES KIND FIT_LABELS OUT [without-subject]\n");
    return 2;
  }
  const std::string kind = argv[5];
  QuestionSetOptions options;
  options.file = argv[1];
  options.models = {argv[2], argv[3]};
  options.fit_labels = std::stoul(argv[6]);
  options.calibration_labels = 0;
  if (argc > 8) options.without_subject = argv[8];
  auto prices = PriceTable::load(argv[4]);
  if (!prices) return complain(prices.error());
  options.prices = std::make_shared<const PriceTable>(std::move(*prices));
  auto loaded = QuestionSet::load(options);
  if (!loaded) return complain(loaded.error());
  QuestionSet& set = **loaded;
  const auto& test = set.split().test;
  std::vector<double> scores;
  if (kind == "logprob") {
    for (const auto question : test) scores.push_back(-*set.record(question).outcome(argv[2])->logprob_conf);
  } else {
    EncoderOptions encoder_options;
    encoder_options.folder = encoder_folder();
    auto encoder = make_encoder(encoder_options);
    if (!encoder) return complain(encoder.error());
    auto pool = make_embedding_pool(*encoder, {.threads = 1});
    auto kept = make_embedding_file(
        *pool, {eval_cache_folder() + "/embeddings-" + (*encoder)->hash().substr(0, 16) + ".bin"});
    if (!kept) return complain(kept.error());
    if (auto done = set.prepare(kept->get(), {}, 1, eval_cache_folder()); !done)
      return complain(done.error());
    auto strategy = parse_eval_strategy(kind);
    if (!strategy) return complain(strategy.error());
    strategy->trained = true;
    const auto fitted = fit_strategy(router_data(set, set.split().fitting), *strategy, 1, {});
    if (!fitted) return complain(fitted.error());
    if (!fitted->failure.empty()) return complain({ErrorKind::kCallerInvalid, "", fitted->failure});
    scores = router_scores(set, *strategy, *fitted->router, {}, test).test;
  }
  double strong_cost = 0;
  for (const auto question : test) strong_cost += set.cost(question, 1).amount->usd();
  strong_cost /= static_cast<double>(test.size());
  std::ofstream out(argv[7]);
  for (std::size_t i = 0; i < test.size(); ++i)
    out << fmt::format("{:.9g}\t{:g}\t{:g}\t{:.6g}\t{:.6g}\n", scores[i], set.score(test[i], 0),
                       set.score(test[i], 1), set.cost(test[i], 0).amount->usd() / strong_cost,
                       set.cost(test[i], 1).amount->usd() / strong_cost);
  fmt::print("{}: {} questions to {}\n", set.name(), test.size(), argv[7]);
  return out.good() ? 0 : 1;
}
