// Imports of other formats, and previews, through a real server.
#include <gmock/gmock.h>

#include "core/base/file_system.h"
#include "tests/e2e/server_fixture.h"

namespace fovea {
namespace {

using ::testing::StartsWith;

class ServerDatasetsTest : public ServerTest {
 protected:
  Config MakeConfig() const override {
    Config config = ServerTest::MakeConfig();
    config.data_root = folder_.File("root");
    return config;
  }
  void SetUp() override {
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(folder_.File("root")).ok());
    ServerTest::SetUp();
  }
  std::string ImportPathText(const v1::ImportPathRequest& request) {
    v1::ImportSummary summary;
    return Text(datasets_->ImportPath(Context().get(), request, &summary));
  }
};

TEST_F(ServerDatasetsTest, ImportPathTellsTheFormat) {
  ASSERT_EQ(Text(Create("paths")), "OK");
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(folder_.File("root/a.png"), TinyPng(0, 1)).ok());
  ASSERT_TRUE(FileSystem::Real()
                  ->WriteAtomically(folder_.File("root/list.jsonl"),
                                    "{\"file\": \"a.png\", \"label\": \"left\"}\nrubbish\n")
                  .ok());
  v1::ImportPathRequest request;
  request.set_dataset("paths");
  request.mutable_detected()->set_path("list.jsonl");
  v1::ImportSummary summary;
  ASSERT_EQ(Text(datasets_->ImportPath(Context().get(), request, &summary)), "OK");
  EXPECT_EQ(summary.imported(), 1u);
  ASSERT_EQ(summary.errors_size(), 1);
  EXPECT_EQ(summary.errors(0).reason(), v1::IMPORT_ERROR_REASON_CORRUPT);
  EXPECT_EQ(summary.errors(0).name(), "line 2");
  request.mutable_detected()->set_path("a.png");
  EXPECT_THAT(ImportPathText(request), StartsWith("INVALID_ARGUMENT: cannot tell the format"));
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(folder_.File("root/a.bin"), "short").ok());
  request.mutable_detected()->set_path("a.bin");
  EXPECT_THAT(ImportPathText(request), StartsWith("INVALID_ARGUMENT: CIFAR file \"a.bin\" has 5"));
  ASSERT_EQ(Text(Create("many", v1::TASK_MULTI_LABEL)), "OK");
  request.set_dataset("many");
  EXPECT_THAT(ImportPathText(request), StartsWith("INVALID_ARGUMENT: cifar_binary: found a multi"));
}

TEST_F(ServerDatasetsTest, PreviewDrawsAndSaysWhatIsWrong) {
  v1::PreviewDatasetRequest request;
  request.set_dataset("tiny");
  v1::DatasetPreview preview;
  const auto call = [&] {
    preview.Clear();
    return Text(datasets_->Preview(Context().get(), request, &preview));
  };
  EXPECT_THAT(call(), StartsWith("NOT_FOUND: "));
  ASSERT_EQ(Text(Create("empty")), "OK");
  request.set_dataset("empty");
  EXPECT_THAT(call(), StartsWith("FAILED_PRECONDITION: data set \"empty\": found no image"));
  ImportTiny();
  request.set_dataset("tiny");
  ASSERT_EQ(call(), "OK");
  EXPECT_THAT(preview.png(), StartsWith("\x89PNG"));
  const std::string plain = preview.png();
  ASSERT_EQ(call(), "OK");
  EXPECT_EQ(preview.png(), plain);  // the seed decides
  // What does not concern pictures does not matter.
  request.mutable_config()->set_batch_size(4096);
  ASSERT_EQ(call(), "OK");
  EXPECT_EQ(preview.png(), plain);
  request.mutable_config()->mutable_augmentation()->mutable_rotation()->set_degrees(90);
  request.mutable_config()->mutable_mixup();
  ASSERT_EQ(call(), "OK");
  EXPECT_NE(preview.png(), plain);
  bool tells_alpha = false;
  for (const v1::Choice& choice : preview.choices()) {
    tells_alpha |= choice.name() == "config.mixup.alpha" && choice.value() == "0.2";
    EXPECT_NE(choice.name(), "config.epochs");
  }
  EXPECT_TRUE(tells_alpha);
  request.mutable_config()->mutable_augmentation()->mutable_rotation()->set_degrees(900);
  EXPECT_THAT(call(),
              StartsWith("INVALID_ARGUMENT: config.augmentation.rotation.degrees: found 900"));
  request.clear_config();
  request.set_examples(33);
  EXPECT_THAT(call(), StartsWith("INVALID_ARGUMENT: examples: found 33, expected 1 to 32"));
  request.set_examples(1);
  request.set_variants(17);
  EXPECT_THAT(call(), StartsWith("INVALID_ARGUMENT: variants: found 17, expected 0 to 16"));
}

}  // namespace
}  // namespace fovea
