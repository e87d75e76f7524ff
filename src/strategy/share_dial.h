// The dial that is a share of requests for the reference: from which rank of a request's score the weak model
// serves, and how what was served lately moves that rank.
//
// The rank of a score among recent ones would be uniform, and the dial met by itself, if scores were always
// ranked among scores of their own kind. They are not: the estimate learns, so its scale moves; the window
// lags behind by whatever the learner lags; traffic drifts; guides take requests that the rank had given to
// the reference. Measured with a learner that lagged, a dial of .8 gave shares from .67 to 1.0. So the
// threshold is the dial plus an offset, and each choice of the dial moves the offset against its error:
//
//   offset <- offset + kGain (share - [the reference was chosen])
//
// which is integral action, the recursion of adaptive conformal inference (Gibbs and Candes 2021). Summed up,
// the error of the realised share over any n choices is (offset before - offset after) / (kGain n) plus what
// was chosen at a bound, whatever the scores do; the threshold stays within [-kGain, 1 + kGain], one
// step past both ends so that it can waver around them. So over 300 choices the error is at most 12 points
// even where drift takes the threshold from one end to the other, and 2 or 3 where it does not.
// share_dials_test.cc measures both. Example: the ranks of a stale window are all .9 and the dial is .8: the
// offset rises by .024 for each weak choice and falls by .006 for each other, settles at .1, and four of five
// requests go to the reference.
//
// Anti-windup: at a bound the offset stays (a dial that guides or scores make impossible to meet is not
// owed later), and only choices that the dial made are counted, not those before it could decide, not
// repeats, not failures. The price of kGain: the threshold wavers by about sqrt(kGain share (1 - share) / 2),
// .05 at .8, so requests that near to it are chosen by turns.
//
// Used by strategies, which compute; the state lives in gateway/share_dials.h. Pure.
#pragma once

namespace brevet {

enum class ShareChoice { kReference, kWeak };

struct ShareDial {
  double share = 0;   ///< of requests for the reference, 0..1, as the user set it
  double offset = 0;  ///< what was served lately adds to it
};

/// A choice that a dial made, for whoever keeps its state.
struct ShareVote {
  double share = 0;
  ShareChoice choice = ShareChoice::kReference;
};

inline constexpr double kShareGain = 0.03;

/// Weak serves from this rank of the score on. A share of 1 is never reached, one of 0 always.
double share_threshold(const ShareDial& dial);
/// `dial` as left by `vote`. A vote for another share starts anew: what the old dial owed is not owed by
/// this.
ShareDial after_vote(ShareDial dial, const ShareVote& vote);

}  // namespace brevet
