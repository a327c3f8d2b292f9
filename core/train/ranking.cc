#include "core/train/ranking.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <vector>

namespace fovea {
namespace {

// Examples with one score: how many there are, and how many of them are positive.
struct Tie {
  int64_t examples = 0;
  int64_t positives = 0;
};

// The distinct scores from the highest to the lowest.
std::vector<Tie> TiesFromTheHighest(absl::Span<const float> scores,
                                    absl::Span<const uint8_t> truth) {
  std::vector<uint32_t> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return scores[a] > scores[b]; });
  std::vector<Tie> ties;
  for (size_t i = 0; i < order.size(); ++i) {
    if (i == 0 || scores[order[i]] != scores[order[i - 1]]) ties.emplace_back();
    ++ties.back().examples;
    ties.back().positives += truth[order[i]] != 0;
  }
  return ties;
}

int64_t Positives(absl::Span<const uint8_t> truth) {
  return std::count_if(truth.begin(), truth.end(), [](uint8_t t) { return t != 0; });
}

}  // namespace

std::optional<double> RocAuc(absl::Span<const float> scores, absl::Span<const uint8_t> truth) {
  const int64_t positives = Positives(truth);
  const int64_t negatives = static_cast<int64_t>(truth.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  // Pairs in which the positive one wins: each negative loses against all positives above it, and
  // half against those of its own score.
  double wins = 0;
  int64_t positives_above = 0;
  for (const Tie& tie : TiesFromTheHighest(scores, truth)) {
    const auto negatives_here = static_cast<double>(tie.examples - tie.positives);
    wins += negatives_here *
            (static_cast<double>(positives_above) + 0.5 * static_cast<double>(tie.positives));
    positives_above += tie.positives;
  }
  return wins / (static_cast<double>(positives) * static_cast<double>(negatives));
}

std::optional<double> AveragePrecision(absl::Span<const float> scores,
                                       absl::Span<const uint8_t> truth) {
  const int64_t positives = Positives(truth);
  if (positives == 0) return std::nullopt;
  double area = 0;
  int64_t taken = 0;
  int64_t hits = 0;
  for (const Tie& tie : TiesFromTheHighest(scores, truth)) {
    taken += tie.examples;
    hits += tie.positives;
    area +=
        static_cast<double>(tie.positives) * static_cast<double>(hits) / static_cast<double>(taken);
  }
  return area / static_cast<double>(positives);
}

}  // namespace fovea
