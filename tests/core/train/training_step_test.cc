// One update, seen from the weights: clipping, gathered batches and moving averages, each against
// what its definition says of the same batch.
#include "core/train/training_step.h"

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/random.h"
#include "core/nets/net.h"
#include "core/train/config.h"
#include "core/train/optimizer.h"
#include "core/train/recipe.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::Each;
using ::testing::Pointwise;

constexpr int64_t kExamples = 26;
constexpr double kRate = 0.125;

MATCHER_P(NearTo, tolerance, "") {
  return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= tolerance;
}

// A step of a configuration on either backend, with its initial weights, and one batch for it.
class StepRun {
 public:
  // Later fields replace earlier ones.
  explicit StepRun(const std::string& text) {
    v1::TrainingConfig given;
    EXPECT_TRUE(google::protobuf::TextFormat::MergeFromString(text, &given)) << text;
    if (given.backend() == v1::BACKEND_UNSPECIFIED) given.set_backend(v1::BACKEND_REFERENCE);
    const DatasetStatistics data =
        testing::BarsStatistics(v1::TASK_SINGLE_LABEL, kExamples, 12, 12);
    const auto complete = Complete(given, data, 1);
    EXPECT_TRUE(complete.ok()) << complete.status();
    config_ = complete->config;
    const std::vector<std::string> labels = testing::BarLabels();
    const auto net = BuildNet(NetOptionsOf(config_, static_cast<int>(labels.size())),
                              static_cast<int>(config_.batch_size()));
    EXPECT_TRUE(net.ok()) << net.status();
    CompileOptions compile;
    compile.width = 1;
    auto step = TrainingStep::Create(*net, config_, labels,
                                     **FindBackend(BackendName(config_.backend())), compile);
    EXPECT_TRUE(step.ok()) << step.status();
    step_ = *std::move(step);
    EXPECT_TRUE(Initialize(*net, 7, *step_->weights()).ok());
    EXPECT_TRUE(step_->Begin().ok());
  }

  double Step(int64_t step) {
    const int64_t count = ExamplesPerStep(config_);
    const InMemoryDataset bars = testing::Bars(count, v1::TASK_SINGLE_LABEL, 100 + step);
    Tensor pixels({DType::kU8, {count, testing::kSide, testing::kSide, 1}});
    Tensor targets({DType::kF32, {count, testing::kLabels}});
    Tensor weights({DType::kF32, {count}});
    for (int64_t i = 0; i < count; ++i) {
      EXPECT_TRUE(bars.Read(i, pixels.as<uint8_t>() + i * testing::kSide * testing::kSide,
                            targets.as<float>() + i * testing::kLabels)
                      .ok());
      weights.as<float>()[i] = 1;
    }
    Batch batch;
    batch.count = static_cast<int>(count);
    batch.pixels = pixels;
    batch.targets = targets;
    batch.weights = weights;
    const auto outcome = step_->Run(batch, step, kRate);
    EXPECT_TRUE(outcome.ok()) << outcome.status();
    return outcome->loss;
  }

  TrainingStep& step() { return *step_; }
  std::vector<float> Region(Role role) const { return RegionOf(*step_->weights(), role); }
  std::vector<float> Evaluated(Role role) const { return RegionOf(*step_->evaluated(), role); }

 private:
  static std::vector<float> RegionOf(const Weights& weights, Role role) {
    const auto bytes = weights.ReadRegion(role);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    std::vector<float> values(bytes->size() / sizeof(float));
    std::memcpy(values.data(), bytes->data(), bytes->size());
    return values;
  }

  v1::TrainingConfig config_;
  std::unique_ptr<TrainingStep> step_;
};

double Norm(const std::vector<float>& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

std::vector<float> Minus(std::vector<float> a, const std::vector<float>& b) {
  for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

const char kPlain[] = "mlp { hidden: 8 } batch_size: 8 sgd { momentum: 0 } weight_decay: 0 ";

// ---- Clipping.

class OnBackend : public ::testing::TestWithParam<std::string> {
 protected:
  static std::string Config(const std::string& text) {
    return kPlain + text + " backend: " + GetParam();
  }
};
INSTANTIATE_TEST_SUITE_P(Backends, OnBackend,
                         ::testing::Values("BACKEND_REFERENCE", "BACKEND_CPU"));

TEST_P(OnBackend, ClippingByNormLimitsTheLengthOfAStep) {
  StepRun unclipped(Config("")), loose(Config("clip_norm: 1000")),
      tight(Config("clip_norm: 0.015625"));
  const std::vector<float> start = unclipped.Region(Role::kParameter);
  for (StepRun* run : {&unclipped, &loose, &tight}) run->Step(0);
  const std::vector<float> step = Minus(unclipped.Region(Role::kParameter), start);
  EXPECT_GT(Norm(step), 1.5 * 0.015625 * kRate);
  EXPECT_EQ(loose.Region(Role::kParameter), unclipped.Region(Role::kParameter));
  const std::vector<float> clipped = Minus(tight.Region(Role::kParameter), start);
  EXPECT_NEAR(Norm(clipped), 0.015625 * kRate, 1e-6);
  // The direction stays.
  double product = 0;
  for (size_t i = 0; i < step.size(); ++i) product += static_cast<double>(step[i]) * clipped[i];
  EXPECT_NEAR(product, Norm(step) * Norm(clipped), 1e-6);
}

TEST_P(OnBackend, ClippingByValueComesBeforeTheNorm) {
  StepRun unclipped(Config("")), run(Config("clip_value: 0.001 clip_norm: 0.0078125"));
  const std::vector<float> start = unclipped.Region(Role::kParameter);
  unclipped.Step(0);
  run.Step(0);
  std::vector<float> expected = unclipped.Region(Role::kGradient);
  for (float& g : expected) g = std::clamp(g, -0.001f, 0.001f);
  const double scale = std::min(1.0, 0.0078125 / Norm(expected));
  EXPECT_LT(scale, 1);
  for (float& g : expected) g = static_cast<float>(-g * scale * kRate);
  EXPECT_THAT(Minus(run.Region(Role::kParameter), start), Pointwise(NearTo(2e-7), expected));
}

// ---- Gathered batches.

TEST_P(OnBackend, SeveralBatchesMakeTheUpdateOfOneLargeBatch) {
  const std::string rule = "clip_norm: 0.5 adam {} ";
  StepRun whole(Config(rule));
  StepRun parts(Config(rule + "accumulate_batches: 4 batch_size: 2"));
  const std::vector<float> start = whole.Region(Role::kParameter);
  ASSERT_EQ(parts.Region(Role::kParameter), start);
  for (int step = 0; step < 3; ++step) EXPECT_NEAR(parts.Step(step), whole.Step(step), 1e-4);
  EXPECT_THAT(parts.Region(Role::kParameter),
              Pointwise(NearTo(2e-3), whole.Region(Role::kParameter)));
  EXPECT_GT(Norm(Minus(whole.Region(Role::kParameter), start)), 1);
}

TEST(GatheredBatches, GiveTheSameGradientAsOneLargeBatch) {
  StepRun whole(kPlain), parts(std::string(kPlain) + "accumulate_batches: 4 batch_size: 2");
  const std::vector<float> start = whole.Region(Role::kParameter);
  whole.Step(0);
  parts.Step(0);
  EXPECT_THAT(Minus(parts.Region(Role::kParameter), start),
              Pointwise(NearTo(1e-7), Minus(whole.Region(Role::kParameter), start)));
}

// ---- The moving average.

// The shadow by its definition, in double.
class Shadow {
 public:
  Shadow(const std::vector<float>& start, double decay, bool zero_debias)
      : values_(start.begin(), start.end()), decay_(decay), zero_debias_(zero_debias) {
    if (zero_debias_) std::fill(values_.begin(), values_.end(), 0);
  }
  void Add(const std::vector<float>& weights, int n) {
    const double d = std::min(decay_, (1.0 + n) / (10 + n));
    product_ *= d;
    for (size_t i = 0; i < values_.size(); ++i) {
      values_[i] = d * values_[i] + (1 - d) * weights[i];
    }
  }
  std::vector<float> Read() const {
    std::vector<float> read;
    for (const double value : values_) {
      read.push_back(static_cast<float>(zero_debias_ ? value / (1 - product_) : value));
    }
    return read;
  }

 private:
  std::vector<double> values_;
  const double decay_;
  const bool zero_debias_;
  double product_ = 1;
};

void ExpectShadow(const std::string& backend, double decay, bool zero_debias) {
  StepRun run("net: \"resnet8\" batch_size: 4 average { decay: " + std::to_string(decay) +
              (zero_debias ? " zero_debias: true" : "") + " } backend: " + backend);
  Shadow parameters(run.Region(Role::kParameter), decay, zero_debias);
  Shadow states(run.Region(Role::kState), decay, zero_debias);
  EXPECT_EQ(run.Evaluated(Role::kParameter), run.Region(Role::kParameter));
  EXPECT_EQ(run.Evaluated(Role::kState), run.Region(Role::kState));
  for (int step = 0; step < 4; ++step) {
    const uint64_t version = run.step().evaluated()->version();
    run.Step(step);
    EXPECT_GT(run.step().evaluated()->version(), version);
    parameters.Add(run.Region(Role::kParameter), step);
    states.Add(run.Region(Role::kState), step);
    EXPECT_THAT(run.Evaluated(Role::kParameter), Pointwise(NearTo(1e-5), parameters.Read()));
    EXPECT_THAT(run.Evaluated(Role::kState), Pointwise(NearTo(1e-4), states.Read()));
  }
  EXPECT_GT(Norm(Minus(run.Evaluated(Role::kParameter), run.Region(Role::kParameter))), 0.01);
  EXPECT_GT(Norm(Minus(run.Evaluated(Role::kState), run.Region(Role::kState))), 0.01);
}

TEST(MovingAverages, FollowTheirDefinition) { ExpectShadow("BACKEND_REFERENCE", 0.25, false); }
TEST(MovingAverages, FollowTheirDefinitionOnTheCpu) { ExpectShadow("BACKEND_CPU", 0.25, false); }
TEST(MovingAverages, MayStartAtZeroWithoutBias) { ExpectShadow("BACKEND_CPU", 0.125, true); }

TEST(MovingAverages, WeighLikeTheRatioOfProducts) {
  for (const double decay : {0.05, 0.5, 0.9, 0.999}) {
    v1::WeightAverage average;
    average.set_decay(decay);
    double product = 1;
    for (int n = 0; n < 3000; ++n) {
      const double d = std::min(decay, (1.0 + n) / (10 + n));
      product *= d;
      average.set_zero_debias(false);
      ASSERT_DOUBLE_EQ(AverageWeight(average, n), 1 - d) << n;
      average.set_zero_debias(true);
      ASSERT_NEAR(AverageWeight(average, n), (1 - d) / (1 - product), 1e-12) << n;
    }
  }
}

// ---- The start.

TEST(TrainingStepBegin, FillsTheSlots) {
  StepRun adagrad(std::string(kPlain) + "adagrad { initial_accumulator: 0.5 }");
  EXPECT_THAT(adagrad.Region(Role::kSlot), Each(0.5f));
  StepRun da(std::string(kPlain) +
             "adagrad_da { initial_accumulator: 0.25 } accumulate_batches: 2");
  const std::vector<float> slots = da.Region(Role::kSlot), start = da.Region(Role::kParameter);
  const auto count = static_cast<int64_t>(start.size());
  ASSERT_EQ(slots.size(), 4 * start.size());
  const auto part = [&](int64_t k) {
    return std::vector<float>(slots.begin() + k * count, slots.begin() + (k + 1) * count);
  };
  EXPECT_THAT(part(0), Each(0));  // the gathered gradients
  EXPECT_THAT(part(1), Each(0.25f));
  EXPECT_THAT(part(2), Each(0));
  EXPECT_EQ(part(3), start);
}

}  // namespace
}  // namespace fovea
