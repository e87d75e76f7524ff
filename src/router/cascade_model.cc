#include "router/cascade_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "router/kinds.h"

namespace brevet {
namespace {

constexpr float kUnknown = std::numeric_limits<float>::quiet_NaN();
constexpr std::size_t kListStages = 3;

/// Mean rank of `value` among sorted `quantiles`, .003 to .997: further out says nothing more.
float rank_of(float value, const std::vector<float>& quantiles) {
  const auto low = std::lower_bound(quantiles.begin(), quantiles.end(), value) - quantiles.begin();
  const auto high = std::upper_bound(quantiles.begin(), quantiles.end(), value) - quantiles.begin();
  const auto last = static_cast<double>(quantiles.size() - 1);
  double rank = static_cast<double>(low + high - 1) / 2;
  if (low == high && low > 0 && high < static_cast<std::ptrdiff_t>(quantiles.size())) {
    const double below = quantiles[static_cast<std::size_t>(low - 1)];
    const double above = quantiles[static_cast<std::size_t>(low)];
    rank = static_cast<double>(low - 1) + (value - below) / (above - below);
  }
  return static_cast<float>(std::clamp(rank / last, .003, .997));
}

void add_confidence(float rank, std::vector<float>& out) {
  out.insert(out.end(),
             {rank, std::max(0.0F, .75F - rank), std::max(0.0F, .5F - rank), std::max(0.0F, .25F - rank)});
}

}  // namespace

CascadeState::CascadeState() {
  answers.fill(unknown_signals());
  for (auto& row : agreement) row.fill(kUnknown);
}

std::string cascade_tensor(const char* what, std::uint32_t asked) {
  return fmt::format("{}.{}", what, asked);
}

bool is_cascade(const RouterInfo& info) {
  return info.kind == kFrugalCascade || info.kind == kCascadeRouting;
}

double dot_with_offset(const float* weights, const std::vector<float>& features) {
  double sum = weights[features.size()];
  for (std::size_t j = 0; j < features.size(); ++j) sum += static_cast<double>(weights[j]) * features[j];
  return sum;
}

std::optional<std::vector<float>> CascadeShape::features(const CascadeState& state,
                                                         std::uint32_t asked) const {
  std::vector<float> out;
  std::vector<std::pair<std::size_t, std::optional<float>>> leads;
  for (std::size_t m = 0; m < models; ++m) {
    if ((asked >> m & 1U) == 0) continue;
    std::optional<float> lead;
    for (std::size_t k = 0; k < kSignals; ++k) {
      if (!used[m][k]) continue;
      const float value = state.answers[m][k];
      const bool confidence = k < kConfidenceSignals;
      if (std::isnan(value) && confidence) return std::nullopt;
      const float rank = std::isnan(value) ? .5F : rank_of(value, ranks[m][k]);
      if (confidence) {
        add_confidence(rank, out);
        if (!lead) lead = rank;
      } else {
        out.insert(out.end(), {rank, std::abs(rank - .5F)});
      }
    }
    leads.emplace_back(m, lead);
  }
  for (std::size_t i = 0; i < leads.size(); ++i) {
    for (std::size_t j = i + 1; j < leads.size(); ++j) {
      const auto& [a, first] = leads[i];
      const auto& [b, second] = leads[j];
      if (first && second) out.push_back(2 * (*first - .5F) * (*second - .5F));
      if (!agrees[a][b]) continue;
      const float agree = state.agreement[a][b];
      out.push_back(std::isnan(agree) ? .5F : agree);
    }
  }
  if (!reads_question) return out;
  if (!state.question) return std::nullopt;
  const auto& shape = state.question->statistics.shape;
  for (std::size_t j = 0; j < kTextShapeNumbers; ++j)
    out.push_back((shape[j] - shape_mean[j]) * shape_factor[j]);
  if (directions.shape.empty()) return out;
  const std::size_t width = directions.shape[1] - 1;
  const auto& embedding = state.question->embedding;
  if (!embedding || embedding->size() != width) return std::nullopt;
  for (std::size_t k = 0; k < directions.shape[0]; ++k)
    out.push_back(
        static_cast<float>(dot_with_offset(directions.values.data() + k * (width + 1), *embedding)));
  return out;
}

void CascadeShape::write(Artefact& artefact) const {
  const auto m = static_cast<std::uint32_t>(models);
  Tensor which{{m, kSignals}, {}}, quantiles{{m, kSignals, kCascadeRanks}, {}}, agree{{m, m}, {}};
  for (std::size_t i = 0; i < models; ++i) {
    for (std::size_t k = 0; k < kSignals; ++k) {
      which.values.push_back(used[i][k] ? 1.0F : 0.0F);
      auto row = ranks[i][k];
      row.resize(kCascadeRanks, 0);
      quantiles.values.insert(quantiles.values.end(), row.begin(), row.end());
    }
    for (std::size_t j = 0; j < models; ++j) agree.values.push_back(agrees[i][j] ? 1.0F : 0.0F);
  }
  artefact.tensors["cascade.signals"] = std::move(which);
  artefact.tensors["cascade.ranks"] = std::move(quantiles);
  artefact.tensors["cascade.agreement"] = std::move(agree);
  if (!reads_question) return;
  Tensor shape{{2, kTextShapeNumbers}, shape_mean};
  shape.values.insert(shape.values.end(), shape_factor.begin(), shape_factor.end());
  artefact.tensors["cascade.shape"] = std::move(shape);
  if (!directions.shape.empty()) artefact.tensors["cascade.directions"] = directions;
}

Result<CascadeShape> CascadeShape::read(const Artefact& artefact) {
  CascadeShape out;
  out.models = artefact.info.configurations.size();
  if (out.models < 2 || out.models > kCascadeModelsMax) return corrupt_router(artefact, "configurations");
  const auto m = static_cast<std::uint32_t>(out.models);
  const auto which = artefact.tensor("cascade.signals", {m, kSignals});
  if (!which) return fail(which.error());
  const auto quantiles = artefact.tensor("cascade.ranks", {m, kSignals, kCascadeRanks});
  if (!quantiles) return fail(quantiles.error());
  const auto agree = artefact.tensor("cascade.agreement", {m, m});
  if (!agree) return fail(agree.error());
  out.used.resize(m);
  out.ranks.resize(m);
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t k = 0; k < kSignals; ++k) {
      out.used[i][k] = (*which)->values[i * kSignals + k] > 0;
      if (!out.used[i][k]) continue;
      const auto* begin = (*quantiles)->values.data() + (i * kSignals + k) * kCascadeRanks;
      out.ranks[i][k].assign(begin, begin + kCascadeRanks);
      if (!std::is_sorted(begin, begin + kCascadeRanks)) return corrupt_router(artefact, "cascade.ranks");
    }
    for (std::size_t j = 0; j < m; ++j) out.agrees[i][j] = (*agree)->values[i * m + j] > 0;
  }
  if (!artefact.tensors.contains("cascade.shape")) return out;
  out.reads_question = true;
  const auto shape = artefact.tensor("cascade.shape", {2, kTextShapeNumbers});
  if (!shape) return fail(shape.error());
  const auto& values = (*shape)->values;
  out.shape_mean.assign(values.begin(), values.begin() + kTextShapeNumbers);
  out.shape_factor.assign(values.begin() + kTextShapeNumbers, values.end());
  if (!artefact.tensors.contains("cascade.directions")) return out;
  const auto directions = artefact.tensor("cascade.directions", {0, 0});
  if (!directions) return fail(directions.error());
  if ((*directions)->shape[1] < 2) return corrupt_router(artefact, "cascade.directions");
  out.directions = **directions;
  return out;
}

Result<std::shared_ptr<const CascadeModel>> CascadeModel::create(std::shared_ptr<const Artefact> artefact) {
  auto shape = CascadeShape::read(*artefact);
  if (!shape) return fail(shape.error());
  std::shared_ptr<CascadeModel> out(new CascadeModel);
  out->shape_ = std::move(*shape);
  const auto m = static_cast<std::uint32_t>(out->shape_.models);
  const auto cost = artefact->tensor("cascade.cost", {m});
  if (!cost) return fail(cost.error());
  out->cost_ = (*cost)->values;
  std::uint32_t settings = 0;
  if (artefact->tensors.contains("cascade.points")) {
    const auto points = artefact->tensor("cascade.points", {0, 5});
    if (!points) return fail(points.error());
    settings = (*points)->shape[0];
    for (std::size_t i = 0; i < settings; ++i) {
      const float* row = (*points)->values.data() + i * 5;
      out->points_.push_back({row[0], row[1], row[2], row[3], row[4]});
    }
  }
  if (artefact->tensors.contains("cascade.lists")) {
    // models (-1 = none), thresholds, budget, cost, quality, retained.
    constexpr std::uint32_t kWidth = kListStages + kListStages - 1 + 4;
    const auto lists = artefact->tensor("cascade.lists", {0, kWidth});
    if (!lists) return fail(lists.error());
    for (std::size_t i = 0; i < (*lists)->shape[0]; ++i) {
      const float* row = (*lists)->values.data() + i * kWidth;
      CascadeList list;
      for (std::size_t s = 0; s < kListStages && row[s] >= 0; ++s) {
        const auto model = static_cast<std::size_t>(row[s]);
        if (model >= m || (s > 0 && model <= list.models.back()))
          return corrupt_router(*artefact, "cascade.lists");
        list.models.push_back(model);
        if (s > 0) list.thresholds.push_back(row[kListStages + s - 1]);
      }
      if (list.models.empty()) return corrupt_router(*artefact, "cascade.lists");
      const float* figures = row + 2 * kListStages - 1;
      list.budget_usd = figures[0];
      list.cost_usd = figures[1];
      list.quality = figures[2];
      list.retained_low = figures[3];
      out->lists_.push_back(std::move(list));
    }
  }
  if (out->points_.empty() && out->lists_.empty()) return corrupt_router(*artefact, "cascade.points");
  // Every regression must fit the features of its state, or a prediction would read beyond it.
  for (const auto& [name, tensor] : artefact->tensors) {
    const bool quality = name.starts_with("quality.");
    if (!quality && !name.starts_with("worth.")) continue;
    const auto asked =
        static_cast<std::uint32_t>(std::strtoul(name.c_str() + name.find('.') + 1, nullptr, 10));
    CascadeState state;
    RequestFeatures question;
    const auto& directions = out->shape_.directions;
    if (!directions.shape.empty())
      question.embedding = std::make_shared<const Embedding>(directions.shape[1] - 1, 0.0F);
    state.question = &question;
    for (auto& answer : state.answers) answer.fill(0);
    const auto features = out->shape_.features(state, asked);
    if (!features || asked >= 1U << m) return corrupt_router(*artefact, name);
    const auto width = static_cast<std::uint32_t>(features->size() + 1);
    const auto fits =
        quality ? artefact->tensor(name, {m, width}) : artefact->tensor(name, {settings, m, width});
    if (!fits) return fail(fits.error());
  }
  out->artefact_ = std::move(artefact);
  return out;
}

std::optional<std::vector<float>> CascadeModel::quality(const CascadeState& state) const {
  const auto found = artefact_->tensors.find(cascade_tensor("quality", state.asked));
  if (found == artefact_->tensors.end()) return std::nullopt;
  const auto features = shape_.features(state, state.asked);
  if (!features) return std::nullopt;
  std::vector<float> out;
  for (std::size_t m = 0; m < shape_.models; ++m)
    out.push_back(static_cast<float>(
        dot_with_offset(found->second.values.data() + m * (features->size() + 1), *features)));
  return out;
}

std::optional<double> CascadeModel::accept_probability(const CascadeState& state, std::size_t current,
                                                       std::size_t last) const {
  const auto found = artefact_->tensors.find(fmt::format("accept.{}.{}", state.asked, last));
  if (found == artefact_->tensors.end()) return std::nullopt;
  const auto expected = quality(state);
  if (!expected) return std::nullopt;
  const float raw = (*expected)[current] - (*expected)[last];
  const auto& curve = found->second;
  const std::size_t knots = curve.values.size() / 2;
  const float* x = curve.values.data();
  const float* y = x + knots;
  if (knots == 0) return std::nullopt;
  if (raw <= x[0]) return y[0];
  if (raw >= x[knots - 1]) return y[knots - 1];
  const auto above = static_cast<std::size_t>(std::upper_bound(x, x + knots, raw) - x);
  const double share = (raw - x[above - 1]) / (x[above] - x[above - 1]);
  return y[above - 1] + share * (y[above] - y[above - 1]);
}

std::optional<CascadeModel::Choice> CascadeModel::next(const CascadeState& state, std::size_t point) const {
  auto expected = quality(state);
  if (!expected || point >= points_.size()) return std::nullopt;
  constexpr double kNone = -std::numeric_limits<double>::infinity();
  double accept = kNone, ask = kNone;
  std::size_t accepted = 0, asked = 0, highest = 0;
  for (std::size_t m = 0; m < shape_.models; ++m) {
    if ((state.asked >> m & 1U) == 0) continue;
    highest = m + 1;
    if ((*expected)[m] > accept) accept = (*expected)[m], accepted = m;
  }
  const auto worth = artefact_->tensors.find(cascade_tensor("worth", state.asked));
  if (worth != artefact_->tensors.end()) {
    const auto features = shape_.features(state, state.asked);
    const std::size_t width = features->size() + 1;
    const float* rows = worth->second.values.data() + point * shape_.models * width;
    for (std::size_t m = highest; m < shape_.models; ++m) {
      const double value = dot_with_offset(rows + m * width, *features) - points_[point].lambda * cost_[m];
      if (value > ask) ask = value, asked = m;
    }
  }
  if (accept == kNone && ask == kNone) return std::nullopt;
  Choice out;
  out.accept = accept >= ask;
  out.model = out.accept ? accepted : asked;
  out.worth = out.accept ? accept : ask;
  out.otherwise = out.accept ? ask : accept;
  out.quality = std::move(*expected);
  return out;
}

}  // namespace brevet
