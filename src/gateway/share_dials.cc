#include "gateway/share_dials.h"

#include <boost/json.hpp>
#include <cmath>

namespace brevet {

namespace json = boost::json;

ShareDial ShareDials::of(const std::string& tenant, const std::string& route) const {
  std::lock_guard lock(mutex_);
  const auto found = dials_.find({tenant, route});
  return found != dials_.end() ? found->second : ShareDial{};
}

void ShareDials::count(const std::string& tenant, const std::string& route, const ShareVote& vote) {
  std::lock_guard lock(mutex_);
  auto& dial = dials_[{tenant, route}];
  dial = after_vote(dial, vote);
}

std::string ShareDials::save() const {
  json::array rows;
  std::lock_guard lock(mutex_);
  for (const auto& [key, dial] : dials_) rows.push_back({key.first, key.second, dial.share, dial.offset});
  return json::serialize(rows);
}

bool ShareDials::restore(std::string_view text) {
  json::error_code bad;
  const auto rows = json::parse(text, bad);
  if (bad || !rows.is_array()) return false;
  std::map<std::pair<std::string, std::string>, ShareDial> read;
  for (const auto& row : rows.get_array()) {
    if (!row.is_array() || row.get_array().size() != 4) return false;
    const auto& cells = row.get_array();
    if (!cells[0].is_string() || !cells[1].is_string() || !cells[2].is_number() || !cells[3].is_number())
      return false;
    const ShareDial dial{cells[2].to_number<double>(), cells[3].to_number<double>()};
    if (!std::isfinite(dial.share) || !std::isfinite(dial.offset)) return false;
    read[{std::string(cells[0].get_string()), std::string(cells[1].get_string())}] = dial;
  }
  std::lock_guard lock(mutex_);
  dials_ = std::move(read);
  return true;
}

void ShareDials::forget_tenant(const std::string& tenant) {
  std::lock_guard lock(mutex_);
  std::erase_if(dials_, [&](const auto& entry) { return entry.first.first == tenant; });
}

}  // namespace brevet
