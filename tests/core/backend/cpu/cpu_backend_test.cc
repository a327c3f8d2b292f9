// The cpu backend's own promises: its layouts, what the plan inserts, and no silent slow path.
#include "core/backend/cpu/cpu_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "core/backend/cpu/layouts.h"
#include "core/backend/cpu/peak.h"
#include "core/compile/compile.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Conv Same3x3() {
  Conv conv;
  conv.window = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  return conv;
}

// ---- Layouts.

TEST(CpuLayouts, PadsBlockedChannelsToAWholeBlock) {
  const size_t block = static_cast<size_t>(cpu::BlockChannels());
  EXPECT_EQ(CpuBackend().Bytes({DType::kF32, {2, 17, 5, 4}, kDense}), 2u * 17 * 20 * 4);
  EXPECT_EQ(CpuBackend().Bytes({DType::kF32, {2, 17, 5, 4}, cpu::kNhwc}), 2u * 17 * 20 * 4);
  EXPECT_EQ(CpuBackend().Bytes({DType::kF32, {2, 17, 5, 4}, cpu::kBlocked}),
            2u * ((17 + block - 1) / block * block) * 20 * 4);
}

TEST(CpuLayouts, KeepsAnImageOfOnePixelDenseWhereItsBytesAreTheSame) {
  EXPECT_EQ(cpu::StoredLayout({2, 32, 1, 1}, cpu::kBlocked), kDense);
  EXPECT_EQ(cpu::StoredLayout({2, 17, 1, 1}, cpu::kNhwc), kDense);
  EXPECT_EQ(cpu::StoredLayout({2, 17, 1, 1}, cpu::kBlocked), cpu::kBlocked);
  EXPECT_EQ(cpu::StoredLayout({2, 32, 2, 1}, cpu::kBlocked), cpu::kBlocked);
}

TEST(CpuLayouts, AllocatesZeroedAlignedMemoryAndRefusesWhatIsTooMuch) {
  const auto buffer = CpuBackend().Allocate(1000);
  ASSERT_TRUE(buffer.ok()) << buffer.status();
  EXPECT_EQ(reinterpret_cast<uintptr_t>((*buffer)->address()) % 64, 0u);
  const auto* bytes = static_cast<const char*>((*buffer)->address());
  EXPECT_TRUE(std::all_of(bytes, bytes + 1000, [](char byte) { return byte == 0; }));
  EXPECT_EQ(CpuBackend().Allocate(size_t{1} << 60).status().code(),
            absl::StatusCode::kResourceExhausted);
}

// ---- The plan.

// pixels → Normalize → conv → conv → flatten → dense.
Graph SmallNet() {
  Graph graph;
  const ValueId pixels = graph.AddInput("pixels", {DType::kU8, {2, 8, 8, 3}});
  const std::vector<float> constants = {0.5f, 0.5f, 0.5f, 0.25f, 0.25f, 0.25f};
  ValueId x = *graph.Add1("normalize", Normalize{}, {pixels}, constants);
  x = *graph.Add1("conv1", Same3x3(), {x, graph.AddParameter("w1", {32, 3, 3, 3})});
  x = *graph.Add1("conv2", Same3x3(), {x, graph.AddParameter("w2", {32, 32, 3, 3})});
  x = *graph.Add1("flatten", Reshape{{0, -1}}, {x});
  x = *graph.Add1("dense", Dense{}, {x, graph.AddParameter("w3", {10, 2048})});
  graph.MarkOutput(x);
  graph.AssignRegions();
  return graph;
}

TEST(CpuPlan, ReordersWeightsInThePrologueAndActivationsOnlyBeforeTheReshape) {
  for (LayoutPlan plan : {LayoutPlan::kNhwc, LayoutPlan::kBlocked}) {
    CompileOptions options;
    options.layout_plan = plan;
    const auto program = Compile(SmallNet(), CpuBackend(), options);
    ASSERT_TRUE(program.ok()) << program.status();
    std::vector<std::string> ops;
    for (const Step& step : (*program)->steps()) ops.push_back(step.op);
    EXPECT_THAT(ops, ElementsAre("Normalize", "Conv", "Conv", "Reorder", "Dense"));
    for (const Step& step : (*program)->prologue()) EXPECT_EQ(step.op, "Reorder");
  }
}

TEST(CpuPlan, GivesTheFirstConvolutionPlanesInTheBlockedPlan) {
  CompileOptions options;
  options.layout_plan = LayoutPlan::kBlocked;
  const auto graph = CpuBackend().Prepare(SmallNet(), options);
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_EQ(graph->type(graph->Find("normalize")).layout, kDense);
  EXPECT_EQ(graph->type(graph->Find("conv1")).layout, cpu::kBlocked);
  EXPECT_TRUE(Verify(*graph).ok());
}

TEST(CpuPlan, CopiesAResidualThatIsReadLater) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 16, 4, 4}});
  const ValueId w = graph.AddParameter("w", {16, 16, 3, 3});
  const ValueId y = *graph.Add1("conv1", Same3x3(), {x, w});
  Conv with_residual = Same3x3();
  with_residual.has_residual = true;
  const ValueId z = *graph.Add1("conv2", with_residual, {y, w, y});
  graph.MarkOutput(*graph.Add1("add", Add{}, {y, z}));
  graph.AssignRegions();
  CompileOptions options;
  options.optimize = false;
  const auto program = Compile(std::move(graph), CpuBackend(), options);
  EXPECT_TRUE(program.ok()) << program.status();
}

// ---- No silent slow path.

TEST(CpuBackend, RefusesAConvolutionThatOnlyTheReferenceKernelKnows) {
  // oneDNN has no jit kernel from planes of many channels to nhwc.
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 64, 8, 8}});
  const ValueId w = graph.AddParameter("w", {64, 64, 3, 3});
  graph.MarkOutput(*graph.Add1("stem", Same3x3(), {x, w}));
  graph.mutable_value(graph.Find("stem")).type.layout = cpu::kNhwc;
  const absl::Status refused =
      CpuBackend().Lower(graph, graph.nodes()[0], CompileOptions()).status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("Conv \"stem\""));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("ref"));

  CompileOptions options;
  options.allow_slow_kernels = true;
  const auto accepted = CpuBackend().Lower(graph, graph.nodes()[0], options);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  EXPECT_THAT(accepted->kernel_name, HasSubstr("ref"));
}

TEST(CpuBackend, RefusesDoublePrecisionConvolutions) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {1, 16, 8, 8}});
  const ValueId w = graph.AddParameter("w", {16, 16, 3, 3});
  graph.MarkOutput(*graph.Add1("conv", Same3x3(), {x, w}));
  graph.AssignRegions();
  graph = WithFloatType(graph, DType::kF64);
  EXPECT_FALSE(CpuBackend().Supports(graph, graph.nodes()[0]));
  EXPECT_EQ(Compile(graph, CpuBackend(), CompileOptions()).status().code(),
            absl::StatusCode::kUnimplemented);
}

TEST(Peak, IsMeasured) { EXPECT_GT(MeasurePeakFlops(1, 0.01), 1e9); }

}  // namespace
}  // namespace fovea
