#include "core/model/format.h"

#include <cstring>

#include "core/backend/reference/reference_backend.h"
#include "core/base/status.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/model/some_model.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ModelFormat : public ::testing::Test {
 protected:
  std::string Path(const std::string& file) const { return JoinPath(folder_, file); }
  std::string Read(const std::string& file) { return *files_->Read(Path(file)); }
  void Put(const std::string& file, const std::string& bytes) {
    ASSERT_TRUE(files_->WriteAtomically(Path(file), bytes).ok());
  }

  FileSystem* files_ = FileSystem::Real();
  testing::TempDir dir_;
  std::string folder_ = dir_.File("staged/model");
};

TEST_F(ModelFormat, ReadsWhatItWrote) {
  const Model model = testing::SomeModel();
  ASSERT_TRUE(WriteModel(files_, folder_, model).ok());
  EXPECT_THAT(*files_->List(folder_),
              ElementsAre("labels.txt", "manifest.textproto", "model.onnx"));
  EXPECT_EQ(Read("labels.txt"), "zero\none\ntwo\n");
  const auto read = ReadModel(files_, folder_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToText(read->graph), ToText(model.graph));
  EXPECT_EQ(read->manifest.SerializeAsString(), model.manifest.SerializeAsString());
  ASSERT_EQ(read->values.size(), model.values.size());
  for (const auto& [name, tensor] : model.values) {
    EXPECT_EQ(std::memcmp(read->values.at(name).data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

TEST_F(ModelFormat, KeepsTheLogitsThatTheEnergyNeeds) {
  Model model = testing::SomeModel();
  model.manifest.mutable_open_set()->mutable_energy()->set_temperature(1);
  const absl::Status without = WriteModel(files_, folder_, model);
  EXPECT_EQ(without.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(without.message()),
              HasSubstr("the graph has 1 outputs, expected 2: probabilities, logits"));
  model.graph.MarkOutput(model.graph.Find("logits"));
  ASSERT_TRUE(WriteModel(files_, folder_, model).ok());
  const auto read = ReadModel(files_, folder_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(ToText(read->graph), ToText(model.graph));
  EXPECT_TRUE(read->manifest.open_set().has_energy());
}

TEST_F(ModelFormat, RefusesToWriteAModelThatContradictsItself) {
  Model model = testing::SomeModel();
  model.manifest.add_labels("three");
  absl::Status status = WriteModel(files_, folder_, model);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("the graph's output is \"probabilities\" f32[1,3], expected "
                        "\"probabilities\" f32[1,4]"));
  model = testing::SomeModel();
  model.manifest.mutable_preprocessing()->set_width(5);
  EXPECT_FALSE(WriteModel(files_, folder_, model).ok());
  model = testing::SomeModel();
  model.manifest.add_thresholds(0.5);
  EXPECT_FALSE(WriteModel(files_, folder_, model).ok());
  EXPECT_FALSE(files_->Exists(folder_));
}

TEST_F(ModelFormat, SaysNotFoundForAFolderWithoutAModel) {
  EXPECT_EQ(ReadModel(files_, dir_.File("none")).status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ModelFormat, SaysWhichFileIsDamaged) {
  ASSERT_TRUE(WriteModel(files_, folder_, testing::SomeModel()).ok());
  const std::string onnx = Read("model.onnx"), manifest = Read("manifest.textproto");
  Put("model.onnx", onnx.substr(0, onnx.size() / 2));
  absl::Status status = ReadModel(files_, folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("model.onnx")));

  Put("model.onnx", onnx);
  Put("manifest.textproto", manifest.substr(0, 30) + "}");
  status = ReadModel(files_, folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr(Path("manifest.textproto") + ": line"));

  Put("manifest.textproto", manifest);
  ASSERT_TRUE(files_->RemoveAll(Path("model.onnx")).ok());
  EXPECT_EQ(ReadModel(files_, folder_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ModelFormat, SaysDataLossWhenTheFilesContradictEachOther) {
  ASSERT_TRUE(WriteModel(files_, folder_, testing::SomeModel()).ok());
  Put("manifest.textproto", Read("manifest.textproto") + "labels: \"three\"\n");
  EXPECT_EQ(ReadModel(files_, folder_).status().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ModelFormat, RefusesAFormatOfTheFuture) {
  ASSERT_TRUE(WriteModel(files_, folder_, testing::SomeModel()).ok());
  Put("manifest.textproto", "format_version: 2\n");
  const absl::Status status = ReadModel(files_, folder_).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("format version 2, this build reads up to 1"));
}

TEST(MakeWeights, HoldsTheValuesOfTheModel) {
  const Model model = testing::SomeModel();
  const auto weights = MakeWeights(model, ReferenceBackend());
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto values = ReadValues(model.graph, **weights);
  ASSERT_TRUE(values.ok()) << values.status();
  ASSERT_EQ(values->size(), model.values.size());
  for (const auto& [name, tensor] : model.values) {
    EXPECT_EQ(std::memcmp(values->at(name).data(), tensor.data(), tensor.bytes()), 0) << name;
  }
}

TEST(MakeWeights, NamesAValueThatTheModelLacks) {
  Model model = testing::SomeModel();
  model.values.erase("fc1.bias");
  EXPECT_THAT(std::string(MakeWeights(model, ReferenceBackend()).status().message()),
              HasSubstr("model \"digits\" has no values for \"fc1.bias\""));
}

}  // namespace
}  // namespace fovea
