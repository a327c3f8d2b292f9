#include "core/model/layer_table.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/model/some_model.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

TEST(LayerTable, HasARowForEveryNodeWithSizesParametersAndFlops) {
  const Model model = testing::SomeModel();
  const std::vector<v1::Layer> rows = LayerTable(model.graph);
  ASSERT_EQ(rows.size(), model.graph.nodes().size());
  const v1::Layer& dense = rows[2];
  EXPECT_EQ(dense.name(), "fc1");
  EXPECT_EQ(dense.op(), "Dense");
  EXPECT_THAT(dense.output_shape(), ElementsAre(1, 5));
  EXPECT_EQ(dense.parameters(), 16u * 5 + 5);
  EXPECT_EQ(dense.flops(), 2u * 16 * 5);
}

TEST(LayerTable, IsThatOfOneExampleWhateverTheBatch) {
  const Model model = testing::SomeModel();
  const auto batched = WithBatch(model.graph, 8);
  ASSERT_TRUE(batched.ok()) << batched.status();
  v1::ModelManifest one, eight;
  SetLayers(model.graph, one);
  SetLayers(*batched, eight);
  EXPECT_EQ(one.SerializeAsString(), eight.SerializeAsString());
}

TEST(LayerTableText, AlignsItsColumnsAndEndsWithTotals) {
  EXPECT_EQ(LayerTableText(testing::SomeModel().manifest),
            "layer      op         output   parameters  FLOPs\n"
            "normalize  Normalize  1x1x4x4           0      0\n"
            "flatten    Reshape    1x16              0      0\n"
            "fc1        Dense      1x5              85    160\n"
            "relu1      Activate   1x5               0      0\n"
            "fc2        Dense      1x3              18     30\n"
            "softmax    Softmax    1x3               0      0\n"
            "total                                 103    190\n");
}

}  // namespace
}  // namespace fovea
