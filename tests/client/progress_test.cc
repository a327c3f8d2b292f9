#include "client/progress.h"

#include <limits>
#include <sstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

TrainingProgress Typical() {
  TrainingProgress progress;
  progress.epoch = 2;
  progress.total_epochs = 20;
  progress.step = 125;
  progress.total_steps = 1250;
  progress.loss = 0.12345;
  progress.measure = "accuracy";
  progress.measure_value = 0.971;
  progress.images_per_second = 1034.4;
  progress.eta = absl::Seconds(62);
  return progress;
}

TEST(FormatTrainingBar, ShowsEpochLossAccuracySpeedAndEta) {
  EXPECT_EQ(FormatTrainingBar(Typical(), 79),
            "epoch  3/20 [=>            ]  10%  loss 0.1235  acc 97.1%  1034 img/s  ETA 1:02");
}

TEST(FormatTrainingBar, NeverExceedsTheColumns) {
  TrainingProgress extreme = Typical();
  extreme.epoch = 99999;
  extreme.total_epochs = 100000;
  extreme.step = extreme.total_steps = std::numeric_limits<uint64_t>::max();
  extreme.loss = 1e30;
  extreme.images_per_second = 1e12;
  extreme.eta = absl::Hours(100000);
  for (int columns = 1; columns <= 200; ++columns) {
    EXPECT_LE(FormatTrainingBar(extreme, columns).size(), static_cast<size_t>(columns));
    EXPECT_LE(FormatTrainingBar(Typical(), columns).size(), static_cast<size_t>(columns));
  }
}

TEST(FormatTrainingBar, DropsTheLeastUsefulPartsFirst) {
  const std::string bar = FormatTrainingBar(Typical(), 40);
  EXPECT_THAT(bar, HasSubstr("loss 0.1235"));
  EXPECT_THAT(bar, Not(HasSubstr("ETA")));
}

TEST(FormatTrainingBar, ShowsOnlyWhatIsKnown) {
  TrainingProgress progress;
  progress.total_epochs = 3;
  EXPECT_EQ(FormatTrainingBar(progress, 79), "epoch 1/3 [>                             ]   0%");
}

TEST(FormatTrainingBar, TellsTrainingAccuracyFromThatOfValidation) {
  TrainingProgress progress = Typical();
  progress.measure = "train_accuracy";
  EXPECT_NE(FormatTrainingBar(progress, 100).find("train acc 97.1%"), std::string::npos);
}

TEST(FormatTrainingLine, IsPlainText) {
  EXPECT_EQ(FormatTrainingLine(Typical()),
            "epoch 2/20  step 125/1250  loss 0.1235  accuracy 0.9710  images/s 1034.4  eta 62s");
}

TEST(FormatCountBar, IsFullWhenDone) {
  EXPECT_EQ(FormatCountBar("importing", 10, 10, 60),
            "importing [=============================] 100%  10/10 images");
}

TEST(FormatBar, GrowsWithTheShare) {
  EXPECT_EQ(FormatBar(0, 4), "[>   ]");
  EXPECT_EQ(FormatBar(0.5, 4), "[==> ]");
  EXPECT_EQ(FormatBar(1, 4), "[====]");
  EXPECT_EQ(FormatBar(7, 4), "[====]");
  EXPECT_EQ(FormatBar(0.5, 2), "");
}

TEST(FormatClock, ShowsHoursOnlyWhenThereAreSome) {
  EXPECT_EQ(FormatClock(absl::ZeroDuration()), "0:00");
  EXPECT_EQ(FormatClock(absl::Milliseconds(41600)), "0:42");
  EXPECT_EQ(FormatClock(absl::Seconds(12 * 60 + 7)), "12:07");
  EXPECT_EQ(FormatClock(absl::Hours(3) + absl::Minutes(5)), "3:05:00");
  EXPECT_EQ(FormatClock(-absl::Seconds(3)), "0:00");
}

TEST(StatusLine, OverwritesInPlaceAndLeavesNothing) {
  std::ostringstream out;
  {
    StatusLine line(&out);
    line.Draw("one");
    line.Draw("one");  // no change, no write
    line.Draw("two");
  }
  EXPECT_EQ(out.str(), "\rone\x1b[K\rtwo\x1b[K\r\x1b[K");
}

}  // namespace
}  // namespace fovea::cli
