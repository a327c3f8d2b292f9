#include "core/data/contact_sheet.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace fovea {
namespace {

// How many pixels of exactly this colour there are.
int64_t Count(const Image& image, const std::vector<uint8_t>& rgb) {
  int64_t count = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) {
    count += std::equal(rgb.begin(), rgb.end(), image.pixels.begin() + static_cast<int64_t>(i));
  }
  return count;
}

int64_t DarkPixels(const Image& image) {
  int64_t count = 0;
  for (size_t i = 0; i < image.pixels.size(); i += 3) count += image.pixels[i] < 128;
  return count;
}

TEST(ContactSheet, ShowsEveryPictureEnlargedInItsPlace) {
  // Two rows of two pictures of 4 x 2, each of one colour.
  ContactSheet sheet = {{4, 2, 3}, {"", ""}, {}};
  const std::vector<std::vector<uint8_t>> colours = {
      {200, 10, 10}, {10, 200, 10}, {10, 10, 200}, {200, 200, 10}};
  for (int r = 0; r < 2; ++r) {
    SheetRow row;
    for (int c = 0; c < 2; ++c) {
      SheetCell cell;
      for (int i = 0; i < 8; ++i) {
        const std::vector<uint8_t>& colour = colours[static_cast<size_t>(2 * r + c)];
        cell.pixels.insert(cell.pixels.end(), colour.begin(), colour.end());
      }
      row.cells.push_back(std::move(cell));
    }
    sheet.rows.push_back(std::move(row));
  }
  const Image image = DrawContactSheet(sheet).value();
  for (const auto& colour : colours) EXPECT_EQ(Count(image, colour), 96 * 48);
  EXPECT_EQ(Count(image, {255, 255, 255}), image.width * image.height - 4 * 96 * 48);
  // The second column lies right of the first, the second row below.
  const auto first = [&](size_t i) {
    for (size_t p = 0; p < image.pixels.size(); p += 3) {
      if (std::equal(colours[i].begin(), colours[i].end(),
                     image.pixels.begin() + static_cast<int64_t>(p))) {
        return p / 3;
      }
    }
    return size_t{0};
  };
  const size_t width = static_cast<size_t>(image.width);
  EXPECT_EQ(first(0) / width, first(1) / width);
  EXPECT_LT(first(0) % width, first(1) % width);
  EXPECT_EQ(first(0) % width, first(2) % width);
  EXPECT_LT(first(0) / width, first(2) / width);
}

TEST(ContactSheet, WritesTitlesHeadingsAndCaptions) {
  ContactSheet sheet = {{96, 96, 1}, {""}, {{{}, {{std::vector<uint8_t>(96 * 96, 255), ""}}}}};
  const Image blank = DrawContactSheet(sheet).value();
  EXPECT_EQ(DarkPixels(blank), 0);
  int64_t before = 0;
  sheet.headings[0] = "original";
  EXPECT_GT(DarkPixels(DrawContactSheet(sheet).value()), before);
  before = DarkPixels(DrawContactSheet(sheet).value());
  sheet.rows[0].title = {"cat", "k\xc3\xa4tzchen", std::string(500, 'w')};
  EXPECT_GT(DarkPixels(DrawContactSheet(sheet).value()), before);
  before = DarkPixels(DrawContactSheet(sheet).value());
  sheet.rows[0].cells[0].caption = "0.7 cat";
  const Image image = DrawContactSheet(sheet).value();
  EXPECT_GT(DarkPixels(image), before);
  EXPECT_GT(image.height, blank.height);
  // More lines than there is room for.
  sheet.rows[0].title.resize(100, "dog");
  EXPECT_EQ(DrawContactSheet(sheet).value().height, image.height);
}

TEST(ContactSheet, ShrinksLargePictures) {
  const ContactSheet sheet = {
      {400, 800, 1}, {""}, {{{}, {{std::vector<uint8_t>(400 * 800, 7), ""}}}}};
  EXPECT_EQ(Count(DrawContactSheet(sheet).value(), {7, 7, 7}), 96 * 192);
}

TEST(ContactSheet, RefusesWhatDoesNotFit) {
  ContactSheet sheet = {{2, 2, 1}, {"a"}, {{{}, {{{1, 2, 3, 4}, ""}}}}};
  EXPECT_TRUE(DrawContactSheet(sheet).ok());
  sheet.rows[0].cells[0].pixels.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(DrawContactSheet(sheet).status()));
  sheet.rows[0].cells.clear();
  EXPECT_TRUE(absl::IsInvalidArgument(DrawContactSheet(sheet).status()));
  sheet.shape.channels = 2;
  EXPECT_TRUE(absl::IsInvalidArgument(DrawContactSheet(sheet).status()));
}

}  // namespace
}  // namespace fovea
