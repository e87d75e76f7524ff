#include "router/expert_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "router/kinds.h"

namespace brevet {
namespace {

constexpr std::size_t kWordsMax = 2000;  ///< of a text; more would cost more than they tell

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> out;
  std::string word;
  const auto end = [&] {
    if (!word.empty() && out.size() < kWordsMax) out.push_back(std::move(word));
    word.clear();
  };
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                        (static_cast<unsigned char>(c) & 0x80) != 0;
    if (letter) {
      word += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    } else {
      end();
    }
  }
  end();
  return out;
}

bool is_number(const std::string& word) {
  return std::all_of(word.begin(), word.end(), [](char c) { return c >= '0' && c <= '9'; });
}
float numbers_in(const std::vector<std::string>& words) {
  return static_cast<float>(std::count_if(words.begin(), words.end(), is_number));
}
float log_count(std::size_t n) {
  return std::log1p(static_cast<float>(n));
}

/// Words in common, as multisets.
float common(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  std::map<std::string_view, int> counts;
  for (const auto& word : a) ++counts[word];
  int same = 0;
  for (const auto& word : b) {
    auto found = counts.find(word);
    if (found == counts.end() || found->second == 0) continue;
    --found->second;
    ++same;
  }
  return static_cast<float>(same);
}
float f1(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  if (a.empty() || b.empty()) return 0;
  return 2 * common(a, b) / static_cast<float>(a.size() + b.size());
}

/// what, who, which, when, where, how much, how many, another how, why: the first that occurs.
std::size_t question_word(const std::vector<std::string>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    const auto& word = words[i];
    const std::string next = i + 1 < words.size() ? words[i + 1] : std::string();
    if (word == "what") return 0;
    if (word == "who") return 1;
    if (word == "which") return 2;
    if (word == "when") return 3;
    if (word == "where") return 4;
    if (word == "how") return next == "much" ? 5 : next == "many" ? 6 : 7;
    if (word == "why") return 8;
  }
  return 9;
}

}  // namespace

std::vector<float> expert_features(std::string_view question, const std::vector<ExpertAnswer>& answers,
                                   std::size_t which) {
  std::vector<float> out;
  out.reserve(kExpertFeatures);
  const auto& own = answers[which];
  for (std::size_t i = 0; i < kExpertsMax; ++i) out.push_back(i == which ? 1 : 0);
  const auto asked = words_of(question);
  const auto word = question_word(asked);
  for (std::size_t i = 0; i < 9; ++i) out.push_back(i == word ? 1 : 0);
  out.push_back(log_count(asked.size()));
  out.push_back(numbers_in(asked));

  const auto said = words_of(own.text);
  const auto reasoned = words_of(own.reasoning);
  out.push_back(own.mean_logprob ? static_cast<float>(*own.mean_logprob) : 1);
  out.push_back(log_count(said.size()));
  out.push_back(numbers_in(said));
  out.push_back(log_count(reasoned.size()));
  out.push_back(numbers_in(reasoned));
  out.push_back(own.group < 0 ? 1 : 0);

  std::size_t given = 0, same = 0;
  std::map<int, std::size_t> groups;
  for (const auto& answer : answers) {
    if (!answer.given) continue;
    ++given;
    if (answer.group >= 0) ++groups[answer.group];
    if (own.group >= 0 && answer.group == own.group) ++same;
  }
  std::size_t largest_other = 0;
  for (const auto& [group, count] : groups) {
    if (group != own.group) largest_other = std::max(largest_other, count);
  }
  out.push_back(static_cast<float>(same));
  out.push_back(given > 0 ? static_cast<float>(same) / static_cast<float>(given) : 0);
  out.push_back(static_cast<float>(largest_other));
  out.push_back(static_cast<float>(groups.size()));
  // Of each other expert: does it say the same (1), else how many words they share; -1 where there is none.
  for (std::size_t i = 0; i < kExpertsMax; ++i) {
    if (i >= answers.size() || i == which || !answers[i].given) {
      out.push_back(-1);
    } else if (own.group >= 0 && answers[i].group == own.group) {
      out.push_back(1);
    } else {
      out.push_back(.99F * f1(said, words_of(answers[i].text)));
    }
  }
  out.push_back(f1(asked, said));
  out.push_back(f1(reasoned, said));
  out.push_back(f1(reasoned, asked));
  out.push_back(said.empty() ? 0 : common(asked, said) / static_cast<float>(said.size()));
  out.resize(kExpertFeatures);
  return out;
}

Result<std::shared_ptr<const ExpertModel>> ExpertModel::create(std::shared_ptr<const Artefact> artefact) {
  const auto nodes = artefact->tensor("forest.nodes", {0, 3});
  if (!nodes) return fail(nodes.error());
  const auto roots = artefact->tensor("forest.roots", {0});
  if (!roots) return fail(roots.error());
  const auto values = artefact->tensor("forest.values", {0, 1});
  if (!values) return fail(values.error());
  const auto experts = artefact->info.configurations.size();
  if (experts < 2 || experts > kExpertsMax) return corrupt_router(*artefact, "configurations");
  std::shared_ptr<ExpertModel> out(new ExpertModel);
  const auto count = static_cast<float>((*nodes)->shape[0]);
  for (std::size_t k = 0; k < (*nodes)->shape[0]; ++k) {
    const float* node = (*nodes)->values.data() + 3 * k;
    const bool whole = node[0] == std::floor(node[0]) && node[2] == std::floor(node[2]);
    // Children lie behind their parent, so that every walk ends.
    const bool sound = whole && (node[0] < 0 ? node[0] == -1 && node[2] >= 0 &&
                                                   node[2] < static_cast<float>((*values)->shape[0])
                                             : node[0] < static_cast<float>(kExpertFeatures) &&
                                                   node[2] > static_cast<float>(k) && node[2] + 1 < count);
    if (!sound) return corrupt_router(*artefact, "forest.nodes");
    out->nodes_.push_back({static_cast<std::int32_t>(node[0]), node[1], static_cast<std::uint32_t>(node[2])});
  }
  for (const float root : (*roots)->values) {
    if (root < 0 || root >= count || root != std::floor(root))
      return corrupt_router(*artefact, "forest.roots");
    out->roots_.push_back(static_cast<std::uint32_t>(root));
  }
  if (out->roots_.empty()) return corrupt_router(*artefact, "forest.roots");
  out->values_ = (*values)->values;
  out->artefact_ = std::move(artefact);
  return std::shared_ptr<const ExpertModel>(std::move(out));
}

namespace {

class ExpertRouter final : public Router {
 public:
  explicit ExpertRouter(std::shared_ptr<const ExpertModel> model) : model_(std::move(model)) {}
  const RouterInfo& info() const override { return model_->info(); }
  std::optional<RouterPrediction> predict(const RequestFeatures&) const override { return std::nullopt; }
  const ExpertModel& model() const { return *model_; }

 private:
  const std::shared_ptr<const ExpertModel> model_;
};

}  // namespace

const ExpertModel* experts_of(const Router& router) {
  const auto* expert = dynamic_cast<const ExpertRouter*>(&router);
  return expert ? &expert->model() : nullptr;
}

Result<RouterPtr> make_expert_router(std::shared_ptr<const Artefact> artefact) {
  auto model = ExpertModel::create(std::move(artefact));
  if (!model) return fail(model.error());
  return RouterPtr(std::make_shared<const ExpertRouter>(*std::move(model)));
}

double ExpertModel::p_right(const std::vector<float>& features) const {
  double sum = 0;
  for (auto node : roots_) {
    while (nodes_[node].feature >= 0) {
      const auto& split = nodes_[node];
      node = split.next + (features[static_cast<std::size_t>(split.feature)] <= split.threshold ? 0 : 1);
    }
    sum += values_[nodes_[node].next];
  }
  return std::clamp(sum / static_cast<double>(roots_.size()), 0.0, 1.0);
}

}  // namespace brevet
