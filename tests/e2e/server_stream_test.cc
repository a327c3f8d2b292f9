// Many requests on one connection: PredictStream, and the Open Inference Protocol's
// ModelStreamInfer.
#include <string>
#include <thread>

#include "gmock/gmock.h"
#include "inference/inference.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

class StreamTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    ImportTiny();
    grpc::Status status;
    const std::vector<v1::JobEvent> events = Train(TinyTraining(20), &status);
    ASSERT_EQ(Text(status), "OK");
    ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED);
  }

  // One picture of this label; no two variants are equal.
  static v1::PredictRequest Request(int label, int variant) {
    v1::PredictRequest request;
    request.set_model("tiny");
    request.add_images()->set_encoded(TinyPng(label, variant));
    return request;
  }
};

TEST_F(StreamTest, AnswersInTheOrderOfTheRequests) {
  constexpr int kRequests = 300, kBad = 123;
  const auto context = Context();
  const auto stream = classifier_->PredictStream(context.get());
  std::thread writer([&] {
    for (int i = 0; i < kRequests; ++i) {
      v1::PredictRequest request = Request(i % 2, i % 50);
      if (i == kBad) request.mutable_images(0)->set_encoded("no picture");
      EXPECT_TRUE(stream->Write(request));
    }
    stream->WritesDone();
  });
  v1::PredictStreamResponse got;
  int answers = 0;
  for (; stream->Read(&got); ++answers) {
    if (answers == kBad) {
      EXPECT_EQ(got.error().code(), static_cast<int>(grpc::StatusCode::INVALID_ARGUMENT));
      EXPECT_THAT(got.error().message(), HasSubstr("images[0].encoded"));
      EXPECT_EQ(got.error().details_size(), 2);  // the field, and the reason BAD_IMAGE
      continue;
    }
    ASSERT_TRUE(got.has_response()) << got.DebugString();
    EXPECT_EQ(static_cast<int>(got.response().predictions(0).labels(0).index()), answers % 2);
    if (answers % 60 != 0) continue;
    v1::PredictResponse alone;
    ASSERT_EQ(
        Text(classifier_->Predict(Context().get(), Request(answers % 2, answers % 50), &alone)),
        "OK");
    EXPECT_EQ(alone.predictions(0).DebugString(), got.response().predictions(0).DebugString());
  }
  writer.join();
  EXPECT_EQ(answers, kRequests);
  EXPECT_EQ(Text(stream->Finish()), "OK");
}

TEST_F(StreamTest, SurvivesClientsThatGoAway) {
  for (int round = 0; round < 20; ++round) {
    const auto context = Context();
    const auto stream = classifier_->PredictStream(context.get());
    for (int i = 0; i < 10; ++i) stream->Write(Request(i % 2, i));
    v1::PredictStreamResponse got;
    if (round % 2 == 0) {
      EXPECT_TRUE(stream->Read(&got));
    }
    context->TryCancel();
    EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  v1::PredictResponse answer;
  EXPECT_EQ(Text(classifier_->Predict(Context().get(), Request(0, 1), &answer)), "OK");
}

TEST_F(StreamTest, AnswersTensorsWithTheirIds) {
  const auto stub = inference::GRPCInferenceService::NewStub(channel_);
  const auto context = Context();
  const auto stream = stub->ModelStreamInfer(context.get());
  for (int i = 0; i < 20; ++i) {
    inference::ModelInferRequest request;
    request.set_id(std::to_string(i));
    request.set_model_name(i == 5 ? "other" : "tiny");
    auto* input = request.add_inputs();
    input->set_name("pixels");
    input->set_datatype("UINT8");
    for (const int64_t dim : {1, 8, 8, 1}) input->add_shape(dim);
    request.add_raw_input_contents(std::string(64, static_cast<char>(10 * i)));
    if (i == 6) {
      (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
    }
    ASSERT_TRUE(stream->Write(request));
  }
  stream->WritesDone();
  inference::ModelStreamInferResponse got;
  int answers = 0;
  for (; stream->Read(&got); ++answers) {
    EXPECT_EQ(got.infer_response().id(), std::to_string(answers));
    if (answers == 5) {
      EXPECT_THAT(got.error_message(), StartsWith("NOT_FOUND: "));
      EXPECT_EQ(got.infer_response().outputs_size(), 0);
      continue;
    }
    EXPECT_EQ(got.error_message(), "");
    EXPECT_EQ(got.infer_response().raw_output_contents(0).size(), 2 * sizeof(float));
    EXPECT_EQ(got.infer_response().parameters().contains("triton_final_response"), answers == 6);
  }
  EXPECT_EQ(answers, 20);
  EXPECT_EQ(Text(stream->Finish()), "OK");
}

// The buckets are timed when the version is loaded, and requests wait for each other.
class TargetTest : public StreamTest {
 protected:
  Config MakeConfig() const override {
    Config config = StreamTest::MakeConfig();
    config.batch.target_p99 = absl::Milliseconds(100);
    return config;
  }
};

TEST_F(TargetTest, AnswersLoneRequestsAndMany) {
  v1::PredictResponse alone;
  ASSERT_EQ(Text(classifier_->Predict(Context().get(), Request(1, 3), &alone)), "OK");
  EXPECT_EQ(alone.predictions(0).labels(0).index(), 1u);
  const auto context = Context();
  const auto stream = classifier_->PredictStream(context.get());
  std::thread writer([&] {
    for (int i = 0; i < 500; ++i) EXPECT_TRUE(stream->Write(Request(i % 2, i % 50)));
    stream->WritesDone();
  });
  v1::PredictStreamResponse got;
  int answers = 0;
  for (; stream->Read(&got); ++answers) {
    ASSERT_TRUE(got.has_response()) << got.DebugString();
    EXPECT_EQ(static_cast<int>(got.response().predictions(0).labels(0).index()), answers % 2);
  }
  writer.join();
  EXPECT_EQ(answers, 500);
  EXPECT_EQ(Text(stream->Finish()), "OK");
}

// A stream that stays open would hold the drain for the grace period, beyond the calls' deadline.
class DrainTest : public StreamTest {
 protected:
  Config MakeConfig() const override {
    Config config = StreamTest::MakeConfig();
    config.grace = absl::Hours(1);
    return config;
  }
};

TEST_F(DrainTest, EndsIdleStreams) {
  const auto context = Context(), tensor_context = Context(), unused_context = Context();
  const auto stream = classifier_->PredictStream(context.get());
  const auto unused = classifier_->PredictStream(unused_context.get());
  const auto stub = inference::GRPCInferenceService::NewStub(channel_);
  const auto tensors = stub->ModelStreamInfer(tensor_context.get());
  v1::PredictStreamResponse got;
  ASSERT_TRUE(stream->Write(Request(0, 1)));
  ASSERT_TRUE(stream->Read(&got));
  ASSERT_TRUE(tensors->Write({}));
  inference::ModelStreamInferResponse got_tensors;
  ASSERT_TRUE(tensors->Read(&got_tensors));
  app_->Drain();
  EXPECT_FALSE(stream->Read(&got));
  EXPECT_FALSE(tensors->Read(&got_tensors));
  EXPECT_THAT(Text(stream->Finish()), StartsWith("UNAVAILABLE: the server is stopping"));
  EXPECT_THAT(Text(tensors->Finish()), StartsWith("UNAVAILABLE: the server is stopping"));
  EXPECT_THAT(Text(unused->Finish()), StartsWith("UNAVAILABLE: "));
}

TEST_F(DrainTest, AnswersWhatABusyStreamHasSent) {
  const auto context = Context();
  const auto stream = classifier_->PredictStream(context.get());
  std::thread writer([&] {
    for (int i = 0; stream->Write(Request(i % 2, i % 50)); ++i) {
    }
  });
  v1::PredictStreamResponse got;
  std::thread drain;
  int answers = 0;
  for (; stream->Read(&got); ++answers) {
    ASSERT_TRUE(got.has_response()) << got.DebugString();
    EXPECT_EQ(static_cast<int>(got.response().predictions(0).labels(0).index()), answers % 2);
    if (answers == 20) drain = std::thread([&] { app_->Drain(); });
  }
  writer.join();
  drain.join();
  EXPECT_GT(answers, 20);
  EXPECT_THAT(Text(stream->Finish()), StartsWith("UNAVAILABLE: the server is stopping"));
}

}  // namespace
}  // namespace fovea
