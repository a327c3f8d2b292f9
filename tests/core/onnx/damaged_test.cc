// Damaged files: whatever the bytes are, import answers a Status or a graph that verifies.

#include "core/base/random.h"
#include "core/onnx/export.h"
#include "core/onnx/import.h"
#include "gtest/gtest.h"
#include "tests/core/onnx/graphs.h"

namespace fovea {
namespace {

std::string SmallFile() {
  Graph graph = *WithHead(testing::BuildOrDie("lenet", 12, 1, 2, 0.5f), Head::kSigmoid);
  return *ExportOnnx(graph, testing::SomeValues(graph), {});
}

// A file that is nearly all structure: a flip rarely falls into weights.
std::string StructureOnly() {
  Graph graph;
  const ValueId pixels = graph.AddInput("pixels", {DType::kU8, {1, 6, 6, 1}});
  ValueId x = *graph.Add1("normalize", Normalize{}, {pixels}, {0.5f, 0.25f});
  Conv conv;
  conv.window.kernel = {2, 2};
  x = *graph.Add1("conv", conv, {x, graph.AddParameter("conv.weight", {1, 1, 2, 2})});
  x = *graph.Add1("bn", BatchNorm{},
                  {x, graph.AddParameter("bn.weight", {1}), graph.AddParameter("bn.bias", {1}),
                   graph.AddState("bn.mean", {1}), graph.AddState("bn.var", {1})});
  Pool pool;
  pool.window.kernel = {2, 2};
  x = *graph.Add1("pool", pool, {x});
  x = *graph.Add1("clip", Activate{{Activation::kClip, 0, 6}}, {x});
  x = *graph.Add1("sum", Add{{Activation::kRelu}}, {x, x});
  x = *graph.Add1("flatten", Reshape{{0, -1}}, {x});
  x = *graph.Add1("fc", Dense{}, {x, graph.AddParameter("fc.weight", {2, 16})});
  x = *graph.Add1("dropout", Dropout{0.5f}, {x});
  graph.MarkOutput(*graph.Add1("softmax", Softmax{}, {x}));
  graph.AssignRegions();
  return *ExportOnnx(graph, testing::SomeValues(graph), {});
}

void ExpectNoCrash(const std::string& bytes) {
  const auto imported = ImportOnnx(bytes);
  EXPECT_TRUE(!imported.ok() || Verify(imported->graph).ok());
}

TEST(DamagedOnnx, IsRefusedWhereverItIsCut) {
  const std::string bytes = StructureOnly();
  ASSERT_TRUE(ImportOnnx(bytes).ok()) << ImportOnnx(bytes).status();
  int refused = 0;
  for (size_t n = 0; n < bytes.size(); ++n) refused += !ImportOnnx(bytes.substr(0, n)).ok();
  // Only a cut behind the graph, among the metadata, leaves a whole model.
  EXPECT_GT(refused, static_cast<int>(bytes.size()) * 4 / 5);
  EXPECT_EQ(ImportOnnx(bytes.substr(0, bytes.size() / 2)).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(DamagedOnnx, NeverCrashesWithAnyOneByteChanged) {
  std::string bytes = StructureOnly();
  for (char& byte : bytes) {
    const char kept = byte;
    for (int change : {0x01, 0x80, 0xff}) {
      byte = static_cast<char>(kept ^ change);
      ExpectNoCrash(bytes);
    }
    byte = kept;
  }
}

TEST(DamagedOnnx, NeverCrashesWithManyBytesChanged) {
  for (const std::string& bytes : {StructureOnly(), SmallFile()}) {
    for (int trial = 0; trial < 300; ++trial) {
      std::string damaged = bytes;
      Random random(trial);
      const int changes = 1 + static_cast<int>(random.Below(8));
      for (int i = 0; i < changes; ++i) {
        damaged[random.Below(damaged.size())] = static_cast<char>(random.Next());
      }
      if (random.Below(4) == 0) damaged.resize(random.Below(damaged.size()));
      ExpectNoCrash(damaged);
    }
  }
}

TEST(DamagedOnnx, IsDataLossForOtherFiles) {
  for (const std::string& bytes : {std::string(), std::string("hello"), std::string(1000, '\0')}) {
    EXPECT_EQ(ImportOnnx(bytes).status().code(), absl::StatusCode::kDataLoss);
  }
}

}  // namespace
}  // namespace fovea
