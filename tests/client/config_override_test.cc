#include "client/config_override.h"

#include "fovea/v1/training.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

v1::TrainingConfig Apply(std::initializer_list<const char*> assignments) {
  v1::TrainingConfig config;
  for (const char* assignment : assignments) {
    const absl::Status status = ApplyOverride(assignment, &config);
    EXPECT_TRUE(status.ok()) << status;
  }
  return config;
}

std::string Error(const char* assignment) {
  v1::TrainingConfig config;
  return std::string(ApplyOverride(assignment, &config).message());
}

TEST(ApplyOverride, SetsFieldsOfEveryKind) {
  const v1::TrainingConfig config =
      Apply({"epochs=30", "learning_rate=1e-3", "sgd.nesterov=true", "net=lenet",
             "backend=BACKEND_REFERENCE", "augmentation.horizontal_flip=0.5"});
  EXPECT_EQ(config.epochs(), 30u);
  EXPECT_EQ(config.learning_rate(), 1e-3);
  EXPECT_TRUE(config.sgd().nesterov());
  EXPECT_EQ(config.net(), "lenet");
  EXPECT_EQ(config.backend(), v1::BACKEND_REFERENCE);
  EXPECT_EQ(config.augmentation().horizontal_flip(), 0.5);
}

TEST(ApplyOverride, TheLastValueWins) {
  EXPECT_EQ(Apply({"epochs=30", "epochs=3"}).epochs(), 3u);
  EXPECT_THAT(Apply({"mlp.hidden=256,128", "mlp.hidden=64"}).mlp().hidden(), ElementsAre(64));
}

TEST(ApplyOverride, KeepsTheOtherFieldsOfAMessage) {
  const v1::TrainingConfig config = Apply({"adam.beta1=0.8", "adam.beta2=0.99"});
  EXPECT_EQ(config.adam().beta1(), 0.8);
  EXPECT_EQ(config.adam().beta2(), 0.99);
}

TEST(ApplyOverride, AnotherMemberOfAOneofTakesOver) {
  const v1::TrainingConfig config = Apply({"sgd.momentum=0.8", "adam=", "net=mlp", "mlp.hidden=9"});
  EXPECT_TRUE(config.has_adam());
  EXPECT_TRUE(config.has_mlp());
}

TEST(ApplyOverride, AMapKeyMayHaveDots) {
  const v1::TrainingConfig config = Apply({"class_weights.by_label.St. Bernard=2.5"});
  EXPECT_EQ(config.class_weights().by_label().at("St. Bernard"), 2.5);
}

TEST(ApplyOverride, NamesWhatWasFoundAndExpected) {
  EXPECT_THAT(Error("epochs"), HasSubstr("expected path=value"));
  EXPECT_THAT(Error("epoch=3"), HasSubstr("no field \"epoch\" here; expected one of task, net"));
  EXPECT_THAT(Error("epochs=three"), HasSubstr("epochs=three"));
  EXPECT_THAT(Error("epochs.x=3"), HasSubstr("has no fields"));
  EXPECT_THAT(Error("adam=3"), HasSubstr("beta1"));
  EXPECT_THAT(Error("class_weights.by_label=3"), HasSubstr("KEY"));
}

TEST(ParseTextConfig, NamesTheLine) {
  v1::TrainingConfig config;
  ASSERT_TRUE(ParseTextConfig("net: 'lenet'\nepochs: 3\nsgd { momentum: 0.5 }", &config).ok());
  EXPECT_EQ(config.sgd().momentum(), 0.5);
  EXPECT_THAT(std::string(ParseTextConfig("net: 'lenet'\nepoks: 3", &config).message()),
              HasSubstr("line 2"));
}

}  // namespace
}  // namespace fovea::cli
