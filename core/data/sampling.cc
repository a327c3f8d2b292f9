#include "core/data/sampling.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/base/check.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "core/data/sampler.h"

namespace fovea {
namespace {

// Keep these draws apart from others' of one seed.
constexpr uint64_t kClassStream = 0x636c617373;
constexpr uint64_t kDrawStream = 0x64726177;

void Shuffle(Random& random, absl::Span<int64_t> order) {
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
}

// The examples of one class in an endless order: shuffled, and again each time they are used up.
class ClassStream {
 public:
  ClassStream(std::vector<int64_t> examples, uint64_t key)
      : examples_(std::move(examples)), random_(key) {}
  int64_t Next() {
    if (next_ == 0) Shuffle(random_, absl::MakeSpan(examples_));
    const int64_t example = examples_[next_];
    next_ = (next_ + 1) % examples_.size();
    return example;
  }

 private:
  std::vector<int64_t> examples_;
  Random random_;
  size_t next_ = 0;
};

std::vector<ClassStream> StreamsOf(const SamplingPlan& plan, uint64_t seed, int64_t epoch) {
  std::vector<ClassStream> streams;
  for (size_t c = 0; c < plan.classes.size(); ++c) {
    streams.emplace_back(plan.classes[c],
                         HashKey(seed, kClassStream, static_cast<uint64_t>(epoch), c));
  }
  return streams;
}

// Σ n ^ power over the classes up to and with each one.
std::vector<double> CumulativeWeights(const SamplingPlan& plan) {
  std::vector<double> sums;
  double sum = 0;
  for (const std::vector<int64_t>& examples : plan.classes) {
    sum += std::pow(static_cast<double>(examples.size()), plan.power);
    sums.push_back(sum);
  }
  return sums;
}

bool BySize(const std::vector<int64_t>& a, const std::vector<int64_t>& b) {
  return a.size() < b.size();
}

}  // namespace

int64_t SamplingPlan::EpochLength() const {
  if (kind != Sampling::kOver && kind != Sampling::kUnder) return examples;
  CHECK(!classes.empty());
  const auto [smallest, largest] = std::minmax_element(classes.begin(), classes.end(), BySize);
  const size_t each = kind == Sampling::kOver ? largest->size() : smallest->size();
  return static_cast<int64_t>(classes.size() * each);
}

absl::StatusOr<ClassIndex> IndexClasses(const Dataset& dataset) {
  const auto labels = static_cast<size_t>(dataset.labels());
  const auto examples = static_cast<size_t>(dataset.size());
  std::vector<float> targets(examples * labels);
  std::vector<int64_t> support(labels);
  for (size_t i = 0; i < examples; ++i) {
    float* row = targets.data() + i * labels;
    RETURN_IF_ERROR(dataset.ReadTarget(static_cast<int64_t>(i), row));
    for (size_t label = 0; label < labels; ++label) support[label] += row[label] > 0.5f;
  }
  ClassIndex index;
  index.class_of.resize(examples);
  index.counts.resize(labels + 1);
  for (size_t i = 0; i < examples; ++i) {
    size_t rarest = labels;
    for (size_t label = 0; label < labels; ++label) {
      if (!(targets[i * labels + label] > 0.5f)) continue;  // nor unknown
      if (rarest == labels || support[label] < support[rarest]) rarest = label;
    }
    index.class_of[i] = static_cast<int32_t>(rarest);
    ++index.counts[rarest];
  }
  return index;
}

std::vector<float> RarityStrengths(const ClassIndex& index, double common) {
  int64_t rarest = 0;
  int64_t commonest = 0;
  for (const int64_t count : index.counts) {
    if (count > 0 && (rarest == 0 || count < rarest)) rarest = count;
    commonest = std::max(commonest, count);
  }
  std::vector<float> strengths(index.class_of.size(), 1);
  if (rarest == commonest) return strengths;
  const auto log_ratio = [rarest](int64_t count) {
    return std::log(static_cast<double>(count) / static_cast<double>(rarest));
  };
  for (size_t i = 0; i < strengths.size(); ++i) {
    const int64_t count = index.counts[static_cast<size_t>(index.class_of[i])];
    strengths[i] = static_cast<float>(1 - (1 - common) * log_ratio(count) / log_ratio(commonest));
  }
  return strengths;
}

absl::StatusOr<SamplingPlan> PlanSampling(Sampling kind, double power, const Dataset& dataset) {
  SamplingPlan plan;
  plan.kind = kind;
  plan.power = power;
  plan.examples = dataset.size();
  if (kind == Sampling::kUniform) return plan;
  ASSIGN_OR_RETURN(const ClassIndex index, IndexClasses(dataset));
  plan.classes.resize(index.counts.size());
  for (size_t i = 0; i < index.class_of.size(); ++i) {
    plan.classes[static_cast<size_t>(index.class_of[i])].push_back(static_cast<int64_t>(i));
  }
  std::erase_if(plan.classes, [](const auto& examples) { return examples.empty(); });
  return plan;
}

void FillEpoch(const SamplingPlan& plan, uint64_t seed, int64_t epoch, absl::Span<int64_t> order) {
  CHECK(static_cast<int64_t>(order.size()) == plan.EpochLength());
  if (plan.kind == Sampling::kUniform) return ShuffleEpoch(seed, epoch, order);
  std::vector<ClassStream> streams = StreamsOf(plan, seed, epoch);
  Random random(HashKey(seed, kDrawStream, static_cast<uint64_t>(epoch)));
  if (plan.kind == Sampling::kClassBalanced) {
    const std::vector<double> sums = CumulativeWeights(plan);
    for (int64_t& example : order) {
      const double draw = random.Uniform() * sums.back();
      const auto found = std::upper_bound(sums.begin(), sums.end() - 1, draw);
      example = streams[static_cast<size_t>(found - sums.begin())].Next();
    }
    return;
  }
  const size_t each = order.size() / streams.size();
  size_t at = 0;
  for (ClassStream& stream : streams) {
    for (size_t i = 0; i < each; ++i) order[at++] = stream.Next();
  }
  Shuffle(random, order);
}

}  // namespace fovea
