#include "core/data/decode.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "absl/strings/match.h"
#include "core/base/random.h"
#include "tests/core/data/pictures.h"

namespace fovea {
namespace {

using testing::CmykJpeg;
using ::testing::ElementsAre;
using testing::Encode;
using ::testing::HasSubstr;
using testing::MakeImage;
using testing::MakePng;

std::string Message(const absl::Status& status) { return std::string(status.message()); }

int LargestDifference(const Image& a, const Image& b) {
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) {
    largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  }
  return largest;
}

TEST(ProbeImage, ReadsTheHeaderOfEveryFormat) {
  const struct {
    std::string extension;
    ImageFormat format;
    int grey_channels;  // WebP and this writer's BMP know no grey
  } cases[] = {{".jpg", ImageFormat::kJpeg, 1},
               {".png", ImageFormat::kPng, 1},
               {".webp", ImageFormat::kWebp, 3}};
  for (const auto& c : cases) {
    const ImageInfo colour = ProbeImage(Encode(MakeImage(31, 17, 3), c.extension)).value();
    EXPECT_EQ(colour.format, c.format);
    EXPECT_EQ(colour.width, 31);
    EXPECT_EQ(colour.height, 17);
    EXPECT_EQ(colour.channels, 3);
    EXPECT_EQ(colour.bit_depth, 8);
    EXPECT_FALSE(colour.has_alpha);
    const ImageInfo grey = ProbeImage(Encode(MakeImage(9, 5, 1), c.extension)).value();
    EXPECT_EQ(grey.channels, c.grey_channels) << c.extension;
  }
  const ImageInfo bmp = ProbeImage(Encode(MakeImage(31, 17, 3), ".bmp")).value();
  EXPECT_EQ(bmp.format, ImageFormat::kBmp);
  EXPECT_EQ(bmp.width, 31);
  EXPECT_EQ(bmp.height, 17);
  EXPECT_EQ(bmp.channels, 3);
}

TEST(ProbeImage, NeedsOnlyTheHeader) {
  const std::string png = MakePng(100000, 90000, 8, 2, "");
  EXPECT_EQ(ProbeImage(absl::string_view(png).substr(0, 40)).value().width, 100000);
}

TEST(ProbeImage, TellsDepthAlphaAndCmyk) {
  EXPECT_EQ(ProbeImage(MakePng(1, 1, 16, 0, "\x12\x34")).value().bit_depth, 16);
  EXPECT_TRUE(ProbeImage(MakePng(1, 1, 8, 4, "ab")).value().has_alpha);
  EXPECT_TRUE(ProbeImage(MakePng(1, 1, 8, 6, "abcd")).value().has_alpha);
  const std::string transparent =
      testing::PngChunk("PLTE", "abc") + testing::PngChunk("tRNS", std::string(1, '\0'));
  EXPECT_TRUE(ProbeImage(MakePng(1, 1, 8, 3, std::string(1, '\0'), transparent)).value().has_alpha);
  const ImageInfo cmyk = ProbeImage(CmykJpeg()).value();
  EXPECT_TRUE(cmyk.is_cmyk);
  EXPECT_EQ(cmyk.channels, 3);
}

TEST(ProbeImage, SaysWhatItFoundAndExpected) {
  EXPECT_THAT(Message(ProbeImage("").status()), HasSubstr("0 bytes"));
  const absl::Status gif = ProbeImage("GIF89a and more").status();
  EXPECT_TRUE(absl::IsInvalidArgument(gif));
  EXPECT_THAT(Message(gif), HasSubstr("47494638"));
  EXPECT_THAT(Message(gif), HasSubstr("expected JPEG, PNG, WebP or BMP"));
  EXPECT_THAT(Message(ProbeImage(MakePng(0, 5, 8, 0, "")).status()), HasSubstr("0 x 5"));
  EXPECT_THAT(Message(ProbeImage(MakePng(1, 1, 7, 0, "a")).status()), HasSubstr("bit depth is 7"));
}

TEST(ProbeImage, RefusesKindsThatAreNotRead) {
  std::string jpeg = Encode(MakeImage(8, 8, 3), ".jpg");
  jpeg[jpeg.find("\xff\xc0") + 4] = 12;  // bits a sample
  EXPECT_TRUE(absl::IsUnimplemented(ProbeImage(jpeg).status()));
  std::string animation("RIFF\x20\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x07\0\0\x07\0\0", 30);
  EXPECT_TRUE(absl::IsUnimplemented(ProbeImage(animation).status()));
}

TEST(DecodeImage, GivesBackLosslessPixels) {
  for (const std::string extension : {".png", ".bmp"}) {
    const Image image = MakeImage(13, 7, 3);
    EXPECT_EQ(DecodeImage(Encode(image, extension), {}).value(), image) << extension;
  }
  const Image grey = MakeImage(13, 7, 1);
  EXPECT_EQ(DecodeImage(Encode(grey, ".png"), {}).value(), grey);
  EXPECT_EQ(DecodeImage(EncodePng(grey).value(), {}).value(), grey);
  EXPECT_EQ(DecodeImage(EncodePng(MakeImage(5, 4, 3)).value(), {}).value(), MakeImage(5, 4, 3));
}

TEST(DecodeImage, ComesCloseForLossyFormats) {
  const Image image = MakeImage(32, 24, 1, 1);
  EXPECT_LE(LargestDifference(DecodeImage(Encode(image, ".jpg"), {}).value(), image), 12);
  const Image webp = DecodeImage(Encode(MakeImage(32, 24, 3), ".webp"), {}).value();
  EXPECT_EQ(webp.shape(), (PixelShape{32, 24, 3}));
}

TEST(DecodeImage, ConvertsBetweenGreyAndColour) {
  const Image grey = MakeImage(4, 3, 1);
  const Image as_colour = DecodeImage(Encode(grey, ".png"), {}, 3).value();
  ASSERT_EQ(as_colour.channels, 3);
  EXPECT_EQ(as_colour.pixels[3], grey.pixels[1]);
  EXPECT_EQ(as_colour.pixels[5], grey.pixels[1]);
  const std::string green = MakePng(1, 1, 8, 2, std::string("\0\xff\0", 3));
  EXPECT_THAT(DecodeImage(green, {}, 1).value().pixels, ElementsAre(150));  // 0.587 x 255
}

TEST(DecodeImage, ScalesSixteenBitsDown) {
  // 0x8081 / 257 = 128.003, 0xffff / 257 = 255, 0x0180 / 257 = 1.494
  const std::string rows("\x80\x81\xff\xff\x01\x80", 6);
  EXPECT_THAT(DecodeImage(MakePng(3, 1, 16, 0, rows), {}).value().pixels, ElementsAre(128, 255, 1));
}

TEST(DecodeImage, ReadsPalettesAndFewBits) {
  EXPECT_THAT(DecodeImage(MakePng(8, 1, 1, 0, "\xa0"), {}).value().pixels,
              ElementsAre(255, 0, 255, 0, 0, 0, 0, 0));
  const std::string palette = testing::PngChunk("PLTE", "abcxyz");
  EXPECT_THAT(DecodeImage(MakePng(2, 1, 8, 3, std::string("\1\0", 2), palette), {}).value().pixels,
              ElementsAre('x', 'y', 'z', 'a', 'b', 'c'));
}

TEST(DecodeImage, CompositesAlphaOverWhite) {
  // Opaque, half, and nothing of RGB (10, 20, 30).
  const std::string rows("\x0a\x14\x1e\xff\x0a\x14\x1e\x80\x0a\x14\x1e\x00", 12);
  EXPECT_THAT(DecodeImage(MakePng(3, 1, 8, 6, rows), {}).value().pixels,
              ElementsAre(10, 20, 30, 132, 137, 142, 255, 255, 255));
  const std::string grey("\x0a\xff\x0a\x00", 4);
  EXPECT_THAT(DecodeImage(MakePng(2, 1, 8, 4, grey), {}).value().pixels, ElementsAre(10, 255));
}

TEST(DecodeImage, ConvertsCmyk) {
  const Image image = DecodeImage(CmykJpeg(), {}).value();
  ASSERT_EQ(image.shape(), (PixelShape{16, 16, 3}));
  EXPECT_NEAR(image.pixels[0], 127, 3);
  EXPECT_NEAR(image.pixels[1], 255, 3);
  EXPECT_NEAR(image.pixels[2], 255, 3);
}

TEST(DecodeImage, ObeysTheExifOrientation) {
  const std::string jpeg = Encode(MakeImage(24, 8, 3), ".jpg");
  EXPECT_EQ(DecodeImage(jpeg, {}).value().width, 24);
  const Image turned = DecodeImage(testing::WithOrientation(jpeg, 6), {}).value();
  EXPECT_EQ(turned.width, 8);
  EXPECT_EQ(turned.height, 24);
}

TEST(DecodeImage, RefusesEveryTruncation) {
  for (const std::string extension : {".jpg", ".png", ".webp", ".bmp"}) {
    const std::string whole = Encode(MakeImage(12, 9, 3), extension);
    ASSERT_TRUE(DecodeImage(whole, {}).ok()) << extension;
    for (size_t size = 0; size < whole.size(); ++size) {
      const absl::Status status =
          DecodeImage(absl::string_view(whole).substr(0, size), {}).status();
      ASSERT_TRUE(absl::IsInvalidArgument(status)) << extension << " of " << size << ": " << status;
    }
  }
}

TEST(DecodeImage, SaysThatAPictureIsTruncated) {
  std::string jpeg = Encode(MakeImage(64, 64, 3), ".jpg");
  jpeg.resize(jpeg.size() / 2);
  EXPECT_THAT(Message(DecodeImage(jpeg, {}).status()), HasSubstr("JPEG is truncated"));
  std::string png = Encode(MakeImage(64, 64, 3), ".png");
  png.resize(png.size() - 12);
  EXPECT_THAT(Message(DecodeImage(png, {}).status()), HasSubstr("PNG is truncated"));
}

TEST(DecodeImage, RefusesADamagedPng) {
  std::string png = Encode(MakeImage(64, 64, 3), ".png");
  png[png.size() / 2] ^= 1;
  EXPECT_THAT(Message(DecodeImage(png, {}).status()), HasSubstr("checksum"));
  // A sound file whose picture data is too short.
  EXPECT_THAT(Message(DecodeImage(MakePng(64, 64, 8, 0, std::string(64, 'x')), {}).status()),
              HasSubstr("corrupt"));
}

TEST(DecodeImage, RefusesBombsBeforeDecoding) {
  const std::string bomb = MakePng(60000, 60000, 8, 2, std::string(60000, '\0'));
  ASSERT_LT(bomb.size(), 10000u);
  const absl::Status status = DecodeImage(bomb, {}).status();
  EXPECT_TRUE(absl::IsOutOfRange(status));
  EXPECT_THAT(Message(status), HasSubstr("60000 x 60000 = 3600000000 pixels, at most 67108864"));
}

TEST(DecodeImage, HoldsTheLimits) {
  const std::string png = Encode(MakeImage(10, 10, 1), ".png");
  EXPECT_TRUE(DecodeImage(png, {.max_bytes = int64_t(png.size()), .max_pixels = 100}).ok());
  EXPECT_TRUE(absl::IsOutOfRange(
      DecodeImage(png, {.max_bytes = int64_t(png.size()) - 1, .max_pixels = 100}).status()));
  EXPECT_TRUE(absl::IsOutOfRange(
      DecodeImage(png, {.max_bytes = int64_t(png.size()), .max_pixels = 99}).status()));
  EXPECT_TRUE(absl::IsInvalidArgument(DecodeImage(png, {}, 2).status()));
}

// Whatever the bytes, the answer is a picture or a Status of a caller's mistake.
TEST(DecodeImage, SurvivesRandomDamage) {
  for (const std::string extension : {".jpg", ".png", ".webp", ".bmp"}) {
    const std::string whole = Encode(MakeImage(12, 9, 3), extension);
    Random random(7);
    for (int trial = 0; trial < 200; ++trial) {
      std::string bytes = whole;
      for (int i = 0; i < 3; ++i) {
        bytes[random.Below(bytes.size())] = static_cast<char>(random.Next());
      }
      const absl::StatusOr<Image> image = DecodeImage(bytes, {.max_pixels = 1 << 16});
      if (image.ok()) {
        EXPECT_EQ(image->pixels.size(), image->shape().bytes());
      } else {
        EXPECT_FALSE(absl::IsInternal(image.status())) << image.status();
      }
    }
  }
}

TEST(EncodePng, RefusesAnImageThatContradictsItself) {
  Image image = MakeImage(4, 4, 3);
  image.pixels.pop_back();
  EXPECT_TRUE(absl::IsInvalidArgument(EncodePng(image).status()));
}

}  // namespace
}  // namespace fovea
