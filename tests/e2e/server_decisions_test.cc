// Decisions from training to answers: tuned thresholds and open-set rejection over the wire.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

v1::Model GetModel(v1::Models::Stub& models, const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(name);
  v1::Model model;
  EXPECT_EQ(Text(models.Get(Context().get(), request, &model)), "OK");
  return model;
}

TEST_F(ServerTest, PredictsAndEvaluatesWithTunedThresholds) {
  ASSERT_EQ(Text(Create("sides", v1::TASK_MULTI_LABEL)), "OK");
  std::vector<v1::ImportItem> items;
  for (int i = 0; i < 40; ++i) {
    for (const int label : {0, 1}) items.push_back(Item(label, i));
  }
  v1::ImportHeader header;
  header.set_dataset("sides");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(Import(header, items, &summary)), "OK");

  // One timid epoch: no probability is far from one half, and 0.5 is hardly the best threshold.
  v1::TrainRequest training = TinyTraining(1, "sides");
  training.mutable_config()->set_learning_rate(0.001);
  training.mutable_config()->mutable_tuned_thresholds()->mutable_f1();
  grpc::Status status;
  const std::vector<v1::JobEvent> events = Train(training, &status);
  ASSERT_EQ(Text(status), "OK");
  ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED)
      << events.back().DebugString();

  const v1::Model model = GetModel(*models_, "sides");
  ASSERT_EQ(model.thresholds_size(), 2);
  v1::EvaluateRequest evaluate;
  evaluate.set_model("sides");
  evaluate.set_dataset("sides");
  v1::Report report;
  ASSERT_EQ(Text(classifier_->Evaluate(Context().get(), evaluate, &report)), "OK");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(report.labels(i).threshold(), model.thresholds(i));

  v1::PredictRequest predict;
  predict.set_model("sides");
  for (const int label : {0, 1}) predict.add_images()->set_encoded(TinyPng(label, 90));
  v1::PredictResponse answer;
  ASSERT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
  for (const v1::Prediction& prediction : answer.predictions()) {
    EXPECT_FALSE(prediction.has_open_set());
    for (const v1::ScoredLabel& label : prediction.labels()) {
      EXPECT_EQ(label.applies(),
                label.probability() >= model.thresholds(static_cast<int>(label.index())));
    }
  }
}

TEST_F(ServerTest, RejectsPicturesOfNoKnownLabel) {
  ImportTiny();
  for (const bool energy : {false, true}) {
    SCOPED_TRACE(energy ? "energy" : "maximum probability");
    v1::TrainRequest training = TinyTraining(20);
    v1::OpenSet* open_set = training.mutable_config()->mutable_open_set();
    if (energy) open_set->mutable_energy();
    grpc::Status status;
    const std::vector<v1::JobEvent> events = Train(training, &status);
    ASSERT_EQ(Text(status), "OK");
    ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED)
        << events.back().DebugString();

    const v1::Model model = GetModel(*models_, "tiny");
    ASSERT_TRUE(model.has_open_set());
    EXPECT_EQ(model.open_set().has_energy(), energy);
    EXPECT_GE(model.open_set().accepted_share(), 0.95);

    // A picture between the two labels: grey all over.
    v1::PredictRequest predict;
    predict.set_model("tiny");
    predict.add_images()->set_encoded(TinyPng(1, 100));
    v1::RawImage* grey = predict.add_images()->mutable_raw();
    grey->set_width(8);
    grey->set_height(8);
    grey->set_channels(1);
    grey->set_pixels(std::string(64, static_cast<char>(110)));
    v1::PredictResponse answer;
    ASSERT_EQ(Text(classifier_->Predict(Context().get(), predict, &answer)), "OK");
    ASSERT_EQ(answer.predictions_size(), 2);
    for (const v1::Prediction& prediction : answer.predictions()) {
      const v1::OpenSetVerdict& verdict = prediction.open_set();
      EXPECT_EQ(verdict.rejected(), verdict.score() < verdict.threshold());
      EXPECT_EQ(verdict.threshold(), model.open_set().threshold());
      ASSERT_EQ(prediction.labels_size(), 2);
      EXPECT_EQ(prediction.labels(0).applies(), !verdict.rejected());
      EXPECT_NEAR(prediction.labels(0).probability() + prediction.labels(1).probability(), 1, 1e-5);
      if (!energy) {
        EXPECT_EQ(verdict.score(), prediction.labels(0).probability());
      }
    }
    EXPECT_TRUE(answer.predictions(1).open_set().rejected()) << answer.DebugString();

    v1::EvaluateRequest evaluate;
    evaluate.set_model("tiny");
    evaluate.set_dataset("tiny");
    evaluate.set_split(v1::SPLIT_VALIDATION);
    v1::Report report;
    ASSERT_EQ(Text(classifier_->Evaluate(Context().get(), evaluate, &report)), "OK");
    EXPECT_EQ(report.measures().single_label().open_set().coverage(),
              model.open_set().accepted_share());
    EXPECT_EQ(report.measures().single_label().open_set().accepted_accuracy(), 1);
  }
}

}  // namespace
}  // namespace fovea
