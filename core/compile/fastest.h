// Which of several candidates runs fastest: the order of the runs, and what their times decide.
// Knows no clock: the same times give the same choice.
#pragma once

#include <optional>

#include "absl/status/statusor.h"

namespace fovea {

// How many runs a choice may take. Each candidate runs once to warm up; then it takes turns with
// the best so far, whose place it takes when its shortest run is shorter by `margin`.
struct RaceOptions {
  int rounds = 5;             // turns of a pair, at most
  double margin = 0.03;       // a smaller gain is noise, and the earlier candidate stays
  double enough_seconds = 2;  // after which every pair has one turn only
  double most_seconds = 15;   // when the least number of runs would take longer, there are none
};

struct Fastest {
  int candidate = 0;
  double seconds = 0;  // its shortest run
};

// The candidates of a race, numbered from 0, the one to prefer first.
class Candidates {
 public:
  virtual ~Candidates() = default;
  // Runs one; seconds. At most two that were not dropped have ever run.
  virtual absl::StatusOr<double> Run(int candidate) = 0;
  // It lost and runs no more.
  virtual void Drop(int candidate) = 0;
};

// Of `count` candidates, at least 2. Nothing when one run of the first shows that the race would
// take too long. Errors are those of Run.
absl::StatusOr<std::optional<Fastest>> FindFastest(int count, const RaceOptions& options,
                                                   Candidates& candidates);

}  // namespace fovea
