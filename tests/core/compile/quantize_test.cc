// Inference on integers of 8 bits: calibration, and the pass QuantizeProducts.
#include "core/compile/quantize.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/reference/reference_backend.h"
#include "core/base/random.h"
#include "core/compile/calibrate.h"
#include "core/compile/compile.h"
#include "core/compile/passes.h"
#include "core/compile/value_range.h"
#include "core/runtime/executor.h"
#include "tests/core/compile/net_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

// ---- Ranges.

TEST(ValueRange, HoldsAShareOfTheValues) {
  ValueRange range;
  std::vector<float> values;
  for (int i = 1; i <= 1000; ++i) values.push_back(static_cast<float>(i) / 1000);
  range.Add(values);
  EXPECT_EQ(range.Limit(1), 1.0f);
  EXPECT_NEAR(range.Limit(0.9), 0.9, 1e-3);
  EXPECT_NEAR(range.Limit(0.5), 0.5, 1e-3);
  EXPECT_FALSE(range.negative());
  EXPECT_EQ(range.count(), 1000);
}

TEST(ValueRange, GrowsWithWhatItSees) {
  ValueRange range;
  range.Add({0, 0, 0});
  EXPECT_EQ(range.Limit(1), 0);
  range.Add({0.5f, -1});
  EXPECT_TRUE(range.negative());
  std::vector<float> many(995, 2.0f);
  range.Add(many);
  range.Add({100, NAN, INFINITY});
  EXPECT_EQ(range.count(), 3 + 2 + 995 + 1);
  EXPECT_EQ(range.Limit(1), 100);
  EXPECT_NEAR(range.Limit(0.99), 2, 0.05);  // an outlier does not count
}

// ---- Nets.

constexpr int kSide = 32, kLabels = 10;
// Of a probability. A value in the middle between two integers may go either way, and the random
// weights of a deep net make more of that.
constexpr float kRounding = 0.06f;

struct Served {
  Graph graph;
  std::shared_ptr<Weights> weights;
};

Served MakeServed(const std::string& name, const Backend& backend) {
  NetOptions options;
  options.name = name;
  options.height = options.width = kSide;
  options.channels = 3;
  options.labels = kLabels;
  const Net net = BuildNet(options, 2).value();
  Served served = {WithHead(net, Head::kSoftmax).value(), nullptr};
  served.weights = Weights::Create(backend, served.graph, {}).value();
  EXPECT_TRUE(Initialize(net, 1, *served.weights).ok());
  return served;
}

std::vector<uint8_t> Picture(uint64_t seed) {
  Random random(seed);
  const auto base = static_cast<int>(random.Below(200));
  std::vector<uint8_t> pixels(kSide * kSide * 3);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(base + random.Below(56));
  return pixels;
}

Quantization Calibrated(const Served& served) {
  const auto calibrator = Calibrator::Create(served.graph, served.weights, 1).value();
  for (uint64_t i = 0; i < 8; ++i) EXPECT_TRUE(calibrator->Observe(Picture(i).data()).ok());
  return calibrator->Find(1).value();
}

std::vector<float> Answers(const Program& program, const Served& served) {
  const auto shared = std::shared_ptr<const Program>(&program, [](const Program*) {});
  const auto executor = Executor::Create(shared, served.weights, {}).value();
  Tensor pixels({DType::kU8, {2, kSide, kSide, 3}});
  for (int i = 0; i < 2; ++i) {
    const std::vector<uint8_t> picture = Picture(100 + i);
    std::copy(picture.begin(), picture.end(), pixels.as<uint8_t>() + i * picture.size());
  }
  EXPECT_TRUE(executor->SetInput("pixels", pixels).ok());
  EXPECT_TRUE(executor->Run().ok());
  Tensor answers({DType::kF32, {2, kLabels}});
  EXPECT_TRUE(executor->GetOutput("probabilities", answers).ok());
  return {answers.as<float>(), answers.as<float>() + answers.count()};
}

std::shared_ptr<const Program> CompileAs(DType type, const Served& served, const Backend& backend,
                                         std::shared_ptr<const Quantization> quantization) {
  CompileOptions options;
  options.compute_type = type;
  options.width = 1;
  options.quantization = std::move(quantization);
  return Compile(served.graph, backend, options).value();
}

int CountOps(const Program& program, const std::string& op) {
  return static_cast<int>(std::count_if(program.steps().begin(), program.steps().end(),
                                        [&](const Step& step) { return step.op == op; }));
}

class QuantizedNets : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (!CheckInt8(CpuBackend()).ok()) GTEST_SKIP() << CheckInt8(CpuBackend());
  }
};

TEST_P(QuantizedNets, AnswersAlmostAsInF32) {
  const Served served = MakeServed(GetParam(), CpuBackend());
  const auto quantization = std::make_shared<const Quantization>(Calibrated(served));
  const auto quantised = CompileAs(DType::kI8, served, CpuBackend(), quantization);
  EXPECT_EQ(CountOps(*quantised, "Conv") + CountOps(*quantised, "InvertedResidual"), 0);
  EXPECT_GT(CountOps(*quantised, "QuantizedConv"), 0);
  EXPECT_EQ(CountOps(*quantised, "Dense"), 0);
  const auto expected = Answers(*CompileAs(DType::kF32, served, CpuBackend(), nullptr), served);
  const auto found = Answers(*quantised, served);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], kRounding) << i;
}

// What the quantised kernels make of the graph is what its nodes mean.
TEST_P(QuantizedNets, AnswersAsTheReferenceOfTheSameIntegers) {
  const Served served = MakeServed(GetParam(), CpuBackend());
  const auto quantization = std::make_shared<const Quantization>(Calibrated(served));
  const Served reference = MakeServed(GetParam(), ReferenceBackend());
  const auto found = Answers(*CompileAs(DType::kI8, served, CpuBackend(), quantization), served);
  const auto expected =
      Answers(*CompileAs(DType::kI8, reference, ReferenceBackend(), quantization), reference);
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], kRounding) << i;
}

INSTANTIATE_TEST_SUITE_P(Nets, QuantizedNets,
                         testing::Values("resnet20", "mobilenet_v2", "mobilenet_v3_small"),
                         [](const auto& info) { return std::string(info.param); });

// ---- The pass, on the reference.

// x → conv a → relu → max pool → conv b → sum with the pool → flatten → dense.
Graph SmallNet() {
  Graph net;
  const ValueId x = net.AddInput("x", {DType::kF32, {1, 4, 4, 4}});
  ValueId y = *net.Add1("a", Conv{}, {x, net.AddParameter("wa", {8, 4, 1, 1})});
  y = *net.Add1("relu", Activate{{Activation::kRelu}}, {y});
  Pool pool;
  pool.window.kernel = pool.window.stride = {2, 2};
  y = *net.Add1("pool", pool, {y});
  const ValueId b = *net.Add1("b", Conv{}, {y, net.AddParameter("wb", {8, 8, 1, 1})});
  y = *net.Add1("sum", Add{}, {b, y});
  y = *net.Add1("flatten", Reshape{{0, -1}}, {y});
  net.MarkOutput(*net.Add1("dense", Dense{}, {y, net.AddParameter("wd", {3, 32})}));
  net.AssignRegions();
  return net;
}

Quantization KnownValues(std::initializer_list<std::pair<const char*, int>> weights,
                         std::initializer_list<const char*> others) {
  Quantization known;
  for (const auto& [name, outputs] : weights) {
    known.values[name] = {DType::kI8, std::vector<float>(outputs, 0.01f)};
  }
  for (const char* name : others) known.values[name] = {DType::kI8, {0.02f}};
  return known;
}

std::string TypeOf(const Graph& graph, const std::string& value) {
  const ValueId id = graph.Find(value);
  return id == kNoValue ? "none" : graph.type(id).ToString();
}

TEST(QuantizeProducts, KeepsWhatStandsBetweenTwoAsIntegers) {
  Graph graph = SmallNet();
  ASSERT_STATUS_OK(RunInferencePasses(graph, ReferenceBackend()));
  ASSERT_STATUS_OK(QuantizeProducts(
      graph, ReferenceBackend(),
      KnownValues({{"wa", 8}, {"wb", 8}, {"wd", 3}}, {"x", "a", "pool", "b", "flatten"})));
  ASSERT_STATUS_OK(Verify(graph));
  EXPECT_EQ(TypeOf(graph, "x@i8"), "i8[1,4,4,4]");
  EXPECT_EQ(TypeOf(graph, "a"), "i8[1,8,4,4]");
  EXPECT_EQ(TypeOf(graph, "pool"), "i8[1,8,2,2]");
  EXPECT_EQ(TypeOf(graph, "b"), "f32[1,8,2,2]");  // the sum reads floats
  EXPECT_EQ(TypeOf(graph, "flatten@i8"), "i8[1,32]");
  EXPECT_EQ(TypeOf(graph, "dense"), "f32[1,3]");
}

TEST(QuantizeProducts, LeavesWhatItDoesNotKnowInFloats) {
  Graph graph = SmallNet();
  ASSERT_STATUS_OK(RunInferencePasses(graph, ReferenceBackend()));
  ASSERT_STATUS_OK(QuantizeProducts(graph, ReferenceBackend(),
                                    KnownValues({{"wa", 8}, {"wb", 5}}, {"x", "a", "pool"})));
  ASSERT_STATUS_OK(Verify(graph));
  EXPECT_EQ(TypeOf(graph, "a"), "f32[1,8,4,4]");  // nobody reads it as integers
  const auto is_float_conv = [](const Node& node) {
    return node.attrs.index() == Attrs(Conv{}).index();
  };
  EXPECT_EQ(std::count_if(graph.nodes().begin(), graph.nodes().end(), is_float_conv), 1);
}

TEST(QuantizeProducts, NeedsAQuantizationAndInference) {
  CompileOptions options;
  options.compute_type = DType::kI8;
  EXPECT_THAT(Compile(SmallNet(), ReferenceBackend(), options).status().message(),
              HasSubstr("found no quantization"));
}

TEST(Calibrator, WantsAnExample) {
  const Served served = MakeServed("lenet", ReferenceBackend());
  const auto calibrator = Calibrator::Create(served.graph, served.weights, 1).value();
  EXPECT_THAT(calibrator->Find(1).status().message(), HasSubstr("found no example"));
}

TEST(Calibrator, TellsSignsAndScalesOfChannels) {
  const Served served = MakeServed("lenet", ReferenceBackend());
  const Quantization found = Calibrated(served);
  const QuantizedValue& pixels = found.values.at("normalize");
  EXPECT_EQ(pixels.dtype, DType::kI8);
  // Of black pixels, (0 − 0.5) / 0.25 = −2.
  EXPECT_LE(pixels.scales.at(0) * 127, 2.001f);
  int unsigned_values = 0, weights = 0;
  for (const auto& [name, value] : found.values) {
    unsigned_values += value.dtype == DType::kU8;
    weights += value.scales.size() > 1;
    for (float scale : value.scales) EXPECT_GT(scale, 0) << name;
  }
  EXPECT_GT(unsigned_values, 0);
  EXPECT_GE(weights, 4);
}

}  // namespace
}  // namespace fovea
