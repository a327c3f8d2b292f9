// The Open Inference Protocol over the wire: the same answers as Classifier.Predict.
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/e2e/inference_fixture.h"

namespace fovea {
namespace {

using ::testing::AnyOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TEST_F(InferenceTest, AnswersPixelsAndEncodedPicturesAsPredictDoes) {
  TrainTiny();
  ASSERT_EQ(Infer(PixelRequest()), "OK");
  EXPECT_EQ(response_.model_name(), "tiny");
  EXPECT_EQ(response_.model_version(), "1");
  EXPECT_EQ(response_.id(), "seven");
  ASSERT_EQ(response_.outputs_size(), 1);
  EXPECT_EQ(response_.outputs(0).name(), "probabilities");
  EXPECT_EQ(response_.outputs(0).datatype(), "FP32");
  EXPECT_THAT(response_.outputs(0).shape(), ElementsAre(2, 2));
  ASSERT_EQ(response_.raw_output_contents_size(), 1);
  const std::vector<float> pixels = Floats(response_.raw_output_contents(0));
  EXPECT_EQ(pixels, Predicted({Raw(TinyPixels(0)), Raw(TinyPixels(1))}));
  EXPECT_GT(pixels[0], 0.5f);
  EXPECT_GT(pixels[3], 0.5f);

  // The same values by other ways.
  inference::ModelInferRequest request = PixelRequest();
  request.clear_raw_input_contents();
  auto* contents = request.mutable_inputs(0)->mutable_contents();
  for (const char c : TinyPixels(0) + TinyPixels(1)) {
    contents->add_uint_contents(static_cast<unsigned char>(c));
  }
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(Floats(response_.raw_output_contents(0)), pixels);
  request.mutable_inputs(0)->set_datatype("FP32");
  for (const uint32_t value : contents->uint_contents()) {
    contents->add_fp32_contents(static_cast<float>(value) + 0.25f);
  }
  contents->clear_uint_contents();
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(Floats(response_.raw_output_contents(0)), pixels);
  std::string raw(reinterpret_cast<const char*>(contents->fp32_contents().data()),
                  static_cast<size_t>(contents->fp32_contents_size()) * sizeof(float));
  request.mutable_inputs(0)->clear_contents();
  request.add_raw_input_contents(std::move(raw));
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(Floats(response_.raw_output_contents(0)), pixels);

  std::vector<v1::Image> images(2);
  for (const int label : {0, 1}) images[label].set_encoded(TinyPng(label, 70));
  const std::vector<float> encoded = Predicted(images);
  ASSERT_EQ(Infer(EncodedRequest()), "OK");
  EXPECT_EQ(response_.model_name(), "tiny_jpeg");
  EXPECT_EQ(Floats(response_.raw_output_contents(0)), encoded);
  request = EncodedRequest();
  request.mutable_inputs(0)->mutable_shape()->Truncate(1);
  request.clear_raw_input_contents();
  for (const int label : {0, 1}) {
    request.mutable_inputs(0)->mutable_contents()->add_bytes_contents(TinyPng(label, 70));
  }
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(Floats(response_.raw_output_contents(0)), encoded);
}

TEST_F(InferenceTest, TakesAPriorityAndRefusesWhatIsNone) {
  TrainTiny();
  inference::ModelInferRequest request = PixelRequest();
  inference::InferParameter& priority = (*request.mutable_parameters())["priority"];
  for (const uint64_t level : {0, 1, 2, 3, 100}) {
    priority.set_uint64_param(level);
    EXPECT_EQ(Infer(request), "OK") << level;
  }
  priority.set_int64_param(1);
  EXPECT_EQ(Infer(request), "OK");
  priority.set_int64_param(-1);
  EXPECT_THAT(Infer(request), StartsWith("INVALID_ARGUMENT: parameters[priority]: expected"));
  priority.set_string_param("high");
  EXPECT_THAT(Infer(request), StartsWith("INVALID_ARGUMENT: parameters[priority]: expected"));
}

TEST_F(InferenceTest, NamesTheMostProbableLabels) {
  TrainTiny();
  inference::ModelInferRequest request = PixelRequest();
  auto* named = request.add_outputs();
  named->set_name("probabilities");
  (*named->mutable_parameters())["classification"].set_int64_param(1);
  request.add_outputs()->set_name("probabilities");
  ASSERT_EQ(Infer(request), "OK");
  ASSERT_EQ(response_.outputs_size(), 2);
  EXPECT_EQ(response_.outputs(0).datatype(), "BYTES");
  EXPECT_THAT(response_.outputs(0).shape(), ElementsAre(2, 1));
  const std::vector<std::string> labels = Elements(response_.raw_output_contents(0));
  ASSERT_EQ(labels.size(), 2u);
  EXPECT_THAT(labels[0], HasSubstr(":0:left"));
  EXPECT_THAT(labels[1], HasSubstr(":1:right"));
  EXPECT_NEAR(std::stof(labels[0]), Floats(response_.raw_output_contents(1))[0], 1e-6);
}

TEST_F(InferenceTest, DescribesServerAndModels) {
  inference::ServerLiveResponse live;
  ASSERT_EQ(Text(stub_->ServerLive(Context().get(), {}, &live)), "OK");
  EXPECT_TRUE(live.live());
  TrainTiny();
  inference::ServerReadyResponse ready;
  ASSERT_EQ(Text(stub_->ServerReady(Context().get(), {}, &ready)), "OK");
  EXPECT_TRUE(ready.ready());
  inference::ServerMetadataResponse server;
  ASSERT_EQ(Text(stub_->ServerMetadata(Context().get(), {}, &server)), "OK");
  EXPECT_EQ(server.name(), "fovea");
  EXPECT_THAT(server.extensions(), ElementsAre("classification", "logging", "model_configuration",
                                               "model_repository", "statistics"));

  const auto is_ready = [&](const std::string& name, const std::string& version) {
    inference::ModelReadyRequest request;
    request.set_name(name);
    request.set_version(version);
    inference::ModelReadyResponse response;
    EXPECT_EQ(Text(stub_->ModelReady(Context().get(), request, &response)), "OK");
    return response.ready();
  };
  EXPECT_TRUE(is_ready("tiny", ""));
  EXPECT_TRUE(is_ready("tiny", "1"));
  EXPECT_TRUE(is_ready("tiny_jpeg", ""));
  EXPECT_FALSE(is_ready("tiny", "2"));
  EXPECT_FALSE(is_ready("other", ""));

  inference::ModelMetadataRequest request;
  request.set_name("tiny");
  inference::ModelMetadataResponse model;
  ASSERT_EQ(Text(stub_->ModelMetadata(Context().get(), request, &model)), "OK");
  EXPECT_EQ(model.name(), "tiny");
  EXPECT_THAT(model.versions(), ElementsAre("1"));
  EXPECT_EQ(model.inputs(0).datatype(), "UINT8");
  EXPECT_THAT(model.inputs(0).shape(), ElementsAre(-1, 8, 8, 1));
  EXPECT_THAT(model.outputs(0).shape(), ElementsAre(-1, 2));
  EXPECT_EQ(model.properties().at("labels"), "left,right");

  inference::ModelConfigRequest about;
  about.set_name("tiny_jpeg");
  inference::ModelConfigResponse config;
  ASSERT_EQ(Text(stub_->ModelConfig(Context().get(), about, &config)), "OK");
  EXPECT_EQ(config.config().name(), "tiny_jpeg");
  EXPECT_EQ(config.config().max_batch_size(), 256);
  EXPECT_EQ(config.config().input(0).data_type(), inference::TYPE_STRING);
  EXPECT_THAT(config.config().input(0).dims(), ElementsAre(1));
  EXPECT_THAT(config.config().parameters().at("layout_plans").string_value(),
              StartsWith("1=nhwc,2=nhwc,4="));  // a perceptron's plans come to the same
}

TEST_F(InferenceTest, CountsWhatBecameOfRequests) {
  TrainTiny();
  const auto statistics = [&](const std::string& name) {
    inference::ModelStatisticsRequest request;
    request.set_name(name);
    inference::ModelStatisticsResponse response;
    EXPECT_EQ(Text(stub_->ModelStatistics(Context().get(), request, &response)), "OK");
    EXPECT_EQ(response.model_stats_size(), 1);
    return response.model_stats_size() == 1 ? response.model_stats(0)
                                            : inference::ModelStatistics();
  };
  EXPECT_EQ(statistics("tiny").inference_count(), 0u);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Infer(PixelRequest()), "OK");
  EXPECT_EQ(Infer(EncodedRequest()), "OK");
  inference::ModelInferRequest bad = EncodedRequest();
  bad.set_raw_input_contents(0, Element("no") + Element("picture"));
  EXPECT_THAT(Infer(bad), StartsWith("INVALID_ARGUMENT"));
  for (const char* name : {"tiny", "tiny_jpeg", ""}) {
    const inference::ModelStatistics got = statistics(name);
    EXPECT_EQ(got.name(), name[0] == '\0' ? "tiny" : name);
    EXPECT_EQ(got.version(), "1");
    EXPECT_EQ(got.inference_count(), 8u);
    EXPECT_GE(got.execution_count(), 4u);
    EXPECT_LE(got.execution_count(), 8u);
    uint64_t batches = 0, images = 0;
    for (const inference::InferBatchStatistics& batch : got.batch_stats()) {
      EXPECT_LE(batch.batch_size(), 2u);  // one request at a time
      EXPECT_GT(batch.compute_infer().ns(), 0u);
      batches += batch.compute_infer().count();
      images += batch.batch_size() * batch.compute_infer().count();
    }
    EXPECT_EQ(batches, got.execution_count());
    EXPECT_EQ(images, got.inference_count());
    EXPECT_GT(got.last_inference(), 1'700'000'000'000u);
    EXPECT_EQ(got.inference_stats().success().count(), 4u);
    EXPECT_EQ(got.inference_stats().queue().count(), 4u);
    EXPECT_EQ(got.inference_stats().fail().count(), 1u);
    ExpectPhasesAddUp(got.inference_stats());
  }
  inference::ModelStatisticsRequest request;
  request.set_name("other");
  inference::ModelStatisticsResponse response;
  EXPECT_THAT(Text(stub_->ModelStatistics(Context().get(), request, &response)),
              StartsWith("NOT_FOUND"));

  inference::RepositoryIndexResponse index;
  ASSERT_EQ(Text(stub_->RepositoryIndex(Context().get(), {}, &index)), "OK");
  ASSERT_EQ(index.models_size(), 1);
  EXPECT_EQ(index.models(0).name(), "tiny");
  EXPECT_EQ(index.models(0).version(), "1");
  EXPECT_EQ(index.models(0).state(), "READY");
}

TEST_F(InferenceTest, TellsTraceAndLogSettings) {
  inference::TraceSettingRequest request;
  inference::TraceSettingResponse trace;
  ASSERT_EQ(Text(stub_->TraceSetting(Context().get(), request, &trace)), "OK");
  EXPECT_THAT(trace.settings().at("trace_level").value(), ElementsAre("OFF"));
  request.set_model_name("other");
  EXPECT_THAT(Text(stub_->TraceSetting(Context().get(), request, &trace)), StartsWith("NOT_FOUND"));
  TrainTiny();
  for (const char* name : {"tiny", "tiny_jpeg"}) {
    request.set_model_name(name);
    EXPECT_EQ(Text(stub_->TraceSetting(Context().get(), request, &trace)), "OK") << name;
  }
  (*request.mutable_settings())["trace_level"].add_value("TIMESTAMPS");
  EXPECT_THAT(Text(stub_->TraceSetting(Context().get(), request, &trace)),
              StartsWith("UNIMPLEMENTED: settings[trace_level]"));

  inference::LogSettingsRequest change;
  inference::LogSettingsResponse log;
  ASSERT_EQ(Text(stub_->LogSettings(Context().get(), change, &log)), "OK");
  EXPECT_TRUE(log.settings().at("log_info").bool_param());
  (*change.mutable_settings())["log_info"].set_bool_param(false);
  ASSERT_EQ(Text(stub_->LogSettings(Context().get(), change, &log)), "OK");
  EXPECT_FALSE(log.settings().at("log_info").bool_param());
  (*change.mutable_settings())["log_info"].clear_parameter_choice();
  ASSERT_EQ(Text(stub_->LogSettings(Context().get(), change, &log)), "OK");
  EXPECT_TRUE(log.settings().at("log_info").bool_param());
}

TEST_F(InferenceTest, RefusesWhatDoesNotFitTheModel) {
  TrainTiny();
  struct Case {
    const char* name;
    void (*change)(inference::ModelInferRequest*);
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"model", [](auto* r) { r->set_model_name("other"); }, "NOT_FOUND"},
      {"model of pictures", [](auto* r) { r->set_model_name("other_jpeg"); }, "NOT_FOUND"},
      {"version", [](auto* r) { r->set_model_version("2"); }, "NOT_FOUND"},
      {"no version", [](auto* r) { r->set_model_version("No 2"); }, "found version \"No 2\""},
      {"alias", [](auto* r) { r->set_model_version("new"); }, "has no alias \"new\""},
      {"no input", [](auto* r) { r->clear_inputs(); }, "inputs: found 0, expected 1"},
      {"name", [](auto* r) { r->mutable_inputs(0)->set_name("x"); }, "expected \"pixels\""},
      {"datatype", [](auto* r) { r->mutable_inputs(0)->set_datatype("INT8"); },
       "expected UINT8 or FP32"},
      {"shape", [](auto* r) { r->mutable_inputs(0)->set_shape(1, 9); },
       "found [2,9,8,1], expected [n,8,8,1]"},
      {"rank", [](auto* r) { r->mutable_inputs(0)->mutable_shape()->Truncate(3); },
       "found [2,8,8]"},
      {"none", [](auto* r) { r->mutable_inputs(0)->set_shape(0, 0); }, "found 0 pictures"},
      {"many", [](auto* r) { r->mutable_inputs(0)->set_shape(0, 1 << 30); }, "expected 1 to 256"},
      {"bytes", [](auto* r) { r->mutable_raw_input_contents(0)->pop_back(); },
       "found 127 bytes, expected 128"},
      {"both", [](auto* r) { r->mutable_inputs(0)->mutable_contents()->add_uint_contents(1); },
       "expected one of both"},
      {"raw", [](auto* r) { r->add_raw_input_contents("x"); }, "raw_input_contents: found 2"},
      {"range",
       [](auto* r) {
         r->mutable_inputs(0)->set_datatype("FP32");
         const std::vector<float> values(128, 255.5f);
         r->set_raw_input_contents(0,
                                   std::string(reinterpret_cast<const char*>(values.data()), 512));
       },
       "found 255.5 at value 0, expected pixels in [0, 255]"},
      {"output", [](auto* r) { r->add_outputs()->set_name("logits"); },
       "expected \"probabilities\""},
      {"classification",
       [](auto* r) {
         r->add_outputs()->set_name("probabilities");
         (*r->mutable_outputs(0)->mutable_parameters())["classification"].set_int64_param(0);
       },
       "expected an int64 of at least 1"},
      {"timeout", [](auto* r) { (*r->mutable_parameters())["timeout"].set_int64_param(-1); },
       "microseconds"},
      {"length",
       [](auto* r) {
         *r = EncodedRequest();
         r->mutable_raw_input_contents(0)->pop_back();
       },
       "after element 1"},
      {"elements",
       [](auto* r) {
         *r = EncodedRequest();
         r->mutable_inputs(0)->set_shape(0, 3);
       },
       "found 2 elements, expected 3"},
      {"picture",
       [](auto* r) {
         *r = EncodedRequest();
         r->set_raw_input_contents(0, Element(TinyPng(0, 1)) + Element("no picture"));
       },
       "inputs[0], picture 1"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    inference::ModelInferRequest request = PixelRequest();
    each.change(&request);
    const std::string status = Infer(request);
    EXPECT_THAT(status, HasSubstr(each.expected));
    EXPECT_THAT(status, AnyOf(StartsWith("NOT_FOUND"), StartsWith("INVALID_ARGUMENT")));
  }
  // The server goes on, and a timeout that is met changes nothing.
  inference::ModelInferRequest request = PixelRequest();
  (*request.mutable_parameters())["timeout"].set_int64_param(60'000'000);
  (*request.mutable_parameters())["priority"].set_uint64_param(1);
  EXPECT_EQ(Infer(request), "OK");
  (*request.mutable_parameters())["timeout"].set_int64_param(1);
  EXPECT_THAT(Infer(request), StartsWith("DEADLINE_EXCEEDED"));
}

}  // namespace
}  // namespace fovea
