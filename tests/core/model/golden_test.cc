#include "core/model/golden.h"

#include <cstring>
#include <limits>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

v1::Golden SomeGolden() {
  v1::Golden golden;
  golden.set_tolerance(.01f);
  for (int i = 0; i < 2; ++i) {
    v1::GoldenExample& example = *golden.add_examples();
    example.set_pixels(std::string(3, static_cast<char>(i)));
    example.add_outputs(.25f);
    example.add_outputs(.75f);
  }
  return golden;
}

absl::Status Check(const v1::Golden& golden, std::vector<float> answers) {
  return CheckGolden(golden, 3, 2, [&](absl::Span<const uint8_t* const> examples, float* outputs) {
    EXPECT_EQ(examples.size(), 2u);
    EXPECT_EQ(examples[1][2], 1);
    std::memcpy(outputs, answers.data(), answers.size() * sizeof(float));
    return absl::OkStatus();
  });
}

TEST(CheckGolden, AllowsAShareOfTheLargestOutput) {
  EXPECT_TRUE(Check(SomeGolden(), {.25f, .75f, .257f, .743f}).ok());
}

TEST(CheckGolden, NamesTheFirstOutputBeyondTheTolerance) {
  const absl::Status status = Check(SomeGolden(), {.25f, .75f, .25f, .76f});
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("output 1 of golden example 1 is 0.76, expected 0.75"));
}

TEST(CheckGolden, RefusesWhatIsNotANumber) {
  EXPECT_FALSE(
      Check(SomeGolden(), {.25f, .75f, std::numeric_limits<float>::quiet_NaN(), .75f}).ok());
}

TEST(CheckGolden, NothingIsKeptNothingIsRun) {
  EXPECT_TRUE(
      CheckGolden({}, 3, 2, [](auto, float*) { return absl::InternalError("must not run"); }).ok());
}

TEST(CheckGolden, ExamplesOfAnotherSizeAreDamage) {
  v1::Golden golden = SomeGolden();
  golden.mutable_examples(1)->set_pixels("12");
  EXPECT_EQ(Check(golden, {}).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace fovea
