// JSON-lines manifests, CIFAR's binary files, and the detection of formats.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/data/import_path.h"
#include "core/data/json_record.h"
#include "tests/core/data/recording_sink.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ImportFormatsTest : public ::testing::Test {
 protected:
  ImportFormatsTest() { options_.root = dir_.File("root"); }
  void SetUp() override { ASSERT_TRUE(FileSystem::Real()->MakeDirs(options_.root).ok()); }
  void Put(const std::string& path, const std::string& bytes) {
    const std::string whole = JoinPath(options_.root, path);
    ASSERT_TRUE(FileSystem::Real()->MakeDirs(ParentPath(whole)).ok());
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(whole, bytes).ok());
  }

  testing::TempDir dir_;
  ImportPathOptions options_;
  testing::RecordingSink sink_;
};

TEST(JsonRecord, ReadsLabelsOfEveryKind) {
  const JsonRecord record =
      ParseJsonRecord(R"({"file": "a/b.png", "labels": ["cat", 3, true, "k\u00e4tzchen"],
                          "split": "validation", "other": {"deep": [1, null]}})")
          .value();
  EXPECT_EQ(record.file, "a/b.png");
  EXPECT_THAT(*record.labels, ElementsAre("cat", "3", "true", "k\xc3\xa4tzchen"));
  EXPECT_EQ(record.split, Split::kValidation);
  EXPECT_THAT(*ParseJsonRecord(R"({"label": -7})").value().labels, ElementsAre("-7"));
  EXPECT_THAT(*ParseJsonRecord(R"({"labels": []})").value().labels, ElementsAre());
  EXPECT_FALSE(ParseJsonRecord("{}").value().labels.has_value());
}

TEST(JsonRecord, SaysWhatIsWrong) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "not a JSON object"},
      {"{\"file\": \"a", "not a JSON object"},
      {"[1]", "not a JSON object"},
      {"{\"file\": 3}", "\"file\" is not a string"},
      {"{\"label\": 1.5}", "\"label\" is not a string, a whole number or a boolean"},
      {"{\"label\": [\"a\"]}", "\"label\" is not a string"},
      {"{\"labels\": \"a\"}", "\"labels\" is not a list"},
      {"{\"labels\": [null]}", "\"labels\" is not a string"},
      {"{\"label\": \"a\", \"labels\": []}", "found both"},
      {"{\"split\": \"dev\"}", "\"split\" is not \"train\", \"validation\" or \"test\""},
  };
  for (const auto& [text, message] : cases) {
    const absl::Status status = ParseJsonRecord(text).status();
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << text;
    EXPECT_THAT(std::string(status.message()), HasSubstr(message)) << text;
  }
  // Nested too deeply to be read, and no crash.
  EXPECT_FALSE(ParseJsonRecord("{\"a\":" + std::string(100000, '[')).ok());
}

TEST_F(ImportFormatsTest, ReadsAJsonLinesManifest) {
  for (const char* name : {"a.png", "b.png", "c.png"}) Put(absl::StrCat("set/in/", name), name);
  ASSERT_EQ(symlink("/etc/passwd", JoinPath(options_.root, "set/link.png").c_str()), 0);
  options_.split = Split::kTrain;
  Put("set/list.jsonl",
      "\xef\xbb\xbf{\"file\": \"in/a.png\", \"label\": \"cat\"}\r\n"
      "\n"
      "{\"file\": \"in/b.png\", \"labels\": [\"cat\", \"dog\"], \"split\": \"test\"}\n"
      "{\"file\": \"in/c.png\"}\n"
      "{\"file\": \"gone.png\", \"label\": \"cat\"}\n"
      "{\"file\": \"../../secret\", \"label\": \"cat\"}\n"
      "{\"file\": \"link.png\", \"label\": \"cat\"}\n"
      "{\"label\": \"cat\"}\n"
      "{\"file\": \"in/a.png\", \"label\": \"ca");
  ASSERT_TRUE(ImportJsonLines(options_, "set/list.jsonl", &sink_).ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("set/in/a.png: cat @train", "set/in/b.png: cat|dog @test",
                          "set/in/c.png: (unlabelled) @train", "set/gone.png! not_found",
                          "../../secret! outside_data_root", "set/link.png! outside_data_root",
                          "line 8! not_found", "line 9! corrupt"));
  EXPECT_EQ(sink_.items[0].bytes, "a.png");
  EXPECT_THAT(sink_.messages.back(), HasSubstr("line 9: not a JSON object"));
  EXPECT_TRUE(absl::IsNotFound(ImportJsonLines(options_, "gone.jsonl", &sink_)));
  EXPECT_TRUE(absl::IsInvalidArgument(ImportJsonLines(options_, "set", &sink_)));
}

// A record of CIFAR: label bytes, then planes of one colour each.
std::string Record(const std::string& labels, char red, char green, char blue) {
  return absl::StrCat(labels, std::string(1024, red), std::string(1024, green),
                      std::string(1024, blue));
}

TEST_F(ImportFormatsTest, ReadsCifarTen) {
  std::string first = Record(std::string(1, '\1'), 10, 20, 30);
  first[2] = 77;  // red of the second pixel
  Put("cifar/batches.meta.txt", "airplane\nautomobile\n\n");
  Put("cifar/data_batch_1.bin", first + Record(std::string(1, '\0'), 1, 2, 3));
  Put("cifar/test_batch.bin", Record(std::string(1, '\2'), 4, 5, 6));
  ASSERT_TRUE(ImportCifarBinary(options_, "cifar", &sink_).ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("cifar/data_batch_1.bin#0: automobile",
                          "cifar/data_batch_1.bin#1: airplane", "cifar/test_batch.bin#0! corrupt"));
  const Image image = DecodeImage(sink_.items[0].bytes, {}).value();
  EXPECT_EQ(image.shape(), (PixelShape{32, 32, 3}));
  EXPECT_THAT(std::vector<int>(image.pixels.begin(), image.pixels.begin() + 6),
              ElementsAre(10, 20, 30, 77, 20, 30));
}

TEST_F(ImportFormatsTest, PutsCifarsTestBatchIntoItsSplit) {
  Put("data_batch_1.bin", Record(std::string(1, '\3'), 10, 20, 30));
  Put("test_batch.bin", Record(std::string(1, '\4'), 4, 5, 6));
  ASSERT_TRUE(ImportCifarBinary(options_, ".", &sink_).ok());
  EXPECT_THAT(sink_.lines, ElementsAre("data_batch_1.bin#0: 3", "test_batch.bin#0: 4 @test"));
  sink_.lines.clear();
  options_.split = Split::kValidation;
  ASSERT_TRUE(ImportCifarBinary(options_, ".", &sink_).ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("data_batch_1.bin#0: 3 @validation", "test_batch.bin#0: 4 @validation"));
}

TEST_F(ImportFormatsTest, TakesTheFineLabelOfCifarHundred) {
  Put("train.bin", Record("\x05\x47", 1, 2, 3) + Record("\x05\x64", 1, 2, 3));
  ASSERT_TRUE(ImportCifarBinary(options_, "train.bin", &sink_).ok());
  EXPECT_THAT(sink_.lines, ElementsAre("train.bin#0: 71", "train.bin#1! corrupt"));
  EXPECT_THAT(sink_.messages[0], HasSubstr("label is 100, expected at most 99"));
}

TEST_F(ImportFormatsTest, RefusesACifarFileOfAnotherSize) {
  const std::string record = Record(std::string(1, '\1'), 1, 2, 3);
  for (const std::string& bytes : {std::string(), record.substr(1, 3000), record + "xyz"}) {
    Put("bad.bin", bytes);
    const absl::Status status = ImportCifarBinary(options_, "bad.bin", &sink_);
    EXPECT_TRUE(absl::IsInvalidArgument(status));
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("has ", bytes.size(), " bytes, expected a multiple")));
  }
  EXPECT_TRUE(sink_.lines.empty());
  EXPECT_TRUE(absl::IsNotFound(ImportCifarBinary(options_, "gone.bin", &sink_)));
  EXPECT_TRUE(absl::IsInvalidArgument(ImportCifarBinary(options_, "../x.bin", &sink_)));
}

TEST_F(ImportFormatsTest, TellsFormatsByNameAndContent) {
  Put("plain/cat/a.png", "x");
  Put("cifar/a.bin", "x");
  Put("web/shard-0.tar", "x");
  for (const char* file : {"a.csv", "b.JSONL", "c.ndjson", "d.bin", "e.tar", "f.zip"}) {
    Put(file, "x");
  }
  const std::pair<const char*, ImportFormat> cases[] = {
      {"plain", ImportFormat::kFolderPerClass}, {"cifar", ImportFormat::kCifarBinary},
      {"web", ImportFormat::kWebDataset},       {"a.csv", ImportFormat::kCsvManifest},
      {"b.JSONL", ImportFormat::kJsonLines},    {"c.ndjson", ImportFormat::kJsonLines},
      {"d.bin", ImportFormat::kCifarBinary},    {"e.tar", ImportFormat::kWebDataset},
  };
  for (const auto& [path, format] : cases) {
    EXPECT_EQ(DetectImportFormat(options_.root, path).value(), format) << path;
  }
  EXPECT_TRUE(absl::IsInvalidArgument(DetectImportFormat(options_.root, "f.zip").status()));
  EXPECT_TRUE(absl::IsNotFound(DetectImportFormat(options_.root, "gone").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DetectImportFormat(options_.root, "..").status()));
}

class ImportFormatsStoreTest : public testing::DatasetStoreTest {};

TEST_F(ImportFormatsStoreTest, KeepsNothingOfAnImportThatFails) {
  ImportPathOptions options;
  options.root = dir_.path();
  const auto store = Make(Task::kSingleLabel);
  ASSERT_TRUE(FileSystem::Real()
                  ->WriteAtomically(dir_.File("1.bin"), Record(std::string(1, '\1'), 1, 2, 3))
                  .ok());
  ASSERT_TRUE(FileSystem::Real()->WriteAtomically(dir_.File("2.bin"), "truncated").ok());
  const auto import = [&] {
    return store->Import("",
                         [&](ImportSink* sink) { return ImportCifarBinary(options, ".", sink); });
  };
  EXPECT_TRUE(absl::IsInvalidArgument(import().status()));
  EXPECT_EQ(store->Revision().value(), 0);
  EXPECT_EQ(store->Statistics().value().total(), 0);
  ASSERT_TRUE(FileSystem::Real()->RemoveAll(dir_.File("2.bin")).ok());
  EXPECT_EQ(import().value().imported, 1);
}

}  // namespace
}  // namespace fovea
