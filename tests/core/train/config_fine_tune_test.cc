// What a configuration takes from the version that it begins with, and what it may not change.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "core/train/config.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename Message>
Message Parse(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

DatasetStatistics Shapes(std::vector<std::string> labels = {"circle", "square"}) {
  DatasetStatistics data;
  data.revision = 1;
  for (const std::string& label : labels) data.labels.push_back({label, {40, 10, 10}});
  data.images = {80, 20, 20};
  data.width = {64, 64, 64};
  data.height = {64, 64, 64};
  data.images_by_channels = {{3, 120}};
  return data;
}

v1::ModelManifest Start() {
  return Parse<v1::ModelManifest>(
      "name: \"shapes\" version: 3 task: TASK_SINGLE_LABEL labels: \"circle\" labels: \"square\" "
      "training { config { net: \"resnet20\" input { width: 32 height: 24 channels: 1 } } }");
}

absl::StatusOr<CompleteConfig> CompleteWith(const std::string& config,
                                            const DatasetStatistics& data,
                                            const v1::ModelManifest& start,
                                            std::vector<FieldViolation>* violations = nullptr) {
  return Complete(Parse<v1::TrainingConfig>(config), data, 1, violations, &start);
}

TEST(FineTuneConfig, TakesNetInputAndHeadFromTheVersion) {
  const v1::ModelManifest start = Start();
  const auto complete = CompleteWith("fine_tune { model: \"shapes\" }", Shapes(), start);
  ASSERT_TRUE(complete.ok()) << complete.status();
  const v1::TrainingConfig& config = complete->config;
  EXPECT_EQ(config.net(), "resnet20");
  EXPECT_EQ(config.input().width(), 32);
  EXPECT_EQ(config.input().height(), 24);
  EXPECT_EQ(config.input().channels(), 1);
  EXPECT_EQ(config.fine_tune().version(), 3);
  EXPECT_TRUE(config.fine_tune().reuse_head());
  std::map<std::string, v1::Choice> choices;
  for (const v1::Choice& choice : complete->choices) choices[choice.name()] = choice;
  EXPECT_EQ(choices["config.architecture"].value(), "net: \"resnet20\"");
  EXPECT_EQ(choices["config.architecture"].reason(), "that of model \"shapes\" version 3");
  EXPECT_EQ(choices["config.input.width"].value(), "32");
  EXPECT_EQ(choices["config.fine_tune.version"].value(), "3");
  EXPECT_EQ(choices["config.fine_tune.reuse_head"].value(), "true");

  // A complete configuration stays as it is, with the version and without it.
  for (const v1::ModelManifest* again : {static_cast<const v1::ModelManifest*>(&start),
                                         static_cast<const v1::ModelManifest*>(nullptr)}) {
    const auto twice = Complete(config, Shapes(), 1, nullptr, again);
    ASSERT_TRUE(twice.ok()) << twice.status();
    EXPECT_THAT(twice->choices, IsEmpty());
    EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(twice->config, config));
  }
}

TEST(FineTuneConfig, BeginsTheHeadAnewForOtherLabelsOrAnotherTask) {
  for (const DatasetStatistics& data :
       {Shapes({"square", "circle"}), Shapes({"circle", "square", "star"}), Shapes({"a", "b"})}) {
    const auto complete = CompleteWith("fine_tune { model: \"shapes\" }", data, Start());
    ASSERT_TRUE(complete.ok()) << complete.status();
    EXPECT_FALSE(complete->config.fine_tune().reuse_head());
  }
  DatasetStatistics several = Shapes();
  several.task = Task::kMultiLabel;
  const auto complete = CompleteWith("fine_tune { model: \"shapes\" }", several, Start());
  ASSERT_TRUE(complete.ok()) << complete.status();
  EXPECT_FALSE(complete->config.fine_tune().reuse_head());
}

TEST(FineTuneConfig, TakesTheHiddenLayersOfAnMlp) {
  v1::ModelManifest start = Start();
  start.mutable_training()->mutable_config()->mutable_mlp()->add_hidden(12);
  const auto complete = CompleteWith("fine_tune { model: \"shapes\" }", Shapes(), start);
  ASSERT_TRUE(complete.ok()) << complete.status();
  ASSERT_EQ(complete->config.mlp().hidden_size(), 1);
  EXPECT_EQ(complete->config.mlp().hidden(0), 12);
}

TEST(FineTuneConfig, NamesTheFieldTheFoundAndTheExpected) {
  const struct {
    const char* config;
    const char* field;
    const char* description;
  } cases[] = {
      {"net: \"resnet8\" fine_tune { model: \"shapes\" }", "config.architecture",
       "found net: \"resnet8\", expected net: \"resnet20\", that of model \"shapes\" version 3"},
      {"mlp { hidden: 8 } fine_tune { model: \"shapes\" }", "config.architecture",
       "found mlp { hidden: 8 }, expected net: \"resnet20\""},
      {"input { width: 64 } fine_tune { model: \"shapes\" }", "config.input",
       "found 64 x 24 with 1 channel, expected 32 x 24 with 1 channel, that of model \"shapes\""},
      {"fine_tune { model: \"shapes\" freeze: [\"conv1\", \"layer9\"] }",
       "config.fine_tune.freeze[1]",
       "found no layer below \"layer9\", expected one below conv1, bn1, layer1, layer2, layer3, "
       "fc"},
      {"fine_tune { model: \"shapes\" freeze: [\"conv1\", \"bn1\", \"layer1\", \"layer2\", "
       "\"layer3\", \"fc\"] }",
       "config.fine_tune.freeze", "every layer is frozen"},
      {"fine_tune { model: \"shapes\" freeze: \"fc\" reuse_head: false }",
       "config.fine_tune.freeze[0]", "expected layers but the last one"},
      {"fine_tune { model: \"shapes\" learning_rate_factors { key: \"conv9\" value: 0.5 } }",
       "config.fine_tune.learning_rate_factors[\"conv9\"]",
       "found no layer that learns below \"conv9\", expected one below conv1, bn1, layer1"},
      {"fine_tune { model: \"shapes\" learning_rate_factors { key: \"fc\" value: 0 } }",
       "config.fine_tune.learning_rate_factors[\"fc\"]", "found 0, expected a finite number > 0"},
      {"fine_tune { model: \"shapes\" freeze: \"conv1\" "
       "learning_rate_factors { key: \"conv1\" value: 0.5 } }",
       "config.fine_tune.learning_rate_factors[\"conv1\"]", "found no layer that learns below"},
      {"fine_tune { model: \"others\" }", "config.fine_tune.model",
       "found \"others\", expected \"shapes\""},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.config);
    std::vector<FieldViolation> violations;
    EXPECT_FALSE(CompleteWith(c.config, Shapes(), Start(), &violations).ok());
    ASSERT_EQ(violations.size(), 1);
    EXPECT_EQ(violations[0].field, c.field);
    EXPECT_THAT(violations[0].description, HasSubstr(c.description));
  }
}

TEST(FineTuneConfig, RefusesTheHeadOfOtherLabels) {
  std::vector<FieldViolation> violations;
  EXPECT_FALSE(CompleteWith("fine_tune { model: \"shapes\" reuse_head: true }",
                            Shapes({"square", "circle"}), Start(), &violations)
                   .ok());
  ASSERT_EQ(violations.size(), 1);
  EXPECT_EQ(violations[0].field, "config.fine_tune.reuse_head");
  EXPECT_THAT(violations[0].description, HasSubstr("found true with labels square, circle"));
  EXPECT_THAT(violations[0].description, HasSubstr("version 3: circle, square"));
}

TEST(FineTuneConfig, RefusesAModelThatWasNotTrainedHere) {
  v1::ModelManifest start = Start();
  start.clear_training();
  std::vector<FieldViolation> violations;
  EXPECT_FALSE(CompleteWith("net: \"resnet8\" input { width: 32 height: 32 channels: 3 } "
                            "fine_tune { model: \"shapes\" }",
                            Shapes(), start, &violations)
                   .ok());
  ASSERT_EQ(violations.size(), 1);
  EXPECT_THAT(violations[0].description, HasSubstr("expected a model that was trained here"));
}

}  // namespace
}  // namespace fovea
