// Answers to pictures that were seen before, through all ways of asking.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/e2e/inference_fixture.h"

namespace fovea {
namespace {

class CacheTest : public ServerTest {
 protected:
  Config MakeConfig() const override {
    Config config = ServerTest::MakeConfig();
    config.response_cache_mib = 1;
    return config;
  }
  void SetUp() override {
    ServerTest::SetUp();
    ImportTiny();
    TrainTiny();
  }

  void TrainTiny() {
    grpc::Status status;
    const std::vector<v1::JobEvent> events = Train(TinyTraining(20), &status);
    ASSERT_EQ(Text(status), "OK");
    ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED);
  }

  static v1::PredictRequest Request(const std::vector<std::string>& pictures) {
    v1::PredictRequest request;
    request.set_model("tiny");
    for (const std::string& picture : pictures) request.add_images()->set_encoded(picture);
    return request;
  }
  v1::PredictResponse Predict(const v1::PredictRequest& request) {
    v1::PredictResponse response;
    EXPECT_EQ(Text(classifier_->Predict(Context().get(), request, &response)), "OK");
    return response;
  }
  inference::ModelInferResponse Infer(const inference::ModelInferRequest& request) {
    inference::ModelInferResponse response;
    const auto stub = inference::GRPCInferenceService::NewStub(channel_);
    EXPECT_EQ(Text(stub->ModelInfer(Context().get(), request, &response)), "OK");
    return response;
  }
  double Hits() { return Metric("fovea_response_cache_hits_total{model=\"tiny\"}"); }
  double Misses() { return Metric("fovea_response_cache_misses_total{model=\"tiny\"}"); }

  const std::string a_ = TinyPng(0, 1), b_ = TinyPng(1, 2), c_ = TinyPng(0, 3);
};

TEST_F(CacheTest, ARepeatedPictureIsAnsweredWithoutBeingComputed) {
  const v1::PredictResponse first = Predict(Request({a_, b_}));
  EXPECT_EQ(Hits(), 0);
  EXPECT_EQ(Misses(), 2);
  // Known and new ones in one request keep their places.
  const v1::PredictResponse mixed = Predict(Request({b_, c_, a_}));
  EXPECT_EQ(Hits(), 2);
  EXPECT_EQ(Misses(), 3);
  EXPECT_EQ(mixed.predictions(0).DebugString(), first.predictions(1).DebugString());
  EXPECT_EQ(mixed.predictions(2).DebugString(), first.predictions(0).DebugString());
  EXPECT_EQ(mixed.predictions(1).labels(0).label(), "left");
  const double computed = Metric("fovea_flops_total{work=\"predict\"}");
  const v1::PredictResponse again = Predict(Request({c_, b_}));
  EXPECT_EQ(Hits(), 4);
  EXPECT_EQ(Metric("fovea_flops_total{work=\"predict\"}"), computed);
  EXPECT_EQ(again.predictions(0).DebugString(), mixed.predictions(1).DebugString());
  EXPECT_EQ(again.timings().decode().nanos(), 0);
  EXPECT_EQ(again.timings().compute().nanos(), 0);
  EXPECT_EQ(Metric("fovea_images_predicted_total{model=\"tiny\"}"), 7);
  EXPECT_GT(Metric("fovea_response_cache_bytes"), 0);

  // What is kept are all probabilities.
  v1::PredictRequest best = Request({a_});
  best.set_top_k(1);
  ASSERT_EQ(Predict(best).predictions(0).labels_size(), 1);
  EXPECT_EQ(Hits(), 5);
  // What fails is not kept.
  v1::PredictResponse response;
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(classifier_->Predict(Context().get(), Request({a_, "bad"}), &response).error_code(),
              grpc::StatusCode::INVALID_ARGUMENT);
  }
}

TEST_F(CacheTest, StreamsAndTensorsShareTheAnswers) {
  Predict(Request({a_}));
  const auto context = Context();
  const auto stream = classifier_->PredictStream(context.get());
  EXPECT_TRUE(stream->Write(Request({a_})));
  EXPECT_TRUE(stream->WritesDone());
  v1::PredictStreamResponse streamed;
  EXPECT_TRUE(stream->Read(&streamed));
  EXPECT_TRUE(streamed.has_response());
  EXPECT_EQ(Text(stream->Finish()), "OK");
  EXPECT_EQ(Hits(), 1);

  inference::ModelInferRequest request;
  request.set_model_name("tiny_jpeg");
  auto* input = request.add_inputs();
  input->set_name("image");
  input->set_datatype("BYTES");
  input->add_shape(1);
  input->mutable_contents()->add_bytes_contents(a_);
  Infer(request);
  EXPECT_EQ(Hits(), 2);

  request.set_model_name("tiny");
  input->set_name("pixels");
  input->set_datatype("UINT8");
  input->clear_contents();
  input->clear_shape();
  for (const int64_t dim : {1, 8, 8, 1}) input->add_shape(dim);
  request.add_raw_input_contents(std::string(64, 'x'));
  const std::string pixels = Infer(request).raw_output_contents(0);
  EXPECT_EQ(Misses(), 2);
  EXPECT_EQ(Infer(request).raw_output_contents(0), pixels);
  EXPECT_EQ(Hits(), 3);

  inference::ModelStatisticsRequest ask;
  ask.set_name("tiny");
  inference::ModelStatisticsResponse told;
  const auto stub = inference::GRPCInferenceService::NewStub(channel_);
  ASSERT_EQ(Text(stub->ModelStatistics(Context().get(), ask, &told)), "OK");
  const inference::InferStatistics& statistics = told.model_stats(0).inference_stats();
  EXPECT_EQ(statistics.success().count(), 5u);
  EXPECT_EQ(statistics.queue().count(), 5u);
  EXPECT_EQ(statistics.cache_hit().count(), 3u);
  EXPECT_EQ(statistics.cache_miss().count(), 2u);
  for (const auto& computed :
       {statistics.compute_input(), statistics.compute_infer(), statistics.compute_output()}) {
    EXPECT_EQ(computed.count(), 2u);  // perf_analyzer aborts when they differ
  }
  ExpectPhasesAddUp(statistics);
  EXPECT_EQ(told.model_stats(0).inference_count(), 5u);
}

TEST_F(CacheTest, ANewVersionStartsWithoutAnswers) {
  EXPECT_EQ(Predict(Request({a_})).version(), 1u);
  EXPECT_EQ(Predict(Request({a_})).version(), 1u);
  EXPECT_EQ(Hits(), 1);
  TrainTiny();
  EXPECT_EQ(Predict(Request({a_})).version(), 2u);
  EXPECT_EQ(Hits(), 1);
  EXPECT_EQ(Misses(), 2);
  EXPECT_EQ(Predict(Request({a_})).version(), 2u);
  EXPECT_EQ(Hits(), 2);
}

}  // namespace
}  // namespace fovea
