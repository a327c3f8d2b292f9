#include "server/serving/response_cache.h"

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

constexpr size_t kPlenty = 1 << 20;

ResponseCache::Key Key(const std::string& bytes) {
  return ResponseCache::KeyOf(bytes, std::nullopt);
}

// The row of two outputs that is kept; empty when there is none.
std::vector<float> Row(ResponseCache::Section& section, const ResponseCache::Key& key) {
  std::vector<float> row(2);
  if (!section.Find(key, absl::MakeSpan(row))) row.clear();
  return row;
}

TEST(ResponseCache, FindsWhatItWasGiven) {
  ResponseCache cache(kPlenty);
  ResponseCache::Section section(&cache);
  EXPECT_THAT(Row(section, Key("cat")), ElementsAre());
  section.Insert(Key("cat"), {0.9f, 0.1f});
  section.Insert(Key("dog"), {0.2f, 0.8f});
  EXPECT_THAT(Row(section, Key("cat")), ElementsAre(0.9f, 0.1f));
  EXPECT_THAT(Row(section, Key("dog")), ElementsAre(0.2f, 0.8f));
  EXPECT_THAT(Row(section, Key("cow")), ElementsAre());
}

TEST(ResponseCache, TellsTheSameBytesInAnotherShapeApart) {
  const std::string bytes(6, 'x');
  EXPECT_FALSE(ResponseCache::KeyOf(bytes, PixelShape{2, 3, 1}) ==
               ResponseCache::KeyOf(bytes, PixelShape{3, 2, 1}));
  EXPECT_FALSE(ResponseCache::KeyOf(bytes, PixelShape{2, 1, 3}) == Key(bytes));
  EXPECT_TRUE(ResponseCache::KeyOf(bytes, PixelShape{2, 3, 1}) ==
              ResponseCache::KeyOf(bytes, PixelShape{2, 3, 1}));
}

TEST(ResponseCache, VersionsDoNotShareRows) {
  ResponseCache cache(kPlenty);
  ResponseCache::Section first(&cache), second(&cache);
  first.Insert(Key("cat"), {1, 0});
  EXPECT_THAT(Row(second, Key("cat")), ElementsAre());
  second.Insert(Key("cat"), {0, 1});
  EXPECT_THAT(Row(first, Key("cat")), ElementsAre(1, 0));
}

TEST(ResponseCache, StaysWithinItsBytesAndForgetsWhatWasUsedLongestAgo) {
  constexpr size_t kBytes = 10'000;
  ResponseCache cache(kBytes);
  ResponseCache::Section first(&cache), second(&cache);
  first.Insert(Key("kept"), {1, 0});
  constexpr int kOthers = 200;
  for (int i = 0; i < kOthers; ++i) {
    (i % 2 == 0 ? first : second).Insert(Key(absl::StrCat(i)), {0, 1});
    EXPECT_LE(cache.bytes(), kBytes);
    ASSERT_THAT(Row(first, Key("kept")), ElementsAre(1, 0));
  }
  EXPECT_THAT(Row(first, Key("0")), ElementsAre());
  EXPECT_THAT(Row(second, Key("1")), ElementsAre());
  EXPECT_THAT(Row(first, Key(absl::StrCat(kOthers - 10))), ElementsAre(0, 1));
  EXPECT_THAT(Row(second, Key(absl::StrCat(kOthers - 1))), ElementsAre(0, 1));
}

TEST(ResponseCache, DoesNotKeepARowLargerThanItself) {
  ResponseCache cache(100);
  ResponseCache::Section section(&cache);
  section.Insert(Key("cat"), std::vector<float>(2));
  EXPECT_EQ(cache.bytes(), 0u);
}

TEST(ResponseCache, TheRowsOfAVersionGoWithIt) {
  ResponseCache cache(kPlenty);
  ResponseCache::Section stays(&cache);
  stays.Insert(Key("cat"), {1, 0});
  const size_t bytes = cache.bytes();
  {
    ResponseCache::Section goes(&cache);
    for (int i = 0; i < 1000; ++i) goes.Insert(Key(absl::StrCat(i)), {0, 1});
    EXPECT_GT(cache.bytes(), bytes);
  }
  EXPECT_EQ(cache.bytes(), bytes);
  EXPECT_THAT(Row(stays, Key("cat")), ElementsAre(1, 0));
}

TEST(ResponseCache, ThreadsFindOnlyWholeRows) {
  ResponseCache cache(5'000);  // so that rows go and come
  ResponseCache::Section section(&cache);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 2000; ++i) {
        const float picture = static_cast<float>((i * 7 + t) % 50);
        const ResponseCache::Key key = Key(absl::StrCat(picture));
        if (i % 2 == 0) section.Insert(key, {picture, -picture});
        const std::vector<float> row = Row(section, key);
        if (!row.empty()) {
          EXPECT_THAT(row, ElementsAre(picture, -picture));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.bytes(), 5'000u);
}

}  // namespace
}  // namespace fovea
