#include "core/compile/fastest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace fovea {
namespace {

using ::testing::ElementsAre;

// Candidates whose runs take what the test says: the first run `cold` times as long.
class FakeCandidates : public Candidates {
 public:
  explicit FakeCandidates(std::vector<double> seconds, double cold = 1)
      : runs(seconds.size()), seconds_(std::move(seconds)), cold_(cold) {}

  absl::StatusOr<double> Run(int candidate) override {
    if (runs[candidate] == fail_at) return absl::CancelledError("cancelled");
    alive_.insert(candidate);
    most_alive = std::max(most_alive, alive_.size());
    const double factor = runs[candidate]++ == 0 ? cold_ : 1;
    return seconds_[candidate] * factor;
  }
  void Drop(int candidate) override {
    EXPECT_EQ(alive_.erase(candidate), 1u);
    dropped.push_back(candidate);
  }

  std::vector<int> runs;
  std::vector<int> dropped;
  size_t most_alive = 0;
  int fail_at = -1;

 private:
  const std::vector<double> seconds_;
  const double cold_;
  std::set<int> alive_;
};

constexpr RaceOptions kOptions = {
    .rounds = 5, .margin = 0.03, .enough_seconds = 1, .most_seconds = 15};

struct Choice {
  std::vector<double> seconds;
  int expected;
};

TEST(FindFastest, IsTheShortestUnlessAnEarlierOneIsNearlyAsShort) {
  const std::vector<Choice> table = {
      {{0.010, 0.020, 0.030}, 0},    {{0.020, 0.010, 0.030}, 1},
      {{0.030, 0.020, 0.010}, 2},    {{0.0100, 0.0098, 0.0098}, 0},  // within the margin
      {{0.0100, 0.0098, 0.0096}, 2},                                 // beyond it, of the first
      {{0.0100, 0.0090, 0.0089}, 1}, {{0.010, 0.009}, 1},
  };
  for (const Choice& choice : table) {
    FakeCandidates candidates(choice.seconds);
    const auto fastest = FindFastest(static_cast<int>(choice.seconds.size()), kOptions, candidates);
    ASSERT_TRUE(fastest.ok() && fastest->has_value());
    EXPECT_EQ((*fastest)->candidate, choice.expected) << choice.seconds[0];
    EXPECT_EQ((*fastest)->seconds, choice.seconds[choice.expected]);
    EXPECT_LE(candidates.most_alive, 2u);
    EXPECT_EQ(candidates.dropped.size(), choice.seconds.size() - 1);
  }
}

TEST(FindFastest, DoesNotCountTheFirstRunOfACandidate) {
  FakeCandidates candidates({0.010, 0.009, 0.008}, /*cold=*/10);
  const auto fastest = FindFastest(3, kOptions, candidates);
  ASSERT_TRUE(fastest.ok() && fastest->has_value());
  EXPECT_EQ((*fastest)->candidate, 2);
  EXPECT_EQ((*fastest)->seconds, 0.008);
  EXPECT_THAT(candidates.runs, ElementsAre(6, 11, 6));  // 1 had two races
}

TEST(FindFastest, RunsLongCandidatesOnceToWarmUpAndOnceInEachRace) {
  FakeCandidates candidates({1.5, 2.0, 1.4});
  const auto fastest = FindFastest(3, kOptions, candidates);
  ASSERT_TRUE(fastest.ok() && fastest->has_value());
  EXPECT_EQ((*fastest)->candidate, 2);
  EXPECT_THAT(candidates.runs, ElementsAre(3, 2, 2));
}

TEST(FindFastest, RunsTheFirstOnlyWhenARaceWouldTakeTooLong) {
  FakeCandidates candidates({2.2, 1, 1});
  const auto fastest = FindFastest(3, kOptions, candidates);
  ASSERT_TRUE(fastest.ok()) << fastest.status();
  EXPECT_FALSE(fastest->has_value());
  EXPECT_THAT(candidates.runs, ElementsAre(1, 0, 0));
  EXPECT_THAT(candidates.dropped, ElementsAre(0));
}

TEST(FindFastest, EndsWithTheErrorOfARun) {
  FakeCandidates candidates({0.1, 0.1});
  candidates.fail_at = 3;
  EXPECT_EQ(FindFastest(2, kOptions, candidates).status().code(), absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace fovea
