#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/file_system.h"
#include "core/data/import_path.h"
#include "core/data/tar_reader.h"
#include "tests/core/data/recording_sink.h"
#include "tests/testing/temp_dir.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr size_t kBlock = 512;

std::string WithChecksum(std::string header) {
  header.replace(148, 8, 8, ' ');
  int sum = 0;
  for (const char c : header) sum += static_cast<unsigned char>(c);
  header.replace(148, 8, absl::StrFormat("%06o", sum) + std::string("\0 ", 2));
  return header;
}

std::string Header(const std::string& name, const std::string& size, char type = '0',
                   const std::string& prefix = "") {
  std::string header(kBlock, '\0');
  header.replace(0, name.size(), name);
  header.replace(124, size.size(), size);
  header[156] = type;
  header.replace(257, 8,
                 std::string("ustar\0"
                             "00",
                             8));
  header.replace(345, prefix.size(), prefix);
  return WithChecksum(header);
}

std::string Octal(size_t size) { return absl::StrFormat("%011o", size); }

std::string Padded(std::string content) {
  content.resize((content.size() + kBlock - 1) / kBlock * kBlock, '\0');
  return content;
}

std::string Member(const std::string& name, const std::string& content, char type = '0') {
  return Header(name, Octal(content.size()), type) + Padded(content);
}

std::string End() { return std::string(2 * kBlock, '\0'); }

std::string PaxRecord(const std::string& key, const std::string& value) {
  size_t length = key.size() + value.size() + 3;
  while (absl::StrCat(length).size() + key.size() + value.size() + 3 != length) ++length;
  return absl::StrCat(length, " ", key, "=", value, "\n");
}

class TarTest : public ::testing::Test {
 protected:
  TarTest() { options_.root = dir_.path(); }
  void Put(const std::string& name, const std::string& bytes) {
    ASSERT_TRUE(FileSystem::Real()->WriteAtomically(dir_.File(name), bytes).ok());
  }
  absl::Status Import(const std::string& bytes) {
    Put("set.tar", bytes);
    return ImportWebDataset(options_, "set.tar", &sink_);
  }
  // Each member as "name=content", then how it ended.
  std::vector<std::string> Members(const std::string& bytes) {
    Put("set.tar", bytes);
    std::vector<std::string> found;
    const auto tar = TarReader::Open("set.tar", dir_.File("set.tar")).value();
    while (true) {
      const auto member = tar->Next();
      if (!member.ok() || !member->has_value()) {
        found.push_back(member.ok() ? "end" : std::string(member.status().message()));
        return found;
      }
      found.push_back(absl::StrCat((*member)->name, "=", tar->Read().value()));
    }
  }

  testing::TempDir dir_;
  ImportPathOptions options_;
  testing::RecordingSink sink_;
};

TEST_F(TarTest, ReadsNamesAndSizesOfEveryKind) {
  const std::string long_name = std::string(150, 'n') + ".jpg";
  const std::string pax = PaxRecord("path", "p\xc3\xa4x.jpg") + PaxRecord("size", "5");
  std::string base256(12, '\0');
  base256[0] = '\x80';
  base256[11] = 3;
  const std::string tar = Member("plain.jpg", "one") + Member("empty.cls", "") +
                          Header("file.jpg", Octal(3), '0', "deep/folder") + Padded("two") +
                          Member("././@LongLink", long_name + std::string(1, '\0'), 'L') +
                          Member("nnn", "long") + Member("././@PaxHeader", pax, 'x') +
                          Header("px", Octal(0)) + Padded("paxed") + Header("big.jpg", base256) +
                          Padded("256") + Member("block.jpg", std::string(512, 'b')) + End();
  EXPECT_THAT(Members(tar), ElementsAre("plain.jpg=one", "empty.cls=", "deep/folder/file.jpg=two",
                                        long_name + "=long", "p\xc3\xa4x.jpg=paxed", "big.jpg=256",
                                        "block.jpg=" + std::string(512, 'b'), "end"));
}

TEST_F(TarTest, ReadsWhatTarWrites) {
  Put("0001.jpg", "picture");
  Put("0001.cls", "cat\n");
  const std::string long_name = std::string(120, 'x') + ".jpg";
  Put(long_name, "long");
  for (const char* format : {"ustar", "gnu", "pax"}) {
    const std::string command =
        absl::StrCat("cd '", dir_.path(), "' && tar --format=", format, " -cf t.tar 0001.jpg ",
                     "0001.cls ", format == std::string("ustar") ? "" : long_name);
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "no tar on this machine";
    const auto bytes = FileSystem::Real()->Read(dir_.File("t.tar")).value();
    const std::vector<std::string> found = Members(bytes);
    ASSERT_GE(found.size(), 3u) << format;
    EXPECT_EQ(found[0], "0001.jpg=picture");
    EXPECT_EQ(found[1], "0001.cls=cat\n");
    if (format != std::string("ustar")) {
      EXPECT_EQ(found[2], long_name + "=long");
    }
    EXPECT_EQ(found.back(), "end");
  }
}

TEST_F(TarTest, FindsEveryTruncation) {
  const std::string whole = Member("a.jpg", std::string(600, 'a')) + Member("a.cls", "cat");
  for (size_t length = 0; length < whole.size() + kBlock; length += 100) {
    const std::vector<std::string> found = Members((whole + End()).substr(0, length));
    EXPECT_THAT(found.back(), HasSubstr("truncated")) << length;
  }
  EXPECT_EQ(Members(whole + std::string(kBlock, '\0')).back(), "end");
}

TEST_F(TarTest, BelievesNoSize) {
  // More than the file holds, in each of the three ways to say so.
  std::string base256(12, '\0');
  base256[0] = '\x80';
  base256[5] = 1;
  for (const std::string& tar : {Header("a.jpg", "77777777777") + Padded("x") + End(),
                                 Header("a.jpg", base256) + Padded("x") + End(),
                                 Member("h", PaxRecord("size", "99999999999999"), 'x') +
                                     Header("a.jpg", Octal(1)) + Padded("x") + End()}) {
    EXPECT_THAT(Members(tar).back(), HasSubstr("is truncated: "));
  }
  EXPECT_THAT(Members(Header("a.jpg", std::string(12, '\xff')) + End()).back(),
              HasSubstr("bad size"));
  EXPECT_THAT(Members(Header("a.jpg", "9bcdefghijk") + End()).back(), HasSubstr("bad size"));
  EXPECT_THAT(Members(Header("l", Octal(2 << 20), 'L') + std::string(3 << 20, 'x')).back(),
              HasSubstr("extended header of 2097152 bytes"));
  EXPECT_THAT(Members(Member("h", "99 path=a\n", 'x') + End()).back(),
              HasSubstr("bad extended header"));
  EXPECT_THAT(Members(Member("h", PaxRecord("size", "-1"), 'x') + End()).back(),
              HasSubstr("bad size"));
  std::string damaged = Member("a.jpg", "x") + End();
  damaged[3] ^= 1;
  EXPECT_THAT(Members(damaged).back(), HasSubstr("wrong checksum"));
}

// Any byte may be damaged: it ends with an error or the end, and never reads outside.
TEST_F(TarTest, SurvivesDamage) {
  const std::string whole = Member("h", PaxRecord("path", "b.jpg"), 'x') + Member("x", "y") +
                            Member("l", "name", 'L') + Member("b", "z") + End();
  for (size_t at = 0; at < whole.size(); at += 3) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] + 1 + at % 200);
    if (at % kBlock < 148 || at % kBlock > 156) {
      const size_t block = at / kBlock * kBlock;  // so that the checksum is right
      damaged.replace(block, kBlock, WithChecksum(damaged.substr(block, kBlock)));
    }
    EXPECT_FALSE(Members(damaged).empty());
  }
}

TEST_F(TarTest, MakesSamplesOfTheMembersOfAKey) {
  options_.split = Split::kTrain;
  ASSERT_TRUE(
      Import(Member("./", "", '5') + Member("d/0001.jpg", "A") + Member("d/0001.cls", "7\n") +
             Member("d/0002.json", R"({"labels": ["cat", "dog"], "split": "test"})") +
             Member("d/0002.PNG", "B") + Member("d/0003.txt", "cat\n\n dog \n") +
             Member("d/0003.webp", "C") + Member("d/0003.seg.png", "mask") +
             Member("d/0004.jpeg", "D") + Member("README", "text") + Member("d/0005.cls", "7") +
             Member("d/0006.bmp", "E") + Member("d/0006.json", "{") + Member("d/0007.jpg", "F") +
             Member("d/0007.png", "G") + Member("link.jpg", "", '2') + End())
          .ok());
  EXPECT_THAT(sink_.lines,
              ElementsAre("set.tar#d/0001.jpg: 7 @train", "set.tar#d/0002.PNG: cat|dog @test",
                          "set.tar#d/0003.webp: cat|dog @train",
                          "set.tar#d/0004.jpeg: (unlabelled) @train", "set.tar#d/0005! not_found",
                          "set.tar#d/0006.bmp! corrupt", "set.tar#d/0007.jpg! corrupt"));
  EXPECT_EQ(sink_.items[1].bytes, "B");
}

TEST_F(TarTest, RejectsWhatIsTooLargeWithoutReadingIt) {
  options_.limits.max_bytes = 10;
  ASSERT_TRUE(Import(Member("1.jpg", std::string(11, 'x')) + Member("1.cls", "a") +
                     Member("2.jpg", "small") + Member("2.cls", "b") + End())
                  .ok());
  EXPECT_THAT(sink_.lines, ElementsAre("set.tar#1.jpg! oversized", "set.tar#2.jpg: b"));
}

TEST_F(TarTest, ReadsAFolderOfShardsAndFailsAsAWhole) {
  ASSERT_TRUE(FileSystem::Real()->MakeDirs(dir_.File("shards")).ok());
  Put("shards/b.tar", Member("1.jpg", "x") + Member("1.cls", "b") + End());
  Put("shards/a.tar", Member("1.jpg", "x") + Member("1.cls", "a") + End());
  Put("shards/notes.md", "x");
  ASSERT_TRUE(ImportWebDataset(options_, "shards", &sink_).ok());
  EXPECT_THAT(sink_.lines, ElementsAre("shards/a.tar#1.jpg: a", "shards/b.tar#1.jpg: b"));
  Put("shards/c.tar", Member("1.jpg", "x"));
  EXPECT_TRUE(absl::IsInvalidArgument(ImportWebDataset(options_, "shards", &sink_)));
  EXPECT_TRUE(absl::IsInvalidArgument(ImportWebDataset(options_, "../x.tar", &sink_)));
}

}  // namespace
}  // namespace fovea
