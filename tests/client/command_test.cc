#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/client/command_fixture.h"

namespace fovea::cli::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A file whose bytes are its content; removed with the fixture's folder.
class FilesTest : public CommandTest {
 protected:
  FilesTest() { std::filesystem::create_directories(folder_); }
  ~FilesTest() override { std::filesystem::remove_all(folder_); }

  std::string File(const std::string& name, const std::string& bytes) {
    const std::string path = folder_ + "/" + name;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }

  const std::string folder_ = ::testing::TempDir() + "command_" +
                              ::testing::UnitTest::GetInstance()->current_test_info()->name();
};

TEST_F(CommandTest, HelpNamesTheExitCodes) {
  EXPECT_EQ(RunAlone({"--help"}), 0);
  EXPECT_THAT(out(), HasSubstr("130  interrupted"));
}

TEST_F(CommandTest, AWrongCommandLineIsUsage) {
  EXPECT_EQ(Run({}), 1);
  EXPECT_EQ(Run({"train"}), 1);
  EXPECT_EQ(Run({"fly"}), 1);
  EXPECT_EQ(Run({"datasets", "create", "x", "--task", "many"}), 1);
}

TEST_F(CommandTest, AServerThatIsNotThereIsUnavailable) {
  EXPECT_EQ(RunAlone({"--server", "127.0.0.1:1", "jobs", "list"}), 3);
  EXPECT_THAT(err(), HasSubstr("server at 127.0.0.1:1"));
}

TEST_F(CommandTest, ARefusalCarriesTheServersWords) {
  EXPECT_EQ(Run({"datasets", "get", "gone"}), 2);
  EXPECT_EQ(err(), "fovea: no data set \"gone\"\n");
}

TEST_F(CommandTest, AnInterruptedCommandSaysSo) {
  interrupt_.Trigger();
  EXPECT_EQ(Run({"datasets", "list"}), 130);
}

TEST_F(CommandTest, ListsAllPages) {
  ASSERT_EQ(Run({"datasets", "create", "a", "--task", "multi-label"}), 0);
  ASSERT_EQ(Run({"datasets", "create", "b"}), 0);
  EXPECT_EQ(Run({"datasets", "create", "b"}), 2);
  ASSERT_EQ(Run({"datasets", "list", "--json"}), 0);
  EXPECT_THAT(out(), HasSubstr("{\"name\":\"a\",\"task\":\"TASK_MULTI_LABEL\""));
  EXPECT_THAT(out(), HasSubstr("\n{\"name\":\"b\""));
}

TEST_F(FilesTest, ImportSendsAFolderPerClass) {
  ASSERT_EQ(Run({"datasets", "create", "pets"}), 0);
  File("cat/1.png", "c");
  File("dog/1.png", "d");
  ASSERT_EQ(Run({"datasets", "import", "pets", folder_, "--split", "test"}), 0) << err();
  ASSERT_THAT(server_.imported, SizeIs(3));
  EXPECT_EQ(server_.imported[0].header().dataset(), "pets");
  EXPECT_THAT(server_.imported[0].header().request_id(), SizeIs(32));
  EXPECT_EQ(server_.imported[2].item().image(), "d");
  EXPECT_EQ(server_.imported[2].item().labels().names(0), "dog");
  EXPECT_EQ(server_.imported[2].item().split(), v1::SPLIT_TEST);
}

TEST_F(FilesTest, PreviewWritesTheSheet) {
  server_.preview_png = "the bytes of a PNG";
  const std::string sheet = folder_ + "/sheet.png";
  const std::string config = File("c.textproto", "augmentation { rotation { degrees: 5 } }");
  ASSERT_EQ(Run({"datasets", "preview", "pets", "--out", sheet, "--config", config, "--set",
                 "mixup.alpha=0.4", "--split", "test", "--examples", "3", "--variants", "2"}),
            0)
      << err();
  std::ifstream file(sheet, std::ios::binary);
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), server_.preview_png);
  EXPECT_EQ(server_.previewed.dataset(), "pets");
  EXPECT_EQ(server_.previewed.config().augmentation().rotation().degrees(), 5);
  EXPECT_EQ(server_.previewed.config().mixup().alpha(), 0.4);
  EXPECT_EQ(server_.previewed.split(), v1::SPLIT_TEST);
  EXPECT_EQ(server_.previewed.examples(), 3);
  EXPECT_EQ(server_.previewed.variants(), 2);
  EXPECT_THAT(out(), HasSubstr("config.augmentation.rotation.degrees = 15 (the default)"));
  EXPECT_THAT(out(), HasSubstr("wrote " + sheet));
  EXPECT_EQ(Run({"datasets", "preview", "pets", "--out", sheet, "--set", "nonsense=1"}), 1);
  EXPECT_EQ(Run({"datasets", "preview", "pets"}), 1);
}

TEST_F(CommandTest, ModelsServingShowsAndChangesPolicyAndAliases) {
  server_.serving.mutable_policy()->set_latest(2);
  (*server_.serving.mutable_aliases())["stable"] = 3;
  ASSERT_EQ(Run({"models", "serving", "pets"}), 0) << err();
  EXPECT_THAT(out(), HasSubstr("the newest 2"));
  EXPECT_THAT(out(), HasSubstr("stable"));
  EXPECT_THAT(server_.updated_serving.name(), IsEmpty());
  ASSERT_EQ(Run({"models", "serving", "pets", "--versions", "2,5", "--alias", "stable=5",
                 "--remove-alias", "canary"}),
            0)
      << err();
  EXPECT_EQ(server_.updated_serving.name(), "pets");
  EXPECT_EQ(server_.updated_serving.policy().versions().versions_size(), 2);
  EXPECT_EQ(server_.updated_serving.aliases().at("stable"), 5u);
  EXPECT_EQ(server_.updated_serving.remove_aliases(0), "canary");
  ASSERT_EQ(Run({"models", "serving", "pets", "--all"}), 0);
  EXPECT_TRUE(server_.updated_serving.policy().has_all());
  EXPECT_EQ(Run({"models", "serving", "pets", "--alias", "stable"}), 1);
  EXPECT_THAT(err(), HasSubstr("found \"stable\", expected NAME=VERSION"));
  EXPECT_EQ(Run({"models", "serving", "pets", "--all", "--latest", "2"}), 1);
}

TEST_F(CommandTest, AVersionMayBeAnAlias) {
  ASSERT_EQ(Run({"models", "get", "pets", "--version", "7"}), 0);
  EXPECT_EQ(server_.got_model.version(), 7u);
  ASSERT_EQ(Run({"models", "get", "pets", "--version", "stable"}), 0);
  EXPECT_EQ(server_.got_model.alias(), "stable");
  ASSERT_EQ(Run({"evaluate", "pets", "tiny", "--version", "stable"}), 0);
  EXPECT_EQ(server_.evaluated.alias(), "stable");
}

TEST_F(CommandTest, ImportPathNamesTheFormatOrHasItDetected) {
  ASSERT_EQ(Run({"datasets", "import-path", "pets", "a/b", "--split", "test"}), 0) << err();
  EXPECT_EQ(server_.imported_path.detected().path(), "a/b");
  EXPECT_EQ(server_.imported_path.split(), v1::SPLIT_TEST);
  ASSERT_EQ(Run({"datasets", "import-path", "pets", "a", "--format", "webdataset"}), 0);
  EXPECT_EQ(server_.imported_path.web_dataset().path(), "a");
  ASSERT_EQ(Run({"datasets", "import-path", "pets", "a", "--format", "cifar"}), 0);
  EXPECT_EQ(server_.imported_path.cifar_binary().path(), "a");
  ASSERT_EQ(Run({"datasets", "import-path", "pets", "a", "--format", "jsonl"}), 0);
  EXPECT_EQ(server_.imported_path.json_lines().path(), "a");
  ASSERT_EQ(Run({"datasets", "import-path", "pets", "i", "--idx-labels", "l"}), 0);
  EXPECT_EQ(server_.imported_path.idx().labels_path(), "l");
  EXPECT_EQ(Run({"datasets", "import-path", "pets", "a", "--format", "zip"}), 1);
}

TEST_F(FilesTest, ImportStopsAtAnAbsentFile) {
  ASSERT_EQ(Run({"datasets", "create", "pets"}), 0);
  EXPECT_EQ(Run({"datasets", "import", "pets", File("m.csv", "gone.png,cat\n")}), 1);
  EXPECT_THAT(err(), HasSubstr("gone.png"));
}

TEST_F(FilesTest, ImportIntoNothingIsRefused) {
  EXPECT_EQ(Run({"datasets", "import", "gone", File("m.csv", "m.csv,cat\n")}), 2);
  EXPECT_THAT(err(), HasSubstr("no such data set"));
}

TEST_F(FilesTest, PredictAnswersInTheOrderOfTheFiles) {
  std::vector<std::string> command = {"predict", "m", "--batch", "2", "--parallel", "3"};
  std::string expected;
  for (int i = 0; i < 9; ++i) {
    command.push_back(File(std::to_string(i), "label" + std::to_string(i)));
    expected += command.back() + ": label" + std::to_string(i) + " 1.0000\n";
  }
  ASSERT_EQ(Run(command), 0) << err();
  EXPECT_EQ(out(), expected);
  EXPECT_EQ(server_.predicted, 5);
}

TEST_F(FilesTest, PredictNamesTheBadImageAndAnswersTheOthers) {
  server_.bad_image = "broken";
  const std::string good = File("a.png", "cat");
  const std::string bad = File("b.png", "broken");
  EXPECT_EQ(Run({"predict", "m", good, bad}), 2);
  EXPECT_EQ(out(), good + ": cat 1.0000\n");
  EXPECT_EQ(err(), bad + ": image cannot be decoded\n");
}

TEST_F(FilesTest, PredictMarksTheLabelsOfMultiLabelModels) {
  server_.model_task = v1::TASK_MULTI_LABEL;
  const std::string file = File("a.png", "cat");
  EXPECT_EQ(Run({"predict", "m", file}), 0);
  EXPECT_EQ(out(), file + ": *cat 1.0000\n");
  EXPECT_EQ(Run({"predict", "m", file, "--json"}), 0);
  EXPECT_THAT(out(), HasSubstr("{\"file\":\"" + file + "\",\"labels\":[{\"label\":\"cat\""));
  EXPECT_THAT(err(), IsEmpty());
}

TEST_F(CommandTest, EvaluateAsksForTheTestSplit) {
  server_.report.mutable_measures()->mutable_single_label()->set_accuracy(0.5);
  ASSERT_EQ(Run({"evaluate", "m", "pets"}), 0);
  EXPECT_EQ(server_.evaluated.split(), v1::SPLIT_TEST);
  EXPECT_FALSE(server_.evaluated.has_version());
  EXPECT_THAT(out(), HasSubstr("accuracy                 0.5000\n"));
}

}  // namespace
}  // namespace fovea::cli::testing
