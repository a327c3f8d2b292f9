// Runs from job to model in other precisions, layouts and storage than the default.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/compile/compile.h"
#include "core/graph/quantization.h"
#include "core/model/format.h"
#include "core/model/quantization.h"
#include "core/model/served_precision.h"
#include "core/model/storage.h"
#include "core/train/golden.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;
using testing::TrainingRun;

constexpr char kResnet[] =
    "net: \"resnet8\" batch_size: 8 epochs: 2 learning_rate: 0.05 backend: BACKEND_CPU width: 2 ";

bool CpuHasBf16() {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kBF16, {16, 64}});
  EXPECT_TRUE(
      graph.Add1("dense", Dense{}, {x, graph.AddInput("w", {DType::kBF16, {64, 64}})}).ok());
  return (*FindBackend("cpu"))->Supports(graph, graph.nodes()[0]);
}

std::string ModelBytes(const TrainingRun& run) {
  const auto bytes = FileSystem::Real()->Read(run.folder() + "/model/model.onnx");
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.value_or("");
}

v1::ModelManifest Finish(TrainingRun& run, bool resume = false) {
  const auto result = run.Attempt(resume);
  EXPECT_TRUE(result.ok()) << result.status();
  const auto manifest = ReadManifest(FileSystem::Real(), run.folder() + "/model");
  EXPECT_TRUE(manifest.ok()) << manifest.status();
  return manifest.value_or(v1::ModelManifest());
}

void CancelAfterStep(TrainingRun& run, int64_t stop) {
  CancelToken cancel;
  run.on_step = [&](const StepRecord& record) {
    if (record.step == stop) cancel.Cancel();
    return absl::OkStatus();
  };
  EXPECT_EQ(run.Attempt(false, &cancel).status().code(), absl::StatusCode::kCancelled);
  run.on_step = nullptr;
}

// ---- What is served.

TEST(ServedPrecision, Bf16IsMeasuredBesideF32AndKeptWithTheVersion) {
  if (!CpuHasBf16()) GTEST_SKIP() << "this processor does not compute in bf16";
  TrainingRun run(std::string(kResnet) +
                  "serving { precision: SERVED_PRECISION_BF16 max_loss: 1 }");
  const v1::ModelManifest manifest = Finish(run);
  EXPECT_EQ(manifest.precision(), v1::SERVED_PRECISION_BF16);
  ASSERT_THAT(manifest.report().precisions(), SizeIs(2));
  const v1::PrecisionReport &single = manifest.report().precisions(0),
                            &half = manifest.report().precisions(1);
  EXPECT_EQ(single.precision(), v1::SERVED_PRECISION_FP32);
  EXPECT_TRUE(single.has_value() && half.has_value());
  EXPECT_NEAR(half.loss(), single.value() - half.value(), 1e-9);
  const auto model = ReadModel(FileSystem::Real(), run.folder() + "/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->golden.examples(), SizeIs(4));
}

int CountOps(const Program& program, const std::string& op) {
  return static_cast<int>(std::count_if(program.steps().begin(), program.steps().end(),
                                        [&](const Step& step) { return step.op == op; }));
}

// The published model, read back, as a server compiles it.
std::shared_ptr<const Program> CompilePublished(const Model& model) {
  CompileOptions options;
  options.compute_type = ComputeTypeOf(model.manifest.precision());
  options.quantization = std::make_shared<const Quantization>(FromProto(model.quantization));
  return Compile(model.graph, **FindBackend("cpu"), options).value();
}

bool CpuHasInt8() { return CheckComputes(**FindBackend("cpu"), DType::kI8).ok(); }

TEST(ServedPrecision, Int8IsCalibratedAndKeptWithTheVersion) {
  if (!CpuHasInt8()) GTEST_SKIP() << "this processor has no VNNI";
  TrainingRun run(std::string(kResnet) +
                  "serving { precision: SERVED_PRECISION_INT8 max_loss: 1 }");
  const v1::ModelManifest manifest = Finish(run);
  EXPECT_EQ(manifest.precision(), v1::SERVED_PRECISION_INT8);
  ASSERT_THAT(manifest.report().precisions(), SizeIs(2));
  EXPECT_EQ(manifest.report().precisions(1).precision(), v1::SERVED_PRECISION_INT8);
  EXPECT_TRUE(manifest.report().precisions(1).has_value());
  const auto model = ReadModel(FileSystem::Real(), run.folder() + "/model");
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_THAT(model->golden.examples(), SizeIs(4));
  const auto program = CompilePublished(*model);
  // The file keeps the names by which the scales are found.
  EXPECT_EQ(CountOps(*program, "Conv") + CountOps(*program, "Dense"), 0);
  EXPECT_GT(CountOps(*program, "QuantizedConv"), 0);
}

// Targets in other units than the net was trained in change the weights of the last layer, and
// their scales.
TEST(ServedPrecision, Int8OfARegressionGivesUnits) {
  if (!CpuHasInt8()) GTEST_SKIP() << "this processor has no VNNI";
  TrainingRun run(
      std::string(kResnet) + "serving { precision: SERVED_PRECISION_INT8 max_loss: 100 }",
      v1::TASK_REGRESSION);
  const v1::ModelManifest manifest = Finish(run);
  ASSERT_EQ(manifest.precision(), v1::SERVED_PRECISION_INT8);
  const auto model = ReadModel(FileSystem::Real(), run.folder() + "/model");
  ASSERT_TRUE(model.ok()) << model.status();
  Model single = *ReadModel(FileSystem::Real(), run.folder() + "/model");
  single.manifest.set_precision(v1::SERVED_PRECISION_FP32);
  std::vector<std::vector<uint8_t>> pixels;
  for (const v1::GoldenExample& example : model->golden.examples()) {
    pixels.emplace_back(example.pixels().begin(), example.pixels().end());
  }
  const auto expected = MakeGolden(single, **FindBackend("cpu"), pixels);
  ASSERT_TRUE(expected.ok()) << expected.status();
  float largest = 0;
  for (const auto& example : expected->examples()) {
    for (float value : example.outputs()) largest = std::max(largest, std::abs(value));
  }
  for (int i = 0; i < expected->examples_size(); ++i) {
    for (int k = 0; k < expected->examples(i).outputs_size(); ++k) {
      EXPECT_NEAR(model->golden.examples(i).outputs(k), expected->examples(i).outputs(k),
                  0.1 * largest);
    }
  }
}

TEST(ServedPrecision, AModelInInt8WithoutScalesIsDamaged) {
  if (!CpuHasInt8()) GTEST_SKIP() << "this processor has no VNNI";
  TrainingRun run(std::string(kResnet) +
                  "serving { precision: SERVED_PRECISION_INT8 max_loss: 1 }");
  Finish(run);
  const std::string folder = run.folder() + "/model";
  ASSERT_TRUE(FileSystem::Real()->RemoveAll(folder + "/quantization.pb").ok());
  const absl::Status status = ReadModel(FileSystem::Real(), folder).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("has no scales"));
}

TEST(ServedPrecision, AnAccuracyThatMayNotFallIsServedInF32OrNoWorse) {
  TrainingRun run(std::string(kResnet) +
                  "serving { precision: SERVED_PRECISION_AUTO max_loss: 0 }");
  const v1::ModelManifest manifest = Finish(run);
  ASSERT_THAT(manifest.report().precisions(), SizeIs(3));
  for (const v1::PrecisionReport& tried : manifest.report().precisions()) {
    if (tried.precision() != manifest.precision()) continue;
    EXPECT_LE(tried.loss(), 0);
  }
}

TEST(ServedPrecision, ByDefaultOnlyF32AndNothingElseIsTried) {
  TrainingRun run(kResnet);
  const v1::ModelManifest manifest = Finish(run);
  EXPECT_EQ(manifest.precision(), v1::SERVED_PRECISION_FP32);
  EXPECT_THAT(manifest.report().precisions(), SizeIs(0));
}

// ---- bf16.

TEST(Bf16Training, FollowsTheLossesOfF32AndPublishesF32) {
  TrainingRun single(kResnet), half(std::string(kResnet) + "precision: PRECISION_BF16");
  if (!CpuHasBf16()) {
    const absl::Status status = half.Attempt(false).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr("AVX512_BF16"));
    return;
  }
  Finish(single);
  const v1::ModelManifest manifest = Finish(half);
  ASSERT_THAT(half.losses, SizeIs(single.losses.size()));
  EXPECT_NE(half.losses, single.losses);
  // Rounding is felt more as steps add up.
  for (size_t step = 0; step < 3; ++step) {
    EXPECT_NEAR(half.losses[step], single.losses[step], 0.05 * single.losses[step]) << step;
  }
  EXPECT_EQ(manifest.training().config().precision(), v1::PRECISION_BF16);
  EXPECT_EQ(manifest.training().execution().layout_plan(), "blocked_winograd");
  const auto model = ReadModel(FileSystem::Real(), half.folder() + "/model");
  ASSERT_TRUE(model.ok()) << model.status();
  for (const auto& [name, tensor] : model->values) EXPECT_EQ(tensor.type().dtype, DType::kF32);
}

TEST(Bf16Training, ResumesBitForBit) {
  if (!CpuHasBf16()) GTEST_SKIP() << "this processor has no AVX512_BF16";
  const std::string config = std::string(kResnet) + "precision: PRECISION_BF16";
  TrainingRun whole(config), cut(config);
  Finish(whole);
  CancelAfterStep(cut, 3);
  Finish(cut, /*resume=*/true);
  EXPECT_EQ(cut.sink.started.step(), 4);
  EXPECT_EQ(cut.losses, whole.losses);
  EXPECT_EQ(ModelBytes(cut), ModelBytes(whole));
}

// ---- Layout plans.

TEST(LayoutPlans, AreRecordedAndAllTrainAlike) {
  TrainingRun winograd(kResnet), nhwc(std::string(kResnet) + "layout_plan: LAYOUT_PLAN_NHWC");
  EXPECT_EQ(Finish(winograd).training().execution().layout_plan(), "blocked_winograd");
  EXPECT_EQ(Finish(nhwc).training().execution().layout_plan(), "nhwc");
  for (size_t step = 0; step < 3; ++step) {
    EXPECT_NEAR(nhwc.losses[step], winograd.losses[step], 1e-3 * winograd.losses[step]) << step;
  }
}

TEST(LayoutPlans, AResumeUsesTheRecordedOne) {
  TrainingRun whole(std::string(kResnet) + "layout_plan: LAYOUT_PLAN_BLOCKED");
  Finish(whole);
  // Recorded by an earlier build, whose default it was.
  TrainingRun run(kResnet);
  v1::Execution recorded = whole.sink.started.execution();
  *run.job.mutable_execution() = recorded;
  CancelAfterStep(run, 3);
  EXPECT_EQ(run.sink.started.execution().layout_plan(), "blocked");
  Finish(run, /*resume=*/true);
  EXPECT_EQ(run.sink.started.execution().layout_plan(), "blocked");
  EXPECT_EQ(run.losses, whole.losses);
}

// ---- Double precision.

constexpr char kMlp[] = "mlp { hidden: 16 } batch_size: 8 epochs: 8 learning_rate: 0.05 ";

TEST(F64Training, LearnsLikeF32AndPublishesF32) {
  TrainingRun single(kMlp), twice(std::string(kMlp) + "precision: PRECISION_FP64");
  Finish(single);
  const v1::ModelManifest manifest = Finish(twice);
  EXPECT_NE(twice.losses, single.losses);
  ASSERT_THAT(twice.losses, SizeIs(24));
  for (size_t step = 0; step < twice.losses.size(); ++step) {
    EXPECT_NEAR(twice.losses[step], single.losses[step], 1e-4 * (0.1 + single.losses[step]));
  }
  EXPECT_EQ(manifest.report().measures().single_label().accuracy(), 1);
  const auto model = ReadModel(FileSystem::Real(), twice.folder() + "/model");
  ASSERT_TRUE(model.ok()) << model.status();
  for (const auto& [name, tensor] : model->values) EXPECT_EQ(tensor.type().dtype, DType::kF32);
}

TEST(F64Training, ResumesBitForBit) {
  const std::string config =
      "net: \"resnet8\" batch_size: 8 epochs: 2 learning_rate: 0.05 precision: PRECISION_FP64";
  TrainingRun whole(config), cut(config);
  Finish(whole);
  CancelAfterStep(cut, 3);
  Finish(cut, /*resume=*/true);
  EXPECT_EQ(cut.losses, whole.losses);
  EXPECT_EQ(ModelBytes(cut), ModelBytes(whole));
}

// ---- Storage.

TEST(F16Storage, PublishesRoundedWeightsAndMeasuresThem) {
  TrainingRun whole(kMlp), half(std::string(kMlp) + "storage: STORAGE_FP16");
  Finish(whole);
  const v1::ModelManifest manifest = Finish(half);
  EXPECT_EQ(half.losses, whole.losses);
  // 144 · 16 + 16 · 3 weights of four bytes, then of two, and a node for each of the two layers.
  EXPECT_LT(ModelBytes(half).size(), ModelBytes(whole).size() - 2 * (144 * 16 + 16 * 3) + 600);
  const auto expected = ReadModel(FileSystem::Real(), whole.folder() + "/model");
  const auto stored = ReadModel(FileSystem::Real(), half.folder() + "/model");
  ASSERT_TRUE(expected.ok()) << expected.status();
  ASSERT_TRUE(stored.ok()) << stored.status();
  EXPECT_EQ(ToText(stored->graph), ToText(expected->graph));
  int rounded = 0;
  for (const auto& [name, tensor] : expected->values) {
    const Value& value = expected->graph.value(expected->graph.Find(name));
    for (int64_t i = 0; i < tensor.count(); ++i) {
      const float weight = tensor.as<float>()[i], found = stored->values.at(name).as<float>()[i];
      EXPECT_EQ(found, IsStoredAsF16(value) ? StoredAsF16(weight) : weight) << name;
      rounded += found != weight;
    }
  }
  EXPECT_GT(rounded, 1000);
  // Rounding shows in the measures, which are of the published weights.
  EXPECT_NEAR(
      manifest.report().measures().log_loss(),
      ReadManifest(FileSystem::Real(), whole.folder() + "/model")->report().measures().log_loss(),
      1e-2);
}

}  // namespace
}  // namespace fovea
