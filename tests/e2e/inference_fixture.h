// Requests of the Open Inference Protocol to the model "tiny", and what they answer.
#pragma once

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "inference/inference.grpc.pb.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {

// 8 x 8 grey pixels, as TinyPng draws them: bright at the left for label 0.
inline std::string TinyPixels(int label) {
  std::string pixels;
  for (int i = 0; i < 64; ++i)
    pixels.push_back(static_cast<char>((i % 8 < 4) == (label == 0) ? 200 : 20));
  return pixels;
}

inline std::string Element(const std::string& bytes) {
  const auto length = static_cast<uint32_t>(bytes.size());
  return std::string(reinterpret_cast<const char*>(&length), sizeof(length)) + bytes;
}

inline std::vector<float> Floats(const std::string& raw) {
  std::vector<float> values(raw.size() / sizeof(float));
  std::memcpy(values.data(), raw.data(), raw.size());
  return values;
}

// The elements of raw BYTES.
inline std::vector<std::string> Elements(std::string raw) {
  std::vector<std::string> elements;
  while (raw.size() >= 4) {
    uint32_t length = 0;
    std::memcpy(&length, raw.data(), 4);
    elements.push_back(raw.substr(4, length));
    raw.erase(0, 4 + length);
  }
  EXPECT_EQ(raw, "");
  return elements;
}

// Each phase of a request loses the fraction of a nanosecond.
inline void ExpectPhasesAddUp(const inference::InferStatistics& requests) {
  const uint64_t phases = requests.queue().ns() + requests.compute_input().ns() +
                          requests.compute_infer().ns() + requests.compute_output().ns() +
                          requests.cache_hit().ns() + requests.cache_miss().ns();
  EXPECT_GT(requests.compute_infer().ns(), 0u);
  EXPECT_LE(phases, requests.success().ns());
  EXPECT_GE(phases + 6 * requests.success().count(), requests.success().ns());
}

class InferenceTest : public ServerTest {
 protected:
  void SetUp() override {
    ServerTest::SetUp();
    stub_ = inference::GRPCInferenceService::NewStub(channel_);
  }

  // The model "tiny": 8 x 8 grey pictures, labels left and right.
  void TrainTiny() {
    ImportTiny();
    grpc::Status status;
    const std::vector<v1::JobEvent> events = Train(TinyTraining(20), &status);
    ASSERT_EQ(Text(status), "OK");
    ASSERT_EQ(events.back().state_change().state(), v1::JOB_STATE_SUCCEEDED);
  }

  // Two pictures of pixels, left then right.
  static inference::ModelInferRequest PixelRequest() {
    inference::ModelInferRequest request;
    request.set_model_name("tiny");
    request.set_id("seven");
    auto* input = request.add_inputs();
    input->set_name("pixels");
    input->set_datatype("UINT8");
    for (const int64_t dim : {2, 8, 8, 1}) input->add_shape(dim);
    request.add_raw_input_contents(TinyPixels(0) + TinyPixels(1));
    return request;
  }

  static inference::ModelInferRequest EncodedRequest() {
    inference::ModelInferRequest request;
    request.set_model_name("tiny_jpeg");
    auto* input = request.add_inputs();
    input->set_name("image");
    input->set_datatype("BYTES");
    input->add_shape(2);
    input->add_shape(1);
    request.add_raw_input_contents(Element(TinyPng(0, 70)) + Element(TinyPng(1, 70)));
    return request;
  }

  std::string Infer(const inference::ModelInferRequest& request) {
    response_.Clear();
    return Text(stub_->ModelInfer(Context().get(), request, &response_));
  }

  // The probabilities that Predict gives for the same pictures, by label index.
  std::vector<float> Predicted(const std::vector<v1::Image>& images) {
    v1::PredictRequest request;
    request.set_model("tiny");
    for (const v1::Image& image : images) *request.add_images() = image;
    v1::PredictResponse answer;
    EXPECT_EQ(Text(classifier_->Predict(Context().get(), request, &answer)), "OK");
    std::vector<float> probabilities(images.size() * 2);
    for (size_t i = 0; i < images.size(); ++i) {
      for (const v1::ScoredLabel& label : answer.predictions(static_cast<int>(i)).labels()) {
        probabilities[i * 2 + label.index()] = label.probability();
      }
    }
    return probabilities;
  }

  static v1::Image Raw(const std::string& pixels) {
    v1::Image image;
    image.mutable_raw()->set_width(8);
    image.mutable_raw()->set_height(8);
    image.mutable_raw()->set_channels(1);
    image.mutable_raw()->set_pixels(pixels);
    return image;
  }

  std::unique_ptr<inference::GRPCInferenceService::Stub> stub_;
  inference::ModelInferResponse response_;
};

}  // namespace fovea
