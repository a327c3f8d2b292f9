// Binary tasks and regressions from import to Predict.
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(ServerTest, ABinaryTaskFromImportToPredict) {
  v1::CreateDatasetRequest create;
  create.set_name("right");
  create.set_task(v1::TASK_BINARY);
  v1::Dataset dataset;
  EXPECT_THAT(Text(datasets_->Create(Context().get(), create, &dataset)),
              HasSubstr("found 0 labels, expected 2 in a binary data set"));
  create.add_labels("left");
  create.add_labels("right");
  ASSERT_EQ(Text(datasets_->Create(Context().get(), create, &dataset)), "OK");
  std::vector<v1::ImportItem> items;
  for (int i = 0; i < 30; ++i) {
    for (const int label : {0, 1}) items.push_back(Item(label, i));
  }
  v1::ImportHeader header;
  header.set_dataset("right");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  ASSERT_EQ(summary.imported(), items.size()) << summary.DebugString();

  v1::TrainRequest training = TinyTraining(20, "right");
  training.mutable_config()->mutable_tuned_thresholds()->mutable_f1();
  grpc::Status status;
  const std::vector<v1::JobEvent> events = Train(training, &status);
  ASSERT_EQ(Text(status), "OK");
  ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED)
      << events.back().DebugString();
  v1::GetModelRequest get;
  get.set_name("right");
  v1::Model model;
  ASSERT_EQ(Text(models_->Get(Context().get(), get, &model)), "OK");
  EXPECT_EQ(model.task(), v1::TASK_BINARY);
  ASSERT_EQ(model.thresholds_size(), 1);

  v1::PredictRequest predict;
  predict.set_model("right");
  for (const int label : {0, 1}) predict.add_images()->set_encoded(TinyPng(label, 100));
  v1::PredictResponse answer;
  ASSERT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
  ASSERT_EQ(answer.predictions_size(), 2);
  for (const int label : {0, 1}) {
    const v1::Prediction& prediction = answer.predictions(label);
    ASSERT_EQ(prediction.labels_size(), 2);
    EXPECT_EQ(prediction.labels(0).label(), label == 0 ? "left" : "right");
    EXPECT_EQ(prediction.labels(0).index(), label);
    EXPECT_TRUE(prediction.labels(0).applies());
    EXPECT_FALSE(prediction.labels(1).applies());
    EXPECT_NEAR(prediction.labels(0).probability() + prediction.labels(1).probability(), 1, 1e-6);
  }
  // A threshold that nothing reaches: the negative label applies.
  predict.set_threshold(1);
  predict.set_top_k(1);
  ASSERT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
  EXPECT_FALSE(answer.predictions(1).labels(0).applies());

  v1::EvaluateRequest evaluate;
  evaluate.set_model("right");
  evaluate.set_dataset("right");
  v1::Report report;
  ASSERT_EQ(Text(classifier_->Evaluate(Context().get(), evaluate, &report)), "OK");
  EXPECT_EQ(report.measures().binary().roc_auc(), 1);
  EXPECT_EQ(report.measures().binary().threshold(), model.thresholds(0));
}

// The target is how much of the picture is bright, in percent.
v1::ImportItem Brightness(int bright_rows, int variant) {
  v1::ImportItem item;
  std::string pixels(64, static_cast<char>(20 + variant));
  for (int i = 0; i < bright_rows * 8; ++i) pixels[i] = static_cast<char>(200 + variant);
  item.set_image(GreyPng(8, 8, pixels));
  item.mutable_labels()->add_names(absl::StrCat(bright_rows * 12.5));
  item.set_name(absl::StrCat(bright_rows, "-", variant, ".png"));
  return item;
}

TEST_F(ServerTest, ARegressionFromImportToPredict) {
  v1::CreateDatasetRequest create;
  create.set_name("bright");
  create.set_task(v1::TASK_REGRESSION);
  create.add_labels("percent");
  v1::Dataset dataset;
  ASSERT_EQ(Text(datasets_->Create(Context().get(), create, &dataset)), "OK");
  std::vector<v1::ImportItem> items;
  for (int variant = 0; variant < 10; ++variant) {
    for (int rows = 0; rows <= 8; ++rows) items.push_back(Brightness(rows, variant));
  }
  v1::ImportItem bad = Brightness(3, 20);
  bad.mutable_labels()->set_names(0, "a third");
  items.push_back(bad);
  v1::ImportHeader header;
  header.set_dataset("bright");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");
  EXPECT_EQ(summary.imported(), 90) << summary.DebugString();
  ASSERT_EQ(summary.errors_size(), 1);
  EXPECT_EQ(summary.errors(0).reason(), v1::IMPORT_ERROR_REASON_BAD_NUMBER);
  EXPECT_THAT(summary.errors(0).message(), StartsWith("target \"percent\" is \"a third\""));

  v1::GetDatasetRequest get;
  get.set_name("bright");
  ASSERT_EQ(Text(datasets_->Get(Context().get(), get, &dataset)), "OK");
  EXPECT_EQ(dataset.labels_size(), 0);
  ASSERT_EQ(dataset.targets_size(), 1);
  EXPECT_EQ(dataset.targets(0).name(), "percent");
  EXPECT_NEAR(dataset.targets(0).mean(), 50, 1e-9);
  EXPECT_EQ(dataset.targets(0).max(), 100);

  grpc::Status status;
  const std::vector<v1::JobEvent> events = Train(TinyTraining(40, "bright"), &status);
  ASSERT_EQ(Text(status), "OK");
  ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED)
      << events.back().DebugString();

  v1::PredictRequest predict;
  predict.set_model("bright");
  predict.add_images()->set_encoded(Brightness(2, 5).image());
  v1::PredictResponse answer;
  ASSERT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
  ASSERT_EQ(answer.predictions(0).values_size(), 1);
  EXPECT_EQ(answer.predictions(0).values(0).name(), "percent");
  EXPECT_NEAR(answer.predictions(0).values(0).value(), 25, 15);
  EXPECT_EQ(answer.predictions(0).labels_size(), 0);
  predict.set_top_k(1);
  EXPECT_THAT(Text(classifier_->Predict(Context().get(), predict, &answer)),
              StartsWith("INVALID_ARGUMENT: top_k: found one for a regression model"));

  v1::EvaluateRequest evaluate;
  evaluate.set_model("bright");
  evaluate.set_dataset("bright");
  v1::Report report;
  ASSERT_EQ(Text(classifier_->Evaluate(Context().get(), evaluate, &report)), "OK");
  EXPECT_GT(report.measures().regression().r2(), 0.8);
  EXPECT_EQ(report.targets(0).name(), "percent");

  // What makes no sense for numbers.
  v1::TrainRequest wrong = TinyTraining(1, "bright");
  wrong.mutable_config()->mutable_over_sampling();
  Train(wrong, &status);
  EXPECT_THAT(Text(status), HasSubstr("config.sampling: found one for a regression task"));
}

}  // namespace
}  // namespace fovea
