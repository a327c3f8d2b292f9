// What an epoch of training consists of: every example once, or a choice against imbalance.
//
// An example's class is its rarest label, by how many examples have it, the first of equals; the
// examples without a label make a class of their own.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/data/dataset.h"

namespace fovea {

enum class Sampling {
  kUniform,        // every example once
  kOver,           // every class as often as the largest one, its examples as evenly as can be
  kUnder,          // every class as often as the smallest one, each epoch a new random part of it
  kClassBalanced,  // class c with probability n_c ^ power / Σ n ^ power (Kang et al. 2020, eq. 1)
};

struct SamplingPlan {
  Sampling kind = Sampling::kUniform;
  double power = 0;      // kClassBalanced; in [0, 1]
  int64_t examples = 0;  // of the data set
  // The examples of each class, ascending, none empty. Empty for kUniform.
  std::vector<std::vector<int64_t>> classes;

  // Examples an epoch: classes × the largest or smallest class for kOver and kUnder, else
  // `examples`.
  int64_t EpochLength() const;
};

// Which class each example of a data set is of, and how many each class has. Classes: the labels in
// their order, then, if there are any, the examples without a label. Reads every target.
struct ClassIndex {
  std::vector<int32_t> class_of;  // [examples]
  std::vector<int64_t> counts;    // [labels + 1]
};
absl::StatusOr<ClassIndex> IndexClasses(const Dataset& dataset);

// How much of the augmentation each example gets: 1 in the rarest class that has examples, `common`
// in the most frequent one, and in between 1 − (1 − common) ln(n / rarest) / ln(commonest /
// rarest), n the examples of its class. All 1 where the classes are equally frequent.
std::vector<float> RarityStrengths(const ClassIndex& index, double common);

// The plan for `dataset`.
absl::StatusOr<SamplingPlan> PlanSampling(Sampling kind, double power, const Dataset& dataset);

// Writes the examples of an epoch in order; a pure function of (plan, seed, epoch). `order` has
// the length of an epoch.
void FillEpoch(const SamplingPlan& plan, uint64_t seed, int64_t epoch, absl::Span<int64_t> order);

}  // namespace fovea
