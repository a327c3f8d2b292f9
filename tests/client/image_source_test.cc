#include "client/image_source.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Optional;
using ::testing::SizeIs;

class ImageSourceTest : public ::testing::Test {
 protected:
  ImageSourceTest() : root_(::testing::TempDir() + "image_source_" + TestName()) {
    std::filesystem::remove_all(root_);
  }
  ~ImageSourceTest() override { std::filesystem::remove_all(root_); }

  static std::string TestName() {
    return ::testing::UnitTest::GetInstance()->current_test_info()->name();
  }
  void Write(const std::string& name, const std::string& bytes) {
    const std::filesystem::path path = root_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
  }

  const std::string root_;
};

TEST_F(ImageSourceTest, AFolderIsALabel) {
  Write("dog/b.png", "2");
  Write("dog/a.png", "1");
  Write("cat/c.png", "3");
  Write("cat/.hidden", "");
  Write(".git/x", "");
  Write("stray.png", "4");
  const auto files = ListFolderPerClass(root_);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_THAT(*files, SizeIs(4));
  EXPECT_EQ((*files)[0].labels, std::nullopt);  // stray.png
  EXPECT_EQ((*files)[1].name, "cat/c.png");
  EXPECT_THAT((*files)[1].labels, Optional(ElementsAre("cat")));
  EXPECT_EQ((*files)[2].name, "dog/a.png");
  const auto item = ReadItem((*files)[2]);
  ASSERT_TRUE(item.ok());
  EXPECT_EQ(item->image(), "1");
  EXPECT_THAT(item->labels().names(), ElementsAre("dog"));
}

TEST_F(ImageSourceTest, AManifestTellsNoneAppliesFromUnlabelled) {
  Write("m.csv", "a.png,x,y\nb.png,\nc.png\n");
  const auto files = ReadManifest(root_ + "/m.csv", /*split_column=*/false);
  ASSERT_TRUE(files.ok()) << files.status();
  ASSERT_THAT(*files, SizeIs(3));
  EXPECT_EQ((*files)[0].path, root_ + "/a.png");
  EXPECT_THAT((*files)[0].labels, Optional(ElementsAre("x", "y")));
  EXPECT_THAT((*files)[1].labels, Optional(SizeIs(0)));
  EXPECT_EQ((*files)[2].labels, std::nullopt);
}

TEST_F(ImageSourceTest, AManifestMayNameTheSplit) {
  Write("m.csv", "a.png,train,x\nb.png,,x\n");
  const auto files = ReadManifest(root_ + "/m.csv", /*split_column=*/true);
  ASSERT_TRUE(files.ok()) << files.status();
  EXPECT_EQ((*files)[0].split, v1::SPLIT_TRAIN);
  EXPECT_EQ((*files)[1].split, v1::SPLIT_UNSPECIFIED);
}

TEST_F(ImageSourceTest, ErrorsNameTheLineOrTheFile) {
  Write("m.csv", "a.png,train,x\nb.png,dev,x\n");
  ImageFile gone;
  gone.path = root_ + "/gone.png";
  EXPECT_THAT(std::string(ReadManifest(root_ + "/m.csv", true).status().message()),
              HasSubstr("m.csv line 2: split \"dev\""));
  EXPECT_THAT(std::string(ReadItem(gone).status().message()), HasSubstr("gone.png"));
  EXPECT_FALSE(ListFolderPerClass(root_ + "/gone").ok());
}

}  // namespace
}  // namespace fovea::cli
