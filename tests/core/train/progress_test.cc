#include "core/train/progress.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

class ProgressMeterTest : public ::testing::Test {
 protected:
  ProgressMeter::Options Options() {
    ProgressMeter::Options options;
    options.clock = &clock_;
    options.interval = absl::Seconds(1);
    options.total_steps = 100;
    options.steps_per_epoch = 10;
    options.images_per_step = 8;
    options.flops_per_step = 1e9;
    return options;
  }
  // Steps of 0.25 s.
  void Steps(ProgressMeter& meter, int steps, double loss) {
    for (int i = 0; i < steps; ++i) {
      clock_.Advance(absl::Milliseconds(250));
      meter.Add(loss, loss / 4, 0.1);
    }
  }

  ManualClock clock_;
};

TEST_F(ProgressMeterTest, IsDueOnceAnIntervalWhenThereIsAStep) {
  ProgressMeter meter(Options());
  clock_.Advance(absl::Seconds(5));
  EXPECT_FALSE(meter.IsDue());
  meter.Add(1, 0.5, 0.1);
  EXPECT_TRUE(meter.IsDue());
  meter.Take();
  Steps(meter, 3, 1);
  EXPECT_FALSE(meter.IsDue());
  Steps(meter, 1, 1);
  EXPECT_TRUE(meter.IsDue());
}

TEST_F(ProgressMeterTest, GivesMeansOverTheWindowAndSumsOverTheAttempt) {
  ProgressMeter meter(Options());
  Steps(meter, 4, 3);
  meter.Take();
  Steps(meter, 4, 1);
  Steps(meter, 4, 2);
  const v1::Progress progress = meter.Take();
  EXPECT_EQ(progress.step(), 12);
  EXPECT_EQ(progress.total_steps(), 100);
  EXPECT_EQ(progress.epoch(), 1);
  EXPECT_EQ(progress.total_epochs(), 10);
  EXPECT_DOUBLE_EQ(progress.loss(), 1.5);
  EXPECT_DOUBLE_EQ(progress.accuracy(), 0.375);
  EXPECT_DOUBLE_EQ(progress.learning_rate(), 0.1);
  EXPECT_DOUBLE_EQ(progress.images_per_second(), 32);
  EXPECT_EQ(progress.attempt_images(), 96);
  EXPECT_EQ(progress.attempt_flops(), 12'000'000'000);
  EXPECT_EQ(progress.eta().seconds(), 22);  // 88 steps of 0.25 s
  EXPECT_FALSE(progress.has_share_of_peak());
}

TEST_F(ProgressMeterTest, CountsFromTheStepOfAResume) {
  ProgressMeter::Options options = Options();
  options.first_step = 60;
  ProgressMeter meter(options);
  Steps(meter, 4, 1);
  const v1::Progress progress = meter.Take();
  EXPECT_EQ(progress.step(), 64);
  EXPECT_EQ(progress.epoch(), 6);
  EXPECT_EQ(progress.attempt_images(), 32);
  EXPECT_EQ(progress.eta().seconds(), 9);  // 36 steps of 0.25 s
}

TEST_F(ProgressMeterTest, LeavesPausesOutOfTheRateButNotOfTheEta) {
  ProgressMeter meter(Options());
  Steps(meter, 4, 1);
  meter.Pause();
  clock_.Advance(absl::Seconds(3));
  meter.Continue();
  EXPECT_TRUE(meter.IsDue());
  const v1::Progress progress = meter.Take();
  EXPECT_DOUBLE_EQ(progress.images_per_second(), 32);
  EXPECT_EQ(progress.eta().seconds(), 96);  // 96 steps at 4 s for 4
}

TEST_F(ProgressMeterTest, EndsWhereItIsTold) {
  ProgressMeter meter(Options());
  Steps(meter, 16, 1);
  const v1::Progress before = meter.Take();
  EXPECT_GT(before.eta().seconds(), 0);
  meter.EndHere();
  const v1::Progress end = meter.Take();
  EXPECT_EQ(end.step(), before.step());
  EXPECT_EQ(end.total_steps(), end.step());
  EXPECT_EQ(end.total_epochs(), end.epoch());
  EXPECT_EQ(end.eta().seconds(), 0);
  EXPECT_EQ(end.loss(), before.loss());
  EXPECT_EQ(end.images_per_second(), before.images_per_second());
}

TEST_F(ProgressMeterTest, GivesTheShareOfAMeasuredPeak) {
  ProgressMeter::Options options = Options();
  options.peak_flops = 8e9;
  ProgressMeter meter(options);
  Steps(meter, 4, 1);
  EXPECT_DOUBLE_EQ(meter.Take().share_of_peak(), 0.5);
}

}  // namespace
}  // namespace fovea
