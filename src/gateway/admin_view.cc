#include <boost/asio/thread_pool.hpp>
#include <boost/json.hpp>
#include <map>
#include <utility>

#include "gateway/contract_report.h"
#include "gateway/explain.h"
#include "gateway/make_admin_view.h"
#include "gateway/report.h"
#include "store/decision_json.h"

namespace brevet {
namespace {

class View final : public AdminView {
 public:
  explicit View(AdminParts parts) : parts_(std::move(parts)) {}
  ~View() override { pool_.join(); }

  Task<Result<std::optional<std::string>>> decision_json(std::string tenant, std::string id) override {
    // The store knows feedback and shadows too; what it has not committed yet is in memory.
    auto read = read_decision(&parts_.store, tenant, id);
    auto stored = co_await asio::co_spawn(pool_, std::move(read), asio::use_awaitable);
    if (!stored || *stored) co_return stored;
    const auto decision = parts_.recent.find(id);
    if (!decision || decision->tenant != tenant) co_return std::optional<std::string>();
    co_return std::optional<std::string>(brevet::decision_json(*decision));
  }

  Task<Result<std::vector<std::string>>> decisions_json(DecisionQuery query) override {
    auto read = read_decisions(&parts_.store, std::move(query));
    co_return co_await asio::co_spawn(pool_, std::move(read), asio::use_awaitable);
  }

  Task<Result<std::string>> report_json(ReportQuery query) override {
    std::vector<RouteFigures> rows;
    for (auto& row : parts_.ledger.snapshot()) {
      if (row.tenant == query.tenant && (query.route.empty() || row.route == query.route))
        rows.push_back(std::move(row));
    }
    co_return brevet::report_json(rows);
  }

  std::string contract_json(const ReportQuery& query) override {
    std::vector<ContractState> states;
    if (parts_.contracts) {
      for (auto& state : parts_.contracts->states()) {
        if (state.tenant == query.tenant && (query.route.empty() || state.route == query.route))
          states.push_back(std::move(state));
      }
    }
    return brevet::contract_json(states, parts_.ledger.snapshot());
  }

  Result<> set_contract_switch(const std::string& tenant, const std::string& route, bool on) override {
    if (!parts_.contracts) return AdminView::set_contract_switch(tenant, route, on);
    return parts_.contracts->set_switch(tenant, route, on);
  }

  std::string dry_run_json(const Decision& decision) const override {
    Decision shown = decision;
    // Strategies speak of a request that is served; here nothing was.
    auto& sentence = shown.reason.sentence;
    constexpr std::string_view kServed = "Served by ";
    if (sentence.starts_with(kServed)) sentence = "Would be served by " + sentence.substr(kServed.size());
    auto out = brevet::decision_json(shown);
    out.pop_back();  // the closing brace
    return out + ",\"would_call\":" + boost::json::serialize(boost::json::string(shown.would_have)) +
           ",\"explanation\":" + boost::json::serialize(boost::json::string(explain(shown))) + "}";
  }

  std::vector<MetricSample> samples() const override {
    std::vector<MetricSample> out;
    const auto add = [&](const char* name, const char* help, bool counter,
                         std::vector<std::pair<std::string, std::string>> labels, double value) {
      out.push_back({name, help, counter, std::move(labels), value});
    };
    // Tenants are summed: their number is not bounded by what a scrape should carry.
    std::map<std::string, std::vector<RouteFigures>> routes;
    for (auto& row : parts_.ledger.snapshot()) routes[row.route].push_back(std::move(row));
    for (const auto& [name, rows] : routes) {
      if (name.empty()) continue;  // named models are not learned from
      const auto& route = name;
      CostTotal learn, guide, judge;
      AgreementCount checks, alone;
      std::uint64_t guides = 0;
      for (const auto& row : rows) {
        learn.add(row.learn), guide.add(row.guide), judge.add(row.judge);
        checks.same += row.spot_checks.same, checks.different += row.spot_checks.different;
        checks.cannot_tell += row.spot_checks.cannot_tell;
        alone.same += row.weak_alone.same, alone.different += row.weak_alone.different;
        alone.cannot_tell += row.weak_alone.cannot_tell;
        guides += row.guides_written;
      }
      // What serving cost, and what the reference alone would have cost, the server's metrics count.
      for (const auto& [purpose, sum] : {std::pair{"learn", &learn}, {"guide", &guide}, {"judge", &judge}}) {
        add("brevet_learning_usd_total", "Known cost of model calls made to learn, by purpose.", true,
            {{"route", route}, {"purpose", purpose}}, sum->known.usd());
        add("brevet_learning_unpriced_calls_total", "Model calls made to learn whose cost is unknown.", true,
            {{"route", route}, {"purpose", purpose}}, static_cast<double>(sum->unknown_count));
      }
      for (const auto& [kind, count] : {std::pair{"spot_check", &checks}, {"weak_alone", &alone}}) {
        for (const auto& [verdict, n] : {std::pair{"same", count->same},
                                         {"different", count->different},
                                         {"cannot_tell", count->cannot_tell}}) {
          add("brevet_agreement_total", "Comparisons of the weak model's answers with the reference's.", true,
              {{"route", route}, {"kind", kind}, {"verdict", verdict}}, static_cast<double>(n));
        }
      }
      add("brevet_guides_written_total", "Guides written by the reference that gave no answer away.", true,
          {{"route", route}}, static_cast<double>(guides));
    }
    if (parts_.shadows) {
      const auto counters = parts_.shadows->counters();
      add("brevet_shadows_total", "Shadows admitted.", true, {}, static_cast<double>(counters.admitted));
      add("brevet_shadows_without_guide_total", "Shadows for which a guide was too dear.", true, {},
          static_cast<double>(counters.without_guide));
      add("brevet_shadows_running", "Shadows under way.", false, {}, static_cast<double>(counters.running));
      add("brevet_shadows_queued", "Shadows waiting.", false, {}, static_cast<double>(counters.queued));
      for (std::size_t i = 0; i < kShadowRefusals; ++i) {
        add("brevet_shadows_refused_total", "Requests that were not shadowed, by reason.", true,
            {{"reason", name_of(static_cast<ShadowRefusal>(i))}}, static_cast<double>(counters.refused[i]));
      }
    }
    if (parts_.contracts) {
      for (auto& sample : parts_.contracts->samples()) out.push_back(std::move(sample));
    }
    if (parts_.more_samples) {
      for (auto& sample : parts_.more_samples()) out.push_back(std::move(sample));
    }
    return out;
  }

 private:
  static Task<Result<std::optional<std::string>>> read_decision(const Store* store, std::string tenant,
                                                                std::string id) {
    co_return store->decision(tenant, id);
  }
  static Task<Result<std::vector<std::string>>> read_decisions(const Store* store, DecisionQuery query) {
    DecisionFilter filter;
    filter.tenant = std::move(query.tenant);
    filter.route = std::move(query.route);
    filter.limit = query.limit;
    co_return store->decisions(filter);
  }

  AdminParts parts_;
  asio::thread_pool pool_{1};
};

}  // namespace

std::unique_ptr<AdminView> make_admin_view(AdminParts parts) {
  return std::make_unique<View>(std::move(parts));
}

}  // namespace brevet
