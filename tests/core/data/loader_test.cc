#include "core/data/loader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "core/data/sampler.h"
#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr PixelShape kShape = {5, 4, 3};

InMemoryDataset MakeDataset(int n) {
  std::vector<Example> examples;
  for (int i = 0; i < n; ++i) {
    examples.push_back({testing::MakeImage(kShape.width, kShape.height, kShape.channels, i),
                        {static_cast<float>(i), 1},
                        absl::StrCat(i)});
  }
  return InMemoryDataset::Create(std::move(examples)).value();
}

// A batch that outlives the loader's buffers.
struct Copy {
  explicit Copy(const Batch& b)
      : step(b.step),
        epoch(b.epoch),
        count(b.count),
        examples(b.examples.begin(), b.examples.end()),
        pixels(b.pixels.as<uint8_t>(), b.pixels.as<uint8_t>() + b.pixels.count()),
        targets(b.targets.as<float>(), b.targets.as<float>() + b.targets.count()),
        weights(b.weights.as<float>(), b.weights.as<float>() + b.weights.count()) {}
  bool operator==(const Copy&) const = default;

  int64_t step, epoch;
  int count;
  std::vector<int64_t> examples;
  std::vector<uint8_t> pixels;
  std::vector<float> targets, weights;
};

std::vector<Copy> AllBatches(const BatchLoader::Options& options) {
  const auto loader = BatchLoader::Create(options).value();
  std::vector<Copy> batches;
  while (const Batch* batch = loader->Next().value()) batches.emplace_back(*batch);
  return batches;
}

BatchLoader::Options TrainingOptions(const Dataset* dataset) {
  BatchLoader::Options options;
  options.dataset = dataset;
  options.batch_size = 4;
  options.seed = 11;
  options.end_step = 20;
  options.augment.crop = {.pad_pixels = 2, .flip_horizontal = 0.5};
  return options;
}

TEST(BatchLoader, GivesTheSamplersBatches) {
  const InMemoryDataset dataset = MakeDataset(10);
  BatchLoader::Options options = TrainingOptions(&dataset);
  options.augment = {};
  Sampler sampler(options.seed, 10, 4);
  const std::vector<Copy> batches = AllBatches(options);
  ASSERT_EQ(batches.size(), 20u);
  for (const Copy& batch : batches) {
    EXPECT_THAT(batch.examples, ::testing::ElementsAreArray(sampler.Batch(batch.step)));
    EXPECT_EQ(batch.epoch, batch.step / 2);
    EXPECT_EQ(batch.count, 4);
    EXPECT_THAT(batch.weights, Each(1.0f));
    for (size_t i = 0; i < 4; ++i) {
      const Example example = dataset.Get(batch.examples[i]).value();
      const auto begin = batch.pixels.begin() + static_cast<int64_t>(i * kShape.bytes());
      EXPECT_TRUE(std::equal(example.image.pixels.begin(), example.image.pixels.end(), begin));
      EXPECT_EQ(batch.targets[2 * i], static_cast<float>(batch.examples[i]));
    }
  }
}

// With something of every family.
BatchLoader::Options RichOptions(const Dataset* dataset) {
  BatchLoader::Options options = TrainingOptions(dataset);
  options.augment.geometry.crop_probability = 0.5;
  options.augment.geometry.rotate_probability = 0.5;
  options.augment.rand.probability = 0.5;
  options.augment.color.jitter_probability = 0.5;
  options.augment.color.brightness = 0.5;
  options.augment.color.hue = 0.2;
  options.augment.color.blur_probability = 0.3;
  options.augment.color.noise_probability = 0.3;
  options.augment.erasing.erase_probability = 0.5;
  options.mix = {.mixup_probability = 0.4, .cutmix_probability = 0.4};
  return options;
}

TEST(BatchLoader, IsTheSameHoweverItsThreadsRun) {
  const InMemoryDataset dataset = MakeDataset(30);
  BatchLoader::Options options = RichOptions(&dataset);
  const std::vector<Copy> expected = AllBatches(options);
  for (int threads : {1, 2, 4}) {
    for (int depth : {1, 2, 5}) {
      options.threads = threads;
      options.depth = depth;
      EXPECT_EQ(AllBatches(options), expected) << threads << " threads, depth " << depth;
    }
  }
}

TEST(BatchLoader, GivesTheSameBatchesWhenResumed) {
  const InMemoryDataset dataset = MakeDataset(30);
  BatchLoader::Options options = RichOptions(&dataset);
  const std::vector<Copy> whole = AllBatches(options);
  for (int64_t from : {1, 6, 7, 13, 19, 20}) {
    options.first_step = from;
    EXPECT_EQ(AllBatches(options), std::vector<Copy>(whole.begin() + from, whole.end())) << from;
  }
}

TEST(BatchLoader, AugmentsAnExampleAnewEachTime) {
  const InMemoryDataset dataset = MakeDataset(4);
  std::set<std::vector<uint8_t>> pictures;
  const std::vector<Copy> batches = AllBatches(TrainingOptions(&dataset));
  for (const Copy& batch : batches) {
    const auto at = std::find(batch.examples.begin(), batch.examples.end(), 0);
    const int64_t offset = (at - batch.examples.begin()) * static_cast<int64_t>(kShape.bytes());
    pictures.emplace(batch.pixels.begin() + offset,
                     batch.pixels.begin() + offset + static_cast<int64_t>(kShape.bytes()));
  }
  EXPECT_GT(pictures.size(), 10u);
}

TEST(BatchLoader, AugmentsEachExampleWithItsStrength) {
  const InMemoryDataset dataset = MakeDataset(8);
  BatchLoader::Options options = TrainingOptions(&dataset);
  options.augment_strength = {0, 0, 0, 0, 1, 1, 1, 1};
  int changed = 0;
  for (const Copy& batch : AllBatches(options)) {
    for (size_t i = 0; i < 4; ++i) {
      const Example example = dataset.Get(batch.examples[i]).value();
      const bool same = std::equal(example.image.pixels.begin(), example.image.pixels.end(),
                                   batch.pixels.begin() + static_cast<int64_t>(i * kShape.bytes()));
      if (batch.examples[i] < 4) {
        EXPECT_TRUE(same);
      }
      changed += !same;
    }
  }
  EXPECT_GT(changed, 20);
  options.augment_strength.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(BatchLoader::Create(options).status()));
}

TEST(BatchLoader, MixesWholeBatches) {
  const InMemoryDataset dataset = MakeDataset(8);
  BatchLoader::Options options = TrainingOptions(&dataset);
  options.augment = {};
  const std::vector<Copy> plain = AllBatches(options);
  options.mix = {.mixup_probability = 1, .mixup_alpha = 1};
  const std::vector<Copy> mixed = AllBatches(options);
  for (size_t b = 0; b < plain.size(); ++b) {
    Copy expected = plain[b];
    ApplyMix(ChooseMix(options.mix, kShape, options.seed, expected.step), kShape, 4,
             expected.pixels.data(), 2, expected.targets.data());
    EXPECT_EQ(mixed[b], expected);
    EXPECT_NE(mixed[b], plain[b]);
  }
}

TEST(BatchLoader, PadsTheLastBatchOfAnEvaluation) {
  const InMemoryDataset dataset = MakeDataset(7);
  BatchLoader::Options options;
  options.dataset = &dataset;
  options.order = BatchLoader::Order::kSequential;
  options.batch_size = 3;
  const std::vector<Copy> batches = AllBatches(options);
  ASSERT_EQ(batches.size(), 3u);
  EXPECT_THAT(batches[0].examples, ElementsAre(0, 1, 2));
  EXPECT_THAT(batches[2].examples, ElementsAre(6, -1, -1));
  EXPECT_EQ(batches[2].count, 1);
  EXPECT_THAT(batches[2].weights, ElementsAre(1, 0, 0));
  EXPECT_THAT(batches[2].targets, ElementsAre(6, 1, 0, 0, 0, 0));
  const std::vector<uint8_t> padding(batches[2].pixels.begin() + int64_t(kShape.bytes()),
                                     batches[2].pixels.end());
  EXPECT_THAT(padding, Each(0));
}

TEST(BatchLoader, PadsAgainAfterBuffersWereUsed) {
  const InMemoryDataset dataset = MakeDataset(13);
  BatchLoader::Options options;
  options.dataset = &dataset;
  options.order = BatchLoader::Order::kSequential;
  options.batch_size = 2;
  options.depth = 1;
  const Copy last = AllBatches(options).back();
  EXPECT_THAT(last.examples, ElementsAre(12, -1));
  EXPECT_THAT(last.targets, ElementsAre(12, 1, 0, 0));
}

TEST(BatchLoader, HasNothingToSayAboutAnEmptyEvaluation) {
  const InMemoryDataset dataset = MakeDataset(0);
  BatchLoader::Options options;
  options.dataset = &dataset;
  options.order = BatchLoader::Order::kSequential;
  EXPECT_TRUE(AllBatches(options).empty());
}

TEST(BatchLoader, UsesItsBuffersAgain) {
  const InMemoryDataset dataset = MakeDataset(8);
  const auto loader = BatchLoader::Create(TrainingOptions(&dataset)).value();
  std::set<const void*> buffers;
  while (const Batch* batch = loader->Next().value()) buffers.insert(batch->pixels.data);
  EXPECT_LE(buffers.size(), 3u);
}

TEST(BatchLoader, StopsInTheMiddle) {
  const InMemoryDataset dataset = MakeDataset(8);
  BatchLoader::Options options = TrainingOptions(&dataset);
  options.end_step = -1;
  options.threads = 3;
  const auto loader = BatchLoader::Create(options).value();
  EXPECT_EQ(loader->Next().value()->step, 0);
  EXPECT_EQ(loader->Next().value()->step, 1);
}

TEST(BatchLoader, RefusesWhatCannotBeBatched) {
  const InMemoryDataset dataset = MakeDataset(3);
  BatchLoader::Options options = TrainingOptions(&dataset);
  const absl::Status status = BatchLoader::Create(options).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()),
              ::testing::HasSubstr("batch size is 4, an epoch has only 3 examples"));
  options.order = BatchLoader::Order::kSequential;
  EXPECT_TRUE(absl::IsInvalidArgument(BatchLoader::Create(options).status()));
  options.augment = {};
  options.mix.mixup_probability = 1;
  EXPECT_TRUE(absl::IsInvalidArgument(BatchLoader::Create(options).status()));
  options.mix = {};
  options.batch_size = 0;
  EXPECT_TRUE(absl::IsInvalidArgument(BatchLoader::Create(options).status()));
}

// Fails at one example, and waits at another until it is released.
class DifficultDataset : public Dataset {
 public:
  explicit DifficultDataset(int64_t bad) : bad_(bad) {}
  int64_t size() const override { return 10; }
  PixelShape shape() const override { return {1, 1, 1}; }
  int labels() const override { return 1; }
  std::string Id(int64_t i) const override { return absl::StrCat(i); }
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override {
    if (i == bad_) return absl::DataLossError("damaged");
    if (release_ != nullptr) release_->WaitForNotification();
    *pixels = static_cast<uint8_t>(i);
    *target = 0;
    return absl::OkStatus();
  }
  const int64_t bad_;
  absl::Notification* release_ = nullptr;
};

TEST(BatchLoader, AnswersAnErrorAtItsStepAndFromThenOn) {
  const DifficultDataset dataset(5);
  BatchLoader::Options options;
  options.dataset = &dataset;
  options.order = BatchLoader::Order::kSequential;
  options.batch_size = 2;
  options.threads = 2;
  const auto loader = BatchLoader::Create(options).value();
  EXPECT_TRUE(loader->Next().ok());
  EXPECT_TRUE(loader->Next().ok());
  EXPECT_TRUE(absl::IsDataLoss(loader->Next().status()));
  EXPECT_TRUE(absl::IsDataLoss(loader->Next().status()));
}

// A clock that moves a second at each look. The loader looks when it begins to wait: only then may
// the data set answer.
class ReleasingClock : public Clock {
 public:
  explicit ReleasingClock(absl::Notification* release) : release_(release) {}
  absl::Time Now() const override { return absl::UnixEpoch(); }
  absl::Duration Elapsed() const override {
    if (looks_++ == 0) release_->Notify();
    return absl::Seconds(looks_);
  }

 private:
  absl::Notification* const release_;
  mutable int looks_ = 0;
};

TEST(BatchLoader, MeasuresHowLongItsCallerWaited) {
  absl::Notification release;
  const ReleasingClock clock(&release);
  DifficultDataset slow(-1);
  slow.release_ = &release;
  BatchLoader::Options options;
  options.dataset = &slow;
  options.order = BatchLoader::Order::kSequential;
  options.clock = &clock;
  const auto loader = BatchLoader::Create(options).value();
  EXPECT_EQ(loader->waited(), absl::ZeroDuration());
  ASSERT_TRUE(loader->Next().ok());
  EXPECT_EQ(loader->waited(), absl::Seconds(1));
}

}  // namespace
}  // namespace fovea
