// Tensors in shared memory: the same answers as in messages, and refusals that say why.
#include <functional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "tests/e2e/inference_fixture.h"
#include "tests/testing/shared_memory_segment.h"

namespace fovea {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::SharedMemorySegment;
using ::testing::StartsWith;
using Parameters = google::protobuf::Map<std::string, inference::InferParameter>;

void Place(const std::string& region, int64_t byte_size, int64_t offset, Parameters* parameters) {
  (*parameters)["shared_memory_region"].set_string_param(region);
  (*parameters)["shared_memory_byte_size"].set_int64_param(byte_size);
  if (offset > 0) (*parameters)["shared_memory_offset"].set_int64_param(offset);
}

// Moves the request's input into the segment, from `offset` of the region "in" on.
void MoveInput(SharedMemorySegment& segment, size_t offset, inference::ModelInferRequest* request) {
  const std::string bytes = request->raw_input_contents(0);
  segment.Write(offset, bytes);
  request->clear_raw_input_contents();
  Place("in", static_cast<int64_t>(bytes.size()), static_cast<int64_t>(offset),
        request->mutable_inputs(0)->mutable_parameters());
}

class SharedMemoryTest : public InferenceTest {
 protected:
  Config MakeConfig() const override {
    Config config = InferenceTest::MakeConfig();
    config.shared_memory_prefix = SharedMemorySegment::Prefix();
    return config;
  }

  std::string Register(const std::string& name, const std::string& key, uint64_t offset,
                       uint64_t byte_size) {
    inference::SystemSharedMemoryRegisterRequest request;
    request.set_name(name);
    request.set_key(key);
    request.set_offset(offset);
    request.set_byte_size(byte_size);
    inference::SystemSharedMemoryRegisterResponse response;
    return Text(stub_->SystemSharedMemoryRegister(Context().get(), request, &response));
  }
  std::string Unregister(const std::string& name) {
    inference::SystemSharedMemoryUnregisterRequest request;
    request.set_name(name);
    inference::SystemSharedMemoryUnregisterResponse response;
    return Text(stub_->SystemSharedMemoryUnregister(Context().get(), request, &response));
  }
  std::string Regions(const std::string& name) {
    inference::SystemSharedMemoryStatusRequest request;
    request.set_name(name);
    regions_.Clear();
    return Text(stub_->SystemSharedMemoryStatus(Context().get(), request, &regions_));
  }
  std::vector<std::string> Extensions() {
    inference::ServerMetadataResponse server;
    EXPECT_EQ(Text(stub_->ServerMetadata(Context().get(), {}, &server)), "OK");
    return {server.extensions().begin(), server.extensions().end()};
  }

  inference::SystemSharedMemoryStatusResponse regions_;
};

TEST_F(SharedMemoryTest, TensorsThereAreAnsweredAsThoseInMessages) {
  TrainTiny();
  EXPECT_THAT(Extensions(), Contains("system_shared_memory"));
  SharedMemorySegment in("in", 4096), out("out", 256);
  ASSERT_EQ(Register("in", in.key(), 0, 4096), "OK");
  ASSERT_EQ(Register("out", out.key(), 64, 192), "OK");

  // Pixels, and the probabilities into shared memory.
  ASSERT_EQ(Infer(PixelRequest()), "OK");
  const std::string pixels = response_.raw_output_contents(0);
  inference::ModelInferRequest request = PixelRequest();
  MoveInput(in, 100, &request);
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(response_.raw_output_contents(0), pixels);
  request.add_outputs()->set_name("probabilities");
  auto* shared = request.add_outputs();
  shared->set_name("probabilities");
  Place("out", 100, 8, shared->mutable_parameters());
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(out.Read(64 + 8, pixels.size()), pixels);
  ASSERT_EQ(response_.outputs_size(), 2);
  ASSERT_EQ(response_.raw_output_contents_size(), 2);
  EXPECT_EQ(response_.raw_output_contents(0), pixels);
  EXPECT_EQ(response_.raw_output_contents(1), "");
  const auto& output = response_.outputs(1);
  EXPECT_EQ(output.shape(0), 2);
  EXPECT_EQ(output.parameters().at("shared_memory_region").string_param(), "out");
  EXPECT_EQ(output.parameters().at("shared_memory_byte_size").int64_param(), 16);
  EXPECT_EQ(output.parameters().at("shared_memory_offset").int64_param(), 8);

  // Floats.
  request = PixelRequest();
  request.mutable_inputs(0)->set_datatype("FP32");
  std::string floats;
  for (const unsigned char value : request.raw_input_contents(0)) {
    const float each = value;
    floats.append(reinterpret_cast<const char*>(&each), sizeof(each));
  }
  request.set_raw_input_contents(0, floats);
  MoveInput(in, 1, &request);
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(response_.raw_output_contents(0), pixels);

  // Encoded pictures, and the named labels into shared memory.
  request = EncodedRequest();
  auto* labels = request.add_outputs();
  labels->set_name("probabilities");
  (*labels->mutable_parameters())["classification"].set_int64_param(1);
  ASSERT_EQ(Infer(request), "OK");
  const std::string named = response_.raw_output_contents(0);
  MoveInput(in, 0, &request);
  Place("out", 100, 0, labels->mutable_parameters());
  ASSERT_EQ(Infer(request), "OK");
  EXPECT_EQ(response_.outputs(0).datatype(), "BYTES");
  EXPECT_EQ(out.Read(64, named.size()), named);
}

TEST_F(SharedMemoryTest, RefusesWhatDoesNotFit) {
  TrainTiny();
  SharedMemorySegment segment("fit", 4096);
  ASSERT_EQ(Register("in", segment.key(), 0, 4096), "OK");
  inference::ModelInferRequest good = PixelRequest();
  MoveInput(segment, 0, &good);
  auto* output = good.add_outputs();
  output->set_name("probabilities");
  Place("in", 16, 1024, output->mutable_parameters());
  ASSERT_EQ(Infer(good), "OK");

  const auto input = [](auto* r) { return r->mutable_inputs(0)->mutable_parameters(); };
  const auto answer = [](auto* r) { return r->mutable_outputs(0)->mutable_parameters(); };
  struct Case {
    const char* name;
    std::function<void(inference::ModelInferRequest*)> change;
    const char* expected;
  };
  const std::vector<Case> cases = {
      {"region", [&](auto* r) { Place("other", 128, 0, input(r)); },
       "inputs[0].parameters[shared_memory_region]: found \"other\", expected the name of a"},
      {"no size", [&](auto* r) { input(r)->erase("shared_memory_byte_size"); },
       "inputs[0].parameters: found one of shared_memory_region and shared_memory_byte_size"},
      {"no region", [&](auto* r) { answer(r)->erase("shared_memory_region"); },
       "outputs[0].parameters: found one of"},
      {"size", [&](auto* r) { Place("in", 127, 0, input(r)); },
       "inputs[0] in region \"in\": found 127 bytes, expected 128"},
      {"no bytes", [&](auto* r) { Place("in", 0, 0, input(r)); }, "an int64 of at least 1"},
      {"end", [&](auto* r) { Place("in", 128, 4000, input(r)); },
       "found 128 bytes at 4000, expected them within the 4096 bytes of region \"in\""},
      {"offset", [&](auto* r) { (*input(r))["shared_memory_offset"].set_int64_param(-1); },
       "inputs[0].parameters[shared_memory_offset]: expected an int64 of at least 0"},
      {"raw", [](auto* r) { r->add_raw_input_contents("x"); },
       "found raw_input_contents beside shared memory"},
      {"contents", [](auto* r) { r->mutable_inputs(0)->mutable_contents()->add_uint_contents(1); },
       "found contents beside shared memory"},
      {"pictures",
       [&](auto* r) {
         *r = EncodedRequest();
         segment.Write(0, std::string(64, '\x7f'));
         r->clear_raw_input_contents();
         Place("in", 64, 0, input(r));
       },
       "inputs[0] in region \"in\": found 64 bytes after element 0"},
      {"small", [&](auto* r) { Place("in", 15, 1024, answer(r)); },
       "outputs[0].parameters[shared_memory_byte_size]: found 15 bytes for the output, expected at "
       "least 16"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.name);
    inference::ModelInferRequest request = good;
    each.change(&request);
    const std::string status = Infer(request);
    EXPECT_THAT(status, StartsWith("INVALID_ARGUMENT: "));
    EXPECT_THAT(status, HasSubstr(each.expected));
  }

  // Neither kills the server: a segment that has become smaller, nor one that is gone.
  segment.Resize(100);
  EXPECT_THAT(Infer(good), StartsWith("FAILED_PRECONDITION"));
  EXPECT_EQ(Infer(PixelRequest()), "OK");
}

TEST_F(SharedMemoryTest, TellsAndForgetsRegions) {
  SharedMemorySegment segment("regions", 64);
  EXPECT_THAT(Register("a", "/other", 0, 64), StartsWith("INVALID_ARGUMENT: key"));
  ASSERT_EQ(Register("a", segment.key(), 0, 64), "OK");
  ASSERT_EQ(Register("b", segment.key(), 8, 16), "OK");
  EXPECT_THAT(Register("b", segment.key(), 0, 16), StartsWith("ALREADY_EXISTS"));
  ASSERT_EQ(Regions(""), "OK");
  EXPECT_EQ(regions_.regions_size(), 2);
  ASSERT_EQ(Regions("b"), "OK");
  ASSERT_EQ(regions_.regions_size(), 1);
  const auto& b = regions_.regions().at("b");
  EXPECT_EQ(b.name(), "b");
  EXPECT_EQ(b.key(), segment.key());
  EXPECT_EQ(b.offset(), 8u);
  EXPECT_EQ(b.byte_size(), 16u);
  EXPECT_THAT(Regions("c"), StartsWith("NOT_FOUND"));
  EXPECT_EQ(Unregister("b"), "OK");
  EXPECT_EQ(Unregister("b"), "OK");
  EXPECT_THAT(Regions("b"), StartsWith("NOT_FOUND"));
  EXPECT_EQ(Unregister(""), "OK");
  ASSERT_EQ(Regions(""), "OK");
  EXPECT_EQ(regions_.regions_size(), 0);
}

TEST_F(SharedMemoryTest, AStreamTakesTensorsThereAndGoesOnAfterARefusal) {
  TrainTiny();
  SharedMemorySegment segment("stream", 256);
  ASSERT_EQ(Register("in", segment.key(), 0, 256), "OK");
  inference::ModelInferRequest request = PixelRequest();
  MoveInput(segment, 0, &request);
  auto* output = request.add_outputs();
  output->set_name("probabilities");
  const auto context = Context();
  const auto stream = stub_->ModelStreamInfer(context.get());
  for (const int64_t byte_size : {16, 8, 16}) {
    Place("in", byte_size, 128, output->mutable_parameters());
    EXPECT_TRUE(stream->Write(request));
  }
  EXPECT_TRUE(stream->WritesDone());
  inference::ModelStreamInferResponse got;
  for (const bool fits : {true, false, true}) {
    ASSERT_TRUE(stream->Read(&got));
    EXPECT_EQ(got.error_message().empty(), fits) << got.error_message();
    EXPECT_EQ(got.infer_response().outputs_size(), fits ? 1 : 0);
  }
  EXPECT_EQ(Text(stream->Finish()), "OK");
}

class NoSharedMemoryTest : public SharedMemoryTest {
 protected:
  Config MakeConfig() const override { return InferenceTest::MakeConfig(); }
};

TEST_F(NoSharedMemoryTest, IsTheDefaultAndLetsClientsCleanUp) {
  TrainTiny();
  EXPECT_THAT(Extensions(), Not(Contains("system_shared_memory")));
  SharedMemorySegment segment("off", 64);
  const std::string refused = Register("in", segment.key(), 0, 64);
  EXPECT_THAT(refused, StartsWith("FAILED_PRECONDITION"));
  EXPECT_THAT(refused, HasSubstr("--shared-memory-prefix"));
  EXPECT_EQ(Unregister(""), "OK");
  ASSERT_EQ(Regions(""), "OK");
  inference::ModelInferRequest request = PixelRequest();
  request.clear_raw_input_contents();
  Place("in", 64, 0, request.mutable_inputs(0)->mutable_parameters());
  EXPECT_THAT(Infer(request), HasSubstr("expected none: shared memory is off"));
}

TEST_F(NoSharedMemoryTest, HasNoneOfCudaEither) {
  inference::CudaSharedMemoryStatusRequest about;
  inference::CudaSharedMemoryStatusResponse none;
  ASSERT_EQ(Text(stub_->CudaSharedMemoryStatus(Context().get(), about, &none)), "OK");
  EXPECT_EQ(none.regions_size(), 0);
  about.set_name("gpu");
  EXPECT_THAT(Text(stub_->CudaSharedMemoryStatus(Context().get(), about, &none)),
              StartsWith("NOT_FOUND"));
  inference::CudaSharedMemoryRegisterResponse registered;
  EXPECT_THAT(Text(stub_->CudaSharedMemoryRegister(Context().get(), {}, &registered)),
              StartsWith("UNIMPLEMENTED: found CUDA shared memory"));
  inference::CudaSharedMemoryUnregisterResponse unregistered;
  EXPECT_EQ(Text(stub_->CudaSharedMemoryUnregister(Context().get(), {}, &unregistered)), "OK");
}

}  // namespace
}  // namespace fovea
