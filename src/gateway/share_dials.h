// Where the dials of routes stand whose strategy serves a share of requests by the reference
// (strategy/share_dial.h has the rule).
//
// RequestFlow reads one with the estimate and counts every choice at the moment it is made, so a learner that
// lags does not make the dial lag. Requests of one thread are counted in the order of their journal numbers;
// of several threads in the order of their choices. Thread-safe (one short lock). Survives restarts through
// save() and restore(), a setting of the store that is written with every batch: a crash loses at most what
// was chosen since the last one.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "strategy/share_dial.h"

namespace brevet {

class ShareDials {
 public:
  /// A dial that nobody has voted with stands where the user set it: share and offset 0 say so.
  ShareDial of(const std::string& tenant, const std::string& route) const;
  void count(const std::string& tenant, const std::string& route, const ShareVote& vote);

  std::string save() const;
  /// False when the text is not one of save(); then nothing changes.
  bool restore(std::string_view text);
  void forget_tenant(const std::string& tenant);

 private:
  mutable std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, ShareDial>
      dials_;  // guarded by mutex_; bounded by the config
};

}  // namespace brevet
