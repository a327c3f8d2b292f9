#include "core/data/sampler.h"

#include <numeric>
#include <utility>

#include "core/base/check.h"
#include "core/base/random.h"

namespace fovea {
namespace {

constexpr uint64_t kShuffleStream =
    0x73687566666c65;  // keeps these draws apart from others' of one seed

}  // namespace

int64_t StepsPerEpoch(int64_t n, int64_t batch_size) {
  CHECK(batch_size >= 1);
  return n / batch_size;
}

void ShuffleEpoch(uint64_t seed, int64_t epoch, absl::Span<int64_t> order) {
  std::iota(order.begin(), order.end(), int64_t{0});
  Random random(HashKey(seed, kShuffleStream, static_cast<uint64_t>(epoch)));
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
}

Sampler::Sampler(uint64_t seed, int64_t n, int64_t batch_size)
    : Sampler(seed, std::make_shared<SamplingPlan>(SamplingPlan{.examples = n, .classes = {}}),
              batch_size) {}

Sampler::Sampler(uint64_t seed, std::shared_ptr<const SamplingPlan> plan, int64_t batch_size)
    : seed_(seed),
      plan_(std::move(plan)),
      batch_size_(batch_size),
      steps_per_epoch_(StepsPerEpoch(plan_->EpochLength(), batch_size)),
      order_(static_cast<size_t>(plan_->EpochLength())) {
  CHECK(steps_per_epoch_ >= 1);
}

absl::Span<const int64_t> Sampler::Batch(int64_t step) {
  CHECK(step >= 0);
  const int64_t epoch = EpochOf(step);
  if (epoch != epoch_) {
    FillEpoch(*plan_, seed_, epoch, absl::MakeSpan(order_));
    epoch_ = epoch;
  }
  const size_t first = static_cast<size_t>(step % steps_per_epoch_ * batch_size_);
  return absl::MakeConstSpan(order_).subspan(first, static_cast<size_t>(batch_size_));
}

}  // namespace fovea
