// Mixed precision (CastToBf16) and double precision behind f32 ports (WithF32Ports).
#include <gmock/gmock.h>

#include <cmath>
#include <set>

#include "core/backend/host_memory.h"
#include "core/backend/reference/reference_backend.h"
#include "core/compile/f32_ports.h"
#include "core/compile/passes.h"
#include "core/graph/op_def.h"
#include "tests/core/compile/net_fixture.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

// Takes every node but those of the given names; lowers nothing.
class PickyBackend : public HostBackend {
 public:
  explicit PickyBackend(std::set<std::string> refused = {}) : refused_(std::move(refused)) {}
  const char* name() const override { return "picky"; }
  size_t Bytes(const Type& type) const override { return type.dense_bytes(); }
  bool Supports(const Graph&, const Node& node) const override {
    return refused_.count(std::string(OpOf(node.attrs).name)) == 0;
  }
  absl::StatusOr<Lowered> Lower(const Graph&, const Node&, const CompileOptions&) const override {
    return absl::UnimplementedError("lowers nothing");
  }

 private:
  const std::set<std::string> refused_;
};

// x → conv → batch norm → flatten → dense → loss.
Graph SmallTraining() {
  Graph net;
  const ValueId x = net.AddInput("x", {DType::kF32, {2, 4, 3, 3}});
  Conv conv;
  conv.has_bias = true;
  ValueId y =
      *net.Add1("conv", conv, {x, net.AddParameter("w", {4, 4, 1, 1}), net.AddParameter("b", {4})});
  y = *net.Add1("norm", BatchNorm{},
                {y, net.AddParameter("scale", {4}), net.AddParameter("shift", {4}),
                 net.AddState("mean", {4}), net.AddState("variance", {4})});
  y = *net.Add1("flatten", Reshape{{0, -1}}, {y});
  y = *net.Add1("dense", Dense{}, {y, net.AddParameter("v", {3, 36})});
  net.AssignRegions();
  TrainingGraphOptions options;
  options.update = SgdMomentum{};
  return *TrainingGraph(net, y, options);
}

std::string TypeOf(const Graph& graph, const std::string& value) {
  const ValueId id = graph.Find(value);
  return id == kNoValue ? "none" : graph.type(id).ToString();
}

TEST(CastToBf16, ComputesBetweenCastsAndKeepsWhatIsOfParametersInF32) {
  Graph graph = SmallTraining();
  ASSERT_STATUS_OK(CastToBf16(graph, PickyBackend()));
  ASSERT_STATUS_OK(Verify(graph));
  // Forward.
  EXPECT_EQ(TypeOf(graph, "x"), "f32[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "x@bf16"), "bf16[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "w"), "f32[4,4,1,1]");
  EXPECT_EQ(TypeOf(graph, "w@bf16"), "bf16[4,4,1,1]");
  EXPECT_EQ(TypeOf(graph, "b@bf16"), "none");
  EXPECT_EQ(TypeOf(graph, "conv"), "bf16[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "norm"), "bf16[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "flatten"), "bf16[2,36]");
  EXPECT_EQ(TypeOf(graph, "dense"), "bf16[2,3]");
  EXPECT_EQ(TypeOf(graph, "dense@f32"), "f32[2,3]");
  EXPECT_EQ(TypeOf(graph, "loss"), "f32[1]");
  // Backward: what flows is bf16, what is added to a parameter is not.
  EXPECT_EQ(TypeOf(graph, "dense.dx"), "bf16[2,36]");
  EXPECT_EQ(TypeOf(graph, "norm.dx"), "bf16[2,4,3,3]");
  for (const Value& value : graph.values()) {
    if (value.role == Role::kTemporary) continue;
    EXPECT_NE(value.type.dtype, DType::kBF16) << value.name;
  }
  for (const Node& node : graph.nodes()) {
    if (OpOf(node.attrs).flops(node, graph.InputTypes(node)) == 0) continue;
    for (int i : {0, 1}) EXPECT_EQ(graph.type(node.inputs[i]).dtype, DType::kBF16) << node.name;
  }
}

TEST(CastToBf16, LeavesInF32WhatTheBackendDoesNotTake) {
  Graph graph = SmallTraining();
  ASSERT_STATUS_OK(CastToBf16(graph, PickyBackend({"BatchNormTraining", "BatchNormBackward"})));
  ASSERT_STATUS_OK(Verify(graph));
  EXPECT_EQ(TypeOf(graph, "conv"), "bf16[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "conv@f32"), "f32[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "norm"), "f32[2,4,3,3]");
  EXPECT_EQ(TypeOf(graph, "flatten"), "f32[2,36]");
  EXPECT_EQ(TypeOf(graph, "flatten@bf16"), "bf16[2,36]");
}

TEST(CastToBf16, LeavesOutputsAsTheyAre) {
  Graph graph;
  const ValueId x = graph.AddInput("x", {DType::kF32, {2, 16}});
  graph.MarkOutput(*graph.Add1("dense", Dense{}, {x, graph.AddParameter("w", {4, 16})}));
  graph.AssignRegions();
  ASSERT_STATUS_OK(CastToBf16(graph, PickyBackend()));
  ASSERT_STATUS_OK(Verify(graph));
  EXPECT_EQ(TypeOf(graph, "dense"), "f32[2,4]");
}

TEST(CastToBf16, RefusesABackendWithoutBf16) {
  Graph graph = SmallTraining();
  CompileOptions options;
  options.training = true;
  options.compute_type = DType::kBF16;
  const absl::Status status = Compile(graph, ReferenceBackend(), options).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("AVX512_BF16"));
}

TEST(WithF32Ports, LeavesAnF32GraphAlone) {
  const Graph graph = SmallTraining();
  const auto same = WithF32Ports(graph);
  ASSERT_TRUE(same.ok()) << same.status();
  EXPECT_EQ(ToText(*same), ToText(graph));
}

TEST(WithF32Ports, ComputesInF64BetweenPortsOfF32) {
  absl::StatusOr<Net> net = BuildNet(SmallNet("mlp", 4), 2);
  ASSERT_TRUE(net.ok()) << net.status();
  const Graph f64 = WithFloatType(net->graph, DType::kF64);
  const auto weights = *Weights::Create(ReferenceBackend(), f64, {});
  ASSERT_STATUS_OK(Initialize(*net, 3, *weights));
  const auto ported = WithF32Ports(f64);
  ASSERT_TRUE(ported.ok()) << ported.status();
  ASSERT_STATUS_OK(Verify(*ported));
  const auto run = [&](const Graph& graph) {
    auto executor = *Executor::Create(*Compile(graph, ReferenceBackend(), {}), weights);
    EXPECT_TRUE(
        executor->SetInput("pixels", RandomPixels(executor->program().inputs()[0].type, 1)).ok());
    EXPECT_TRUE(executor->Run().ok());
    return executor;
  };
  const auto whole = run(f64), between = run(*ported);
  const TensorView expected = whole->output(0), actual = between->output(0);
  ASSERT_EQ(expected.type.dtype, DType::kF64);
  ASSERT_EQ(actual.type, (Type{DType::kF32, expected.type.dims}));
  EXPECT_EQ(between->program().outputs()[0].name, whole->program().outputs()[0].name);
  for (int64_t i = 0; i < expected.count(); ++i) {
    EXPECT_EQ(actual.as<float>()[i], static_cast<float>(expected.as<double>()[i]));
  }
}

}  // namespace
}  // namespace fovea
