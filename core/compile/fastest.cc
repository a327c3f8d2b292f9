#include "core/compile/fastest.h"

#include <algorithm>
#include <limits>

#include "core/base/status.h"

namespace fovea {
namespace {

class Race {
 public:
  Race(int count, const RaceOptions& options, Candidates& candidates)
      : count_(count), options_(options), candidates_(candidates) {}

  absl::StatusOr<std::optional<Fastest>> Run() {
    ASSIGN_OR_RETURN(const double first, Time(0));
    if (first * LeastRuns() > options_.most_seconds) {
      candidates_.Drop(0);
      return std::nullopt;
    }
    Fastest best = {0, first};
    for (int challenger = 1; challenger < count_; ++challenger) {
      ASSIGN_OR_RETURN(best, Duel(best.candidate, challenger));
    }
    return best;
  }

 private:
  // A warm-up each, and one turn of every pair.
  int LeastRuns() const { return count_ + 2 * (count_ - 1); }

  absl::StatusOr<Fastest> Duel(int best, int challenger) {
    RETURN_IF_ERROR(Time(challenger).status());
    double best_seconds = std::numeric_limits<double>::infinity();
    double challenger_seconds = best_seconds;
    for (int round = 0; round < options_.rounds; ++round) {
      if (round > 0 && spent_ >= options_.enough_seconds) break;
      ASSIGN_OR_RETURN(const double a, Time(best));
      ASSIGN_OR_RETURN(const double b, Time(challenger));
      best_seconds = std::min(best_seconds, a);
      challenger_seconds = std::min(challenger_seconds, b);
    }
    if (challenger_seconds < best_seconds * (1 - options_.margin)) {
      candidates_.Drop(best);
      return Fastest{challenger, challenger_seconds};
    }
    candidates_.Drop(challenger);
    return Fastest{best, best_seconds};
  }

  absl::StatusOr<double> Time(int candidate) {
    ASSIGN_OR_RETURN(const double seconds, candidates_.Run(candidate));
    spent_ += seconds;
    return seconds;
  }

  const int count_;
  const RaceOptions& options_;
  Candidates& candidates_;
  double spent_ = 0;
};

}  // namespace

absl::StatusOr<std::optional<Fastest>> FindFastest(int count, const RaceOptions& options,
                                                   Candidates& candidates) {
  return Race(count, options, candidates).Run();
}

}  // namespace fovea
