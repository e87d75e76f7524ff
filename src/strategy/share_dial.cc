#include "strategy/share_dial.h"

#include <algorithm>

namespace brevet {

double share_threshold(const ShareDial& dial) {
  if (dial.share >= 1) return 2;
  if (dial.share <= 0) return 0;
  return std::clamp(dial.share + dial.offset, -kShareGain, 1 + kShareGain);
}

ShareDial after_vote(ShareDial dial, const ShareVote& vote) {
  if (dial.share != vote.share) dial = {vote.share, 0};
  const double error = vote.share - (vote.choice == ShareChoice::kReference ? 1 : 0);
  dial.offset =
      std::clamp(dial.offset + kShareGain * error, -vote.share - kShareGain, 1 + kShareGain - vote.share);
  return dial;
}

}  // namespace brevet
