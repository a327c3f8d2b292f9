#include "core/data/loader.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "core/data/sampler.h"

namespace fovea {

struct BatchLoader::Slot {
  Tensor pixels;
  Tensor targets;
  Tensor weights;
  std::vector<int64_t> examples;
  Batch batch;
  absl::Status status;
  int64_t ready_step = -1;  // guarded by the loader's mutex
};

// What one thread needs to fill slots.
struct BatchLoader::Scratch {
  std::vector<uint8_t> pixels;  // of one picture, before its augmentation
  Augmenter augmenter;
};

namespace {

// Examples of a shuffled epoch.
int64_t EpochLength(const BatchLoader::Options& options) {
  return options.sampling != nullptr ? options.sampling->EpochLength() : options.dataset->size();
}

absl::Status Validate(const BatchLoader::Options& options) {
  const auto at_least_one = [](const char* what, int found) {
    return found >= 1 ? absl::OkStatus()
                      : absl::InvalidArgumentError(
                            absl::StrCat(what, " is ", found, ", expected at least 1"));
  };
  RETURN_IF_ERROR(at_least_one("batch_size", options.batch_size));
  RETURN_IF_ERROR(at_least_one("threads", options.threads));
  RETURN_IF_ERROR(at_least_one("depth", options.depth));
  if (options.first_step < 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("first_step is ", options.first_step, ", expected at least 0"));
  }
  if (!options.augment_strength.empty() &&
      static_cast<int64_t>(options.augment_strength.size()) != options.dataset->size()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "found ", options.augment_strength.size(), " strengths of augmentation, expected one for ",
        "each of ", options.dataset->size(), " examples"));
  }
  if (options.order == BatchLoader::Order::kSequential) {
    if (!options.augment.enabled() && !options.mix.enabled()) return absl::OkStatus();
    return absl::InvalidArgumentError("augmentation is for training only, order is sequential");
  }
  if (EpochLength(options) < options.batch_size) {
    return absl::FailedPreconditionError(absl::StrCat("batch size is ", options.batch_size,
                                                      ", an epoch has only ", EpochLength(options),
                                                      " examples"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<BatchLoader>> BatchLoader::Create(const Options& options) {
  CHECK(options.dataset != nullptr);
  RETURN_IF_ERROR(Validate(options));
  return std::unique_ptr<BatchLoader>(new BatchLoader(options));
}

BatchLoader::BatchLoader(const Options& options) : options_(options) {
  const Dataset& dataset = *options_.dataset;
  const int64_t n = options_.batch_size;
  int64_t last = std::numeric_limits<int64_t>::max();
  if (options_.order == Order::kShuffled) {
    steps_per_epoch_ = StepsPerEpoch(EpochLength(options_), n);
  } else {
    last = (dataset.size() + n - 1) / n;
  }
  end_step_ = options_.end_step < 0 ? last : std::min(options_.end_step, last);
  next_step_ = options_.first_step;

  const PixelShape shape = dataset.shape();
  for (int i = 0; i < options_.depth + 1; ++i) {  // one is in the caller's hands
    auto slot = std::make_unique<Slot>();
    slot->pixels = Tensor({DType::kU8, Dims({n, shape.height, shape.width, shape.channels})});
    slot->targets = Tensor({DType::kF32, Dims({n, dataset.labels()})});
    slot->weights = Tensor({DType::kF32, Dims({n})});
    slot->examples.resize(static_cast<size_t>(n));
    slots_.push_back(std::move(slot));
  }
  {
    absl::MutexLock lock(&mutex_);
    next_to_fill_ = released_ = options_.first_step;
  }
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this] { Run(); });
}

BatchLoader::~BatchLoader() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
}

// Takes one step after another, whichever thread is free; each step fills its own slot.
void BatchLoader::Run() {
  const int64_t slots = static_cast<int64_t>(slots_.size());
  const int64_t n = options_.batch_size;
  std::optional<Sampler> sampler;
  if (steps_per_epoch_ > 0) {
    if (options_.sampling != nullptr) {
      sampler.emplace(options_.seed, options_.sampling, n);
    } else {
      sampler.emplace(options_.seed, options_.dataset->size(), n);
    }
  }
  std::vector<int64_t> sequence(static_cast<size_t>(n));
  const PixelShape shape = options_.dataset->shape();
  Scratch scratch = {std::vector<uint8_t>(shape.bytes()), Augmenter(options_.augment, shape)};
  while (true) {
    int64_t step = 0;
    {
      absl::MutexLock lock(&mutex_);
      while (!stopping_ && next_to_fill_ < end_step_ && next_to_fill_ >= released_ + slots) {
        changed_.Wait(&mutex_);
      }
      if (stopping_ || next_to_fill_ >= end_step_) return;
      step = next_to_fill_++;
    }
    Slot* slot = slots_[static_cast<size_t>(step % slots)].get();
    absl::Span<const int64_t> examples;
    if (sampler) {
      examples = sampler->Batch(step);
    } else {
      std::iota(sequence.begin(), sequence.end(), step * n);
      const int64_t left = options_.dataset->size() - step * n;
      examples = absl::MakeConstSpan(sequence).first(static_cast<size_t>(std::min(n, left)));
    }
    slot->status = Fill(step, examples, slot, &scratch);
    absl::MutexLock lock(&mutex_);
    slot->ready_step = step;
    changed_.SignalAll();
  }
}

absl::Status BatchLoader::ReadAugmented(int64_t step, absl::Span<const int64_t> examples, size_t i,
                                        uint8_t* pixels, float* target, Scratch* scratch) const {
  const int64_t example = examples[i];
  RETURN_IF_ERROR(options_.dataset->Read(example, scratch->pixels.data(), target));
  const auto repeat =
      std::count(examples.begin(), examples.begin() + static_cast<int64_t>(i), example);
  const double strength = options_.augment_strength.empty()
                              ? 1.0
                              : options_.augment_strength[static_cast<size_t>(example)];
  return scratch->augmenter.Apply({.seed = options_.seed,
                                   .step = step,
                                   .epoch = step / steps_per_epoch_,
                                   .example = example,
                                   .repeat = static_cast<int>(repeat)},
                                  strength, scratch->pixels.data(), pixels);
}

absl::Status BatchLoader::Fill(int64_t step, absl::Span<const int64_t> examples, Slot* slot,
                               Scratch* scratch) const {
  const Dataset& dataset = *options_.dataset;
  const PixelShape shape = dataset.shape();
  const size_t pixel_bytes = shape.bytes();
  const size_t labels = static_cast<size_t>(dataset.labels());
  uint8_t* pixels = slot->pixels.as<uint8_t>();
  float* targets = slot->targets.as<float>();
  float* weights = slot->weights.as<float>();
  for (size_t i = 0; i < examples.size(); ++i) {
    uint8_t* to = pixels + i * pixel_bytes;
    float* target = targets + i * labels;
    RETURN_IF_ERROR(options_.augment.enabled()
                        ? ReadAugmented(step, examples, i, to, target, scratch)
                        : dataset.Read(examples[i], to, target));
    weights[i] = 1;
    slot->examples[i] = examples[i];
  }
  if (options_.mix.enabled()) {
    ApplyMix(ChooseMix(options_.mix, shape, options_.seed, step), shape,
             static_cast<int64_t>(examples.size()), pixels, dataset.labels(), targets);
  }
  const size_t padding = slot->examples.size() - examples.size();
  std::memset(pixels + examples.size() * pixel_bytes, 0, padding * pixel_bytes);
  std::fill_n(targets + examples.size() * labels, padding * labels, 0.0f);
  std::fill_n(weights + examples.size(), padding, 0.0f);
  std::fill_n(slot->examples.begin() + static_cast<int64_t>(examples.size()), padding, -1);
  slot->batch = Batch{step,
                      steps_per_epoch_ > 0 ? step / steps_per_epoch_ : 0,
                      static_cast<int>(examples.size()),
                      slot->examples,
                      slot->pixels.view(),
                      slot->targets.view(),
                      slot->weights.view()};
  return absl::OkStatus();
}

absl::StatusOr<const Batch*> BatchLoader::Next() {
  if (next_step_ >= end_step_) return nullptr;
  Slot* slot = slots_[static_cast<size_t>(next_step_ % static_cast<int64_t>(slots_.size()))].get();
  absl::MutexLock lock(&mutex_);
  released_ = next_step_;
  changed_.SignalAll();
  if (slot->ready_step != next_step_) {
    const absl::Duration start = options_.clock->Elapsed();
    while (slot->ready_step != next_step_) changed_.Wait(&mutex_);
    waited_ += options_.clock->Elapsed() - start;
  }
  if (!slot->status.ok()) return slot->status;
  ++next_step_;
  return &slot->batch;
}

}  // namespace fovea
