#include "core/data/store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "tests/core/data/pictures.h"
#include "tests/core/data/store_fixture.h"

namespace fovea {
namespace {

using testing::DatasetStoreTest;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::Item;
using testing::Labels;
using testing::MakeImage;
using testing::Png;

TEST_F(DatasetStoreTest, KeepsItsSpec) {
  const DatasetSpec spec = {"set", Task::kMultiLabel, {"b", "a"}, {~uint64_t{0}, 0.5, 0.25, 0.25}};
  ASSERT_TRUE(DatasetStore::Create(path_, spec, {}).ok());
  const auto store = Reopen();
  EXPECT_EQ(store->spec().name, "set");
  EXPECT_EQ(store->spec().task, Task::kMultiLabel);
  EXPECT_THAT(store->spec().labels, ElementsAre("b", "a"));
  EXPECT_EQ(store->spec().split_plan, spec.split_plan);
  EXPECT_EQ(store->Revision().value(), 0);
  EXPECT_THAT(store->Labels(0).value(), ElementsAre("b", "a"));
}

TEST_F(DatasetStoreTest, RefusesASecondFileAndABadSpec) {
  Make(Task::kSingleLabel);
  EXPECT_TRUE(absl::IsAlreadyExists(
      DatasetStore::Create(path_, {"set", Task::kSingleLabel, {}, {}}, {}).status()));
  const DatasetSpec bad[] = {{"Bad/name", Task::kSingleLabel, {}, {}},
                             {"set", Task::kSingleLabel, {"a", "a"}, {}},
                             {"set", Task::kSingleLabel, {""}, {}},
                             {"set", Task::kSingleLabel, {}, {1, 0.5, 0.5, 0.5}},
                             {"set", Task::kSingleLabel, {}, {1, 1.5, -0.5, 0}}};
  for (const DatasetSpec& spec : bad) {
    EXPECT_TRUE(
        absl::IsInvalidArgument(DatasetStore::Create(dir_.File("other"), spec, {}).status()));
    EXPECT_FALSE(FileSystem::Real()->Exists(dir_.File("other")));
  }
}

TEST_F(DatasetStoreTest, KeepsGoodItemsAndNamesBadOnes) {
  const auto store = Make(Task::kSingleLabel, {"cat", "dog"}, {.limits = {.max_pixels = 100}});
  const std::string whole = Png(1);
  const ImportItem items[] = {Item(1, Labels{"cat"}),
                              {"cut", whole.substr(0, whole.size() - 5), Labels{"cat"}, {}},
                              {"none", "", Labels{"cat"}, {}},
                              {"again", whole, Labels{"dog"}, {}},
                              {"bare", Png(2), std::nullopt, {}},
                              {"large", EncodePng(MakeImage(11, 10, 1)).value(), Labels{"cat"}, {}},
                              {"text", "hello, world", Labels{"cat"}, {}},
                              {"bird", Png(3), Labels{"bird"}, {}},
                              {"two", Png(4), Labels{"cat", "dog"}, {}},
                              {"zero", Png(5), Labels{}, {}},
                              {"empty", Png(6), Labels{""}, {}},
                              Item(7, Labels{"dog"})};
  const ImportSummary summary = store->Import("", items).value();
  EXPECT_EQ(summary.revision, 1);
  EXPECT_EQ(summary.received, 12);
  EXPECT_EQ(summary.imported, 2);
  EXPECT_EQ(summary.rejected, 10);
  std::vector<std::pair<int64_t, ImportFault>> faults;
  for (const ImportError& error : summary.errors) faults.emplace_back(error.index, error.fault);
  EXPECT_THAT(
      faults,
      ElementsAre(std::pair(1, ImportFault::kCorrupt), std::pair(2, ImportFault::kCorrupt),
                  std::pair(3, ImportFault::kDuplicate), std::pair(4, ImportFault::kUnlabelled),
                  std::pair(5, ImportFault::kOversized), std::pair(6, ImportFault::kUnsupported),
                  std::pair(7, ImportFault::kBadLabel), std::pair(8, ImportFault::kLabelCount),
                  std::pair(9, ImportFault::kLabelCount), std::pair(10, ImportFault::kBadLabel)));
  EXPECT_EQ(summary.errors[2].name, "again");
  EXPECT_THAT(summary.errors[2].message, HasSubstr("\"image1\" of this import"));
  EXPECT_THAT(summary.errors[4].message, HasSubstr("11 x 10 = 110 pixels, at most 100"));
  EXPECT_EQ(store->Statistics().value().total(), 2);
}

TEST_F(DatasetStoreTest, FindsTheSamePixelsInAnotherFormat) {
  const auto store = Make(Task::kSingleLabel);
  const Image image = MakeImage(5, 4, 3);
  const ImportItem first[] = {{"a.png", testing::Encode(image, ".png"), Labels{"x"}, {}}};
  const ImportItem second[] = {{"a.bmp", testing::Encode(image, ".bmp"), Labels{"x"}, {}}};
  EXPECT_EQ(store->Import("", first).value().imported, 1);
  const ImportSummary summary = store->Import("", second).value();
  EXPECT_EQ(summary.errors.at(0).fault, ImportFault::kDuplicate);
  EXPECT_THAT(summary.errors[0].message, HasSubstr("\"a.png\" in the data set"));
  EXPECT_EQ(summary.revision, 1) << "nothing was added";
}

TEST_F(DatasetStoreTest, TellsUnlabelledFromLabelledWithNone) {
  const auto store = Make(Task::kMultiLabel);
  const ImportItem items[] = {Item(1, Labels{}), Item(2, std::nullopt),
                              Item(3, Labels{"b", "a", "b"})};
  const ImportSummary summary = store->Import("", items).value();
  EXPECT_EQ(summary.imported, 2);
  EXPECT_EQ(summary.errors.at(0).fault, ImportFault::kUnlabelled);
  EXPECT_THAT(store->Labels(1).value(), ElementsAre("b", "a"));
  const DatasetStatistics statistics = store->Statistics().value();
  EXPECT_EQ(statistics.unmarked, 1);
  EXPECT_EQ(statistics.labels.at(0).total(), 1);
}

TEST_F(DatasetStoreTest, AnswersARetryWithTheFirstSummary) {
  const auto store = Make(Task::kSingleLabel);
  const ImportItem items[] = {Item(1, Labels{"x"}), {"bad", "?", Labels{"x"}, {}}};
  const ImportSummary first = store->Import("request", items).value();
  EXPECT_EQ(store->Import("request", items).value(), first);
  EXPECT_EQ(Reopen()->Import("request", items).value(), first);
  EXPECT_EQ(store->FindImport("request").value(), first);
  EXPECT_EQ(store->FindImport("other").value(), std::nullopt);
  EXPECT_TRUE(absl::IsAlreadyExists(store->BeginImport("request").status()));
  EXPECT_EQ(store->Import("", items).value().rejected, 2) << "without an id it is a new import";
  EXPECT_TRUE(absl::IsInvalidArgument(store->BeginImport(std::string(129, 'x')).status()));
}

TEST_F(DatasetStoreTest, ShowsNothingOfAnImportBeforeItsCommit) {
  const auto store = Make(Task::kSingleLabel);
  {
    const auto session = store->BeginImport("a").value();
    ASSERT_TRUE(session->Add(Item(1, Labels{"x"})).ok());
    EXPECT_EQ(store->Statistics().value().total(), 0);
    EXPECT_TRUE(absl::IsUnavailable(store->BeginImport("b").status())) << "one import at a time";
  }
  EXPECT_EQ(Reopen()->Statistics().value().total(), 0);
  EXPECT_EQ(store->FindImport("a").value(), std::nullopt);
  EXPECT_THAT(store->Labels(1).value(), IsEmpty());

  const auto session = store->BeginImport("a").value();
  ASSERT_TRUE(session->Add(Item(1, Labels{"x"})).ok());
  EXPECT_EQ(session->Commit().value().revision, 1);
  EXPECT_EQ(store->Statistics().value().total(), 1);
  EXPECT_TRUE(absl::IsFailedPrecondition(session->Commit().status()));
}

TEST_F(DatasetStoreTest, RollsBackWhenTheSourceFails) {
  const auto store = Make(Task::kSingleLabel);
  const auto status = store->Import("a", [](ImportSink* sink) {
    EXPECT_TRUE(sink->Add(Item(1, Labels{"x"})).ok());
    return absl::CancelledError("gone");
  });
  EXPECT_TRUE(absl::IsCancelled(status.status()));
  EXPECT_EQ(store->Statistics().value().total(), 0);
}

TEST_F(DatasetStoreTest, ShowsAPinnedRevisionAsItWas) {
  const auto store = Make(Task::kSingleLabel);
  const ImportItem first[] = {Item(1, Labels{"x"}, Split::kTrain)};
  const ImportItem second[] = {Item(2, Labels{"y"}, Split::kTrain)};
  ASSERT_TRUE(store->Import("", first).ok());
  ASSERT_TRUE(store->Import("", second).ok());
  EXPECT_THAT(store->Labels(1).value(), ElementsAre("x"));
  EXPECT_THAT(store->Labels(2).value(), ElementsAre("x", "y"));
  EXPECT_EQ(store->ListImages(Split::kTrain, 1).value().size(), 1u);
  const auto rows = store->ListImages(Split::kTrain, 2).value();
  ASSERT_EQ(rows.size(), 2u);
  EXPECT_EQ(rows[1].name, "image2");
  EXPECT_THAT(rows[1].labels, ElementsAre(1));
  EXPECT_EQ(rows[1].shape, (PixelShape{2, 1, 1}));
  EXPECT_EQ(store->ReadBytes(rows[1].id).value(), Png(2));
  EXPECT_EQ(store->Statistics(1).value().total(), 1);
  EXPECT_TRUE(absl::IsNotFound(store->ReadBytes(99).status()));
}

TEST_F(DatasetStoreTest, DividesByThePlanWhateverTheOrder) {
  const auto names_of_test_split = [&](bool backwards) {
    const auto store = Make(Task::kSingleLabel);
    std::vector<ImportItem> items;
    for (int i = 0; i < 60; ++i) items.push_back(Item(i, Labels{i % 2 ? "odd" : "even"}));
    if (backwards) std::reverse(items.begin(), items.end());
    EXPECT_TRUE(store->Import("", items).ok());
    const DatasetStatistics statistics = store->Statistics().value();
    EXPECT_EQ(statistics.images, (SplitCounts{48, 6, 6}));
    EXPECT_EQ(statistics.labels.at(0).images, (SplitCounts{24, 3, 3}));
    std::set<std::string> names;
    const auto rows = store->ListImages(Split::kTest, 1).value();
    for (const auto& row : rows) names.insert(row.name);
    EXPECT_TRUE(RemoveDatasetFile(path_).ok());
    return names;
  };
  EXPECT_EQ(names_of_test_split(false), names_of_test_split(true));
}

TEST_F(DatasetStoreTest, LeavesTheSplitOfEarlierImagesAlone) {
  const auto store = Make(Task::kSingleLabel);
  const auto splits = [&](int64_t revision) {
    std::set<std::pair<int, std::string>> all;
    for (int s = 0; s < kSplitCount; ++s) {
      const auto rows = store->ListImages(static_cast<Split>(s), revision).value();
      for (const auto& row : rows) all.emplace(s, row.name);
    }
    return all;
  };
  std::vector<ImportItem> first, second;
  for (int i = 0; i < 20; ++i) first.push_back(Item(i, Labels{"x"}));
  for (int i = 20; i < 40; ++i) second.push_back(Item(i, Labels{"x"}));
  ASSERT_TRUE(store->Import("", first).ok());
  const auto before = splits(1);
  ASSERT_TRUE(store->Import("", second).ok());
  EXPECT_EQ(splits(1), before);
  EXPECT_EQ(store->Statistics().value().images, (SplitCounts{32, 4, 4}));
}

TEST_F(DatasetStoreTest, CountsWhatItHolds) {
  const auto store = Make(Task::kMultiLabel);
  clock_.Advance(absl::Seconds(5));
  const auto picture = [](int width, int height, int channels, Labels labels, Split split) {
    return ImportItem{"", EncodePng(MakeImage(width, height, channels)).value(), labels, split};
  };
  const ImportItem items[] = {
      picture(10, 1, 1, {"a"}, Split::kTrain), picture(20, 2, 3, {"a", "b"}, Split::kTrain),
      picture(30, 3, 3, {"a"}, Split::kTest), picture(40, 4, 3, {"b", "a"}, Split::kValidation)};
  ASSERT_TRUE(store->Import("", items).ok());
  const DatasetStatistics statistics = store->Statistics().value();
  EXPECT_EQ(statistics.name, "set");
  EXPECT_EQ(statistics.images, (SplitCounts{2, 1, 1}));
  ASSERT_EQ(statistics.labels.size(), 2u);
  EXPECT_EQ(statistics.labels[0].label, "a");
  EXPECT_EQ(statistics.labels[0].images, (SplitCounts{2, 1, 1}));
  EXPECT_EQ(statistics.labels[1].images, (SplitCounts{1, 1, 0}));
  EXPECT_EQ(statistics.width.min, 10);
  EXPECT_EQ(statistics.width.median, 20);
  EXPECT_EQ(statistics.width.max, 40);
  EXPECT_EQ(statistics.height.median, 2);
  EXPECT_THAT(statistics.images_by_channels, ElementsAre(std::pair(1, 1), std::pair(3, 3)));
  EXPECT_EQ(statistics.imbalance_ratio, 2.0);
  int64_t bytes = 0;
  for (const ImportItem& item : items) bytes += static_cast<int64_t>(item.bytes.size());
  EXPECT_EQ(statistics.bytes, bytes);
  EXPECT_EQ(statistics.created, absl::FromUnixSeconds(1000));
  EXPECT_EQ(statistics.updated, absl::FromUnixSeconds(1005));
}

TEST_F(DatasetStoreTest, CountsNothingWhenEmpty) {
  const DatasetStatistics statistics = Make(Task::kSingleLabel, {"a", "b"})->Statistics().value();
  EXPECT_EQ(statistics.total(), 0);
  EXPECT_EQ(statistics.width.max, 0);
  EXPECT_EQ(statistics.imbalance_ratio, std::nullopt);
  EXPECT_EQ(statistics.updated, statistics.created);
}

TEST_F(DatasetStoreTest, KeepsOnlyTheFirstErrors) {
  const auto store = Make(Task::kSingleLabel);
  const ImportSummary summary =
      store
          ->Import("",
                   [](ImportSink* sink) {
                     for (int i = 0; i < 1005; ++i) {
                       EXPECT_TRUE(
                           sink->Reject(absl::StrCat(i), ImportFault::kNotFound, "no file").ok());
                     }
                     return absl::OkStatus();
                   })
          .value();
  EXPECT_EQ(summary.rejected, 1005);
  EXPECT_EQ(summary.errors.size(), kMaxImportErrors);
  EXPECT_EQ(summary.errors.back().index, 999);
}

TEST_F(DatasetStoreTest, RefusesToImportWhenReadOnly) {
  Make(Task::kSingleLabel);
  const auto store = Reopen(DatasetStore::Mode::kReadOnly);
  EXPECT_TRUE(absl::IsFailedPrecondition(store->BeginImport("").status()));
}

TEST_F(DatasetStoreTest, IsSeenByAReaderWhileItIsWritten) {
  const auto store = Make(Task::kSingleLabel);
  const auto reader = Reopen(DatasetStore::Mode::kReadOnly);
  const ImportItem items[] = {Item(1, Labels{"x"})};
  ASSERT_TRUE(store->Import("", items).ok());
  EXPECT_EQ(reader->Revision().value(), 1);
}

TEST_F(DatasetStoreTest, DisappearsWithAllItsFiles) {
  Make(Task::kSingleLabel);
  ASSERT_TRUE(RemoveDatasetFile(path_).ok());
  EXPECT_THAT(FileSystem::Real()->List(dir_.path()).value(), IsEmpty());
  EXPECT_TRUE(absl::IsNotFound(RemoveDatasetFile(path_)));
}

}  // namespace
}  // namespace fovea
