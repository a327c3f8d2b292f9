// Every rule of the verifier, violated once.
#include <string>
#include <utility>
#include <vector>

#include "core/graph/graph.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

const Type kRow = {DType::kF32, {4, 8}};
const Activate kRelu = {{Activation::kRelu}};

class VerifyTest : public testing::Test {
 protected:
  // x → a → b (output); parameters w and c, state s.
  void SetUp() override {
    x_ = graph_.AddInput("x", kRow);
    w_ = graph_.AddParameter("w", {4, 8});
    c_ = graph_.AddParameter("c", {8});
    s_ = graph_.AddState("s", {4, 8});
    a_ = *graph_.Add1("a", Add{}, {x_, w_});
    b_ = *graph_.Add1("b", kRelu, {a_});
    graph_.MarkOutput(b_);
    graph_.AssignRegions();
    ASSERT_TRUE(Verify(graph_).ok()) << Verify(graph_);
  }

  // An update of all parameters; it reads the gradient of c, which "dc" makes.
  void AddUpdate() {
    graph_.SetGradient(c_, *graph_.Add1("dc", BiasBackward{}, {a_}));
    graph_.AssignRegions();
    const ValueId parameters = graph_.AddRegion(Role::kParameter);
    const ValueId gradients = graph_.AddRegion(Role::kGradient);
    const ValueId slot = graph_.AddSlot("slot");
    const ValueId rate = graph_.AddInput("rate", {DType::kF32, {1}});
    ASSERT_TRUE(graph_
                    .AddWriting("update", SgdMomentum{}, {parameters, gradients, slot, rate},
                                {parameters, slot})
                    .ok());
    ASSERT_TRUE(Verify(graph_).ok()) << Verify(graph_);
  }

  void ExpectError(const std::string& message) {
    const absl::Status status = Verify(graph_);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(), message);
  }

  Graph graph_;
  ValueId x_, w_, c_, s_, a_, b_;
};

// ---- Ids and names.

TEST_F(VerifyTest, RefusesAnInputThatDoesNotExist) {
  graph_.mutable_nodes()[1].inputs[0] = 77;
  ExpectError("node \"b\" names value 77; there are 6 values");
}

TEST_F(VerifyTest, RefusesAnOutputThatDoesNotExist) {
  graph_.MarkOutput(kNoValue);
  ExpectError("the list of outputs names value -1; there are 6 values");
}

TEST_F(VerifyTest, RefusesTwoValuesOfOneName) {
  graph_.mutable_value(a_).name = "x";
  ExpectError("two values are named \"x\"");
}

TEST_F(VerifyTest, RefusesTwoNodesOfOneName) {
  graph_.mutable_nodes()[1].name = "a";
  ExpectError("two nodes are named \"a\"");
}

TEST_F(VerifyTest, RefusesAValueWithoutName) {
  graph_.mutable_value(a_).name = "";
  ExpectError("a value has no name");
}

// ---- Types.

TEST_F(VerifyTest, RefusesTypesThatDoNotInfer) {
  graph_.mutable_value(w_).type.dims = {8, 4};
  ExpectError(
      "add \"a\": the second input is [8,4], expected [4,8] (inputs: \"x\" f32[4,8], \"w\" "
      "f32[8,4])");
}

TEST_F(VerifyTest, RefusesAnOutputOfAnotherType) {
  graph_.mutable_value(b_).type.dims = {4, 9};
  ExpectError("node \"b\": output \"b\" has type f32[4,9], inferred f32[4,8]");
}

TEST_F(VerifyTest, RefusesAMissingOutput) {
  graph_.mutable_outputs().clear();
  graph_.mutable_nodes()[1].outputs.clear();
  ExpectError("node \"b\" has 0 outputs, expected 1");
}

TEST_F(VerifyTest, RefusesAReorderToAnotherLayout) {
  const ValueId r = *graph_.Add1("r", Reorder{2}, {a_});
  EXPECT_TRUE(Verify(graph_).ok()) << Verify(graph_);
  graph_.mutable_value(r).type.layout = 3;
  ExpectError("node \"r\": output \"r\" has layout 3, the reorder gives 2");
}

TEST_F(VerifyTest, RefusesALayoutOutsideTemporaries) {
  graph_.mutable_value(b_).type.layout = 1;
  ExpectError("output \"b\" has layout 1; only temporaries may differ from dense");
  graph_.mutable_value(b_).type.layout = kDense;
  graph_.mutable_value(w_).type.layout = 1;
  ExpectError("parameter \"w\" has layout 1; only temporaries may differ from dense");
}

TEST_F(VerifyTest, RefusesAnOpaqueValueThatIsNone) {
  graph_.mutable_value(a_).opaque = true;
  ExpectError("node \"a\": output \"a\" is opaque, Add says otherwise");
}

TEST_F(VerifyTest, RefusesAReaderOfAnOpaqueValue) {
  const ValueId image = graph_.AddInput("image", {DType::kF32, {1, 1, 4, 4}});
  Pool pool;
  pool.training = true;
  const auto outputs = *graph_.Add("pool", pool, {image});
  ASSERT_TRUE(graph_.Add1("cast", Cast{}, {outputs[1]}).ok());
  ExpectError("node \"cast\" reads the opaque value \"pool:1\"; only the gradient of its node may");
  graph_.mutable_nodes().pop_back();
  graph_.MarkOutput(outputs[1]);
  ExpectError("output \"pool:1\" is opaque");
}

// ---- Order and writers.

TEST_F(VerifyTest, RefusesAReaderBeforeTheProducer) {
  std::swap(graph_.mutable_nodes()[0], graph_.mutable_nodes()[1]);
  ExpectError("node \"b\" reads temporary \"a\" before \"a\" makes it");
}

TEST_F(VerifyTest, RefusesATemporaryThatNothingMakes) {
  graph_.mutable_nodes().erase(graph_.mutable_nodes().begin());
  ExpectError("node \"b\" reads temporary \"a\", which nothing makes");
  graph_.mutable_nodes().clear();
  ExpectError("output \"b\" is made by nothing");
}

TEST_F(VerifyTest, RefusesTwoWriters) {
  ASSERT_TRUE(graph_.AddWriting("one", kRelu, {a_}, {s_}).ok());
  ASSERT_TRUE(graph_.AddWriting("two", kRelu, {b_}, {s_}).ok());
  ExpectError("state \"s\" is written by \"one\" and by \"two\"; one writer is allowed");
}

TEST_F(VerifyTest, RefusesANodeThatOverwritesAnInput) {
  graph_.mutable_nodes()[1].outputs[0] = x_;
  ExpectError("node \"b\" overwrites input \"x\"");
}

TEST_F(VerifyTest, RefusesAReaderAfterTheWriter) {
  ASSERT_TRUE(graph_.AddWriting("write", Add{}, {s_, a_}, {s_}).ok());
  EXPECT_TRUE(Verify(graph_).ok()) << Verify(graph_);
  ASSERT_TRUE(graph_.Add1("late", kRelu, {s_}).ok());
  ExpectError("node \"late\" reads state \"s\" after \"write\" overwrote it");
}

TEST_F(VerifyTest, CountsAnUpdateAsAWriterOfEveryParameter) {
  AddUpdate();
  ASSERT_TRUE(graph_.Add1("late", kRelu, {w_}).ok());
  ExpectError("node \"late\" reads parameter \"w\" after \"update\" overwrote it");
  graph_.mutable_nodes().pop_back();
  ASSERT_TRUE(graph_.AddWriting("second", kRelu, {a_}, {w_}).ok());
  ExpectError("parameter \"w\" is written by \"update\" and by \"second\"; one writer is allowed");
}

TEST_F(VerifyTest, CountsAnUpdateAsAReaderOfEveryGradient) {
  AddUpdate();
  std::swap(graph_.mutable_nodes()[2], graph_.mutable_nodes()[3]);
  ExpectError("node \"update\" reads gradient \"dc\" before \"dc\" writes it");
}

// ---- Regions.

TEST_F(VerifyTest, RefusesValuesThatOverlap) {
  graph_.mutable_value(c_).offset = 16;
  ExpectError(
      "parameter \"c\" at offset 16 overlaps \"w\" at offset 0 with 32 elements; call "
      "AssignRegions");
}

TEST_F(VerifyTest, RefusesAnOddOffset) {
  graph_.mutable_value(c_).offset = 40;
  ExpectError("parameter \"c\" has offset 40, expected a multiple of 16");
}

TEST_F(VerifyTest, RefusesAParameterThatDecaysBehindOneThatDoesNot) {
  graph_.mutable_value(c_).offset = 0;
  graph_.mutable_value(w_).offset = 16;
  ExpectError(
      "parameter \"w\" of rank 2 stands behind \"c\" of rank 1; those that decay come first");
}

TEST_F(VerifyTest, RefusesARegionOfTwoTypes) {
  graph_.AddValue("t", {DType::kF64, {3}}, Role::kState);
  graph_.AssignRegions();
  ExpectError("state \"t\" is f64, the regions of the graph are f32");
}

TEST_F(VerifyTest, RefusesAGradientAwayFromItsParameter) {
  AddUpdate();
  graph_.mutable_value(graph_.Find("dc")).offset = 48;
  ExpectError("gradient \"dc\" is [8] at offset 48, its parameter \"c\" is [8] at offset 32");
}

TEST_F(VerifyTest, RefusesAGradientOfNothing) {
  graph_.mutable_value(*graph_.Add1("dc", BiasBackward{}, {a_})).role = Role::kGradient;
  ExpectError("gradient \"dc\" belongs to no parameter");
}

TEST_F(VerifyTest, RefusesASlotOrRegionOfAnotherSize) {
  AddUpdate();
  for (const char* name : {"slot", "parameters", "gradients"}) {
    graph_.mutable_value(graph_.Find(name)).type.dims = {32};
  }
  EXPECT_FALSE(Verify(graph_).ok());
  graph_.mutable_nodes().pop_back();
  ExpectError(
      "parameter \"parameters\" has [32] at offset 0; it must span a region of 48 elements");
}

}  // namespace
}  // namespace fovea
