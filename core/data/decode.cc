#include "core/data/decode.h"

#include <cstring>
#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/opencv_private.h"
#include "core/data/probe.h"

namespace fovea {
namespace {

absl::StatusOr<ImageInfo> ProbeFormat(ImageFormat format, absl::string_view bytes) {
  switch (format) {
    case ImageFormat::kJpeg:
      return internal::ProbeJpeg(bytes);
    case ImageFormat::kPng:
      return internal::ProbePng(bytes);
    case ImageFormat::kWebp:
      return internal::ProbeWebp(bytes);
    case ImageFormat::kBmp:
      return internal::ProbeBmp(bytes);
  }
  return absl::InternalError("unknown image format");
}

absl::Status CheckComplete(ImageFormat format, absl::string_view bytes) {
  switch (format) {
    case ImageFormat::kJpeg:
      return internal::CheckJpegComplete(bytes);
    case ImageFormat::kPng:
      return internal::CheckPngComplete(bytes);
    case ImageFormat::kWebp:
      return internal::CheckWebpComplete(bytes);
    case ImageFormat::kBmp:
      return internal::CheckBmpComplete(bytes);
  }
  return absl::InternalError("unknown image format");
}

// uint8 BGRA -> BGR over white: c' = (c a + 255 (255 - a)) / 255.
cv::Mat CompositeOverWhite(const cv::Mat& bgra) {
  cv::Mat bgr(bgra.rows, bgra.cols, CV_8UC3);
  for (int y = 0; y < bgra.rows; ++y) {
    const uint8_t* from = bgra.ptr<uint8_t>(y);
    uint8_t* to = bgr.ptr<uint8_t>(y);
    for (int x = 0; x < bgra.cols; ++x, from += 4, to += 3) {
      const int alpha = from[3];
      for (int c = 0; c < 3; ++c) {
        to[c] = static_cast<uint8_t>((from[c] * alpha + 255 * (255 - alpha) + 127) / 255);
      }
    }
  }
  return bgr;
}

// The picture as OpenCV has it, with 8 bits and 1 (grey), or 3 (BGR) channels.
cv::Mat DecodeToBgrOrGrey(const ImageInfo& info, absl::string_view bytes) {
  // IMREAD_UNCHANGED keeps alpha, but ignores the orientation, which pictures with alpha rarely
  // have. IMREAD_ANYDEPTH keeps 16 bits.
  int flags = cv::IMREAD_ANYDEPTH;
  if (info.channels == 3) flags |= cv::IMREAD_COLOR;
  if (info.has_alpha) flags = cv::IMREAD_UNCHANGED;
  const cv::Mat encoded(1, static_cast<int>(bytes.size()), CV_8UC1,
                        const_cast<char*>(bytes.data()));
  cv::Mat decoded = cv::imdecode(encoded, flags);
  if (decoded.empty()) return decoded;
  if (decoded.depth() == CV_16U) decoded.convertTo(decoded, CV_8U, 1.0 / 257.0);
  if (decoded.depth() != CV_8U) return {};
  if (decoded.channels() == 4) return CompositeOverWhite(decoded);
  return decoded;
}

}  // namespace

const char* ImageFormatName(ImageFormat format) {
  switch (format) {
    case ImageFormat::kJpeg:
      return "JPEG";
    case ImageFormat::kPng:
      return "PNG";
    case ImageFormat::kWebp:
      return "WebP";
    case ImageFormat::kBmp:
      return "BMP";
  }
  return "unknown";
}

std::optional<ImageFormat> DetectImageFormat(absl::string_view bytes) {
  if (absl::StartsWith(bytes, "\xff\xd8\xff")) return ImageFormat::kJpeg;
  if (absl::StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return ImageFormat::kPng;
  if (absl::StartsWith(bytes, "RIFF") && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP") {
    return ImageFormat::kWebp;
  }
  if (absl::StartsWith(bytes, "BM")) return ImageFormat::kBmp;
  return std::nullopt;
}

absl::StatusOr<ImageInfo> ProbeImage(absl::string_view bytes) {
  if (bytes.empty()) {
    return absl::InvalidArgumentError("image has 0 bytes, expected JPEG, PNG, WebP or BMP");
  }
  const std::optional<ImageFormat> format = DetectImageFormat(bytes);
  if (!format) {
    return absl::InvalidArgumentError(absl::StrCat("image begins with bytes ",
                                                   absl::BytesToHexString(bytes.substr(0, 8)),
                                                   ", expected JPEG, PNG, WebP or BMP"));
  }
  ASSIGN_OR_RETURN(const ImageInfo info, ProbeFormat(*format, bytes));
  if (info.width < 1 || info.height < 1) {
    return absl::InvalidArgumentError(absl::StrCat(ImageFormatName(*format),
                                                   " is damaged: its size is ", info.width, " x ",
                                                   info.height, ", each side at least 1"));
  }
  return info;
}

absl::Status CheckDecodeLimits(const ImageInfo& info, absl::string_view bytes,
                               const DecodeLimits& limits) {
  if (static_cast<int64_t>(bytes.size()) > limits.max_bytes) {
    return absl::OutOfRangeError(
        absl::StrCat("image has ", bytes.size(), " bytes, at most ", limits.max_bytes, " allowed"));
  }
  const int64_t pixels = int64_t{info.width} * info.height;
  if (pixels > limits.max_pixels) {
    return absl::OutOfRangeError(absl::StrCat("image has ", info.width, " x ", info.height, " = ",
                                              pixels, " pixels, at most ", limits.max_pixels,
                                              " allowed"));
  }
  return absl::OkStatus();
}

namespace internal {

Image ToImage(const cv::Mat& decoded, int channels) {
  cv::Mat converted;
  if (channels == 3) {
    cv::cvtColor(decoded, converted,
                 decoded.channels() == 1 ? cv::COLOR_GRAY2RGB : cv::COLOR_BGR2RGB);
  } else if (decoded.channels() == 3) {
    cv::cvtColor(decoded, converted, cv::COLOR_BGR2GRAY);
  } else {
    converted = decoded;
  }
  Image image{converted.cols, converted.rows, channels, {}};
  const size_t row_bytes = static_cast<size_t>(image.width) * static_cast<size_t>(channels);
  image.pixels.resize(image.shape().bytes());
  for (int y = 0; y < image.height; ++y) {
    std::memcpy(image.pixels.data() + static_cast<size_t>(y) * row_bytes, converted.ptr(y),
                row_bytes);
  }
  return image;
}

absl::StatusOr<DecodedPicture> DecodePicture(absl::string_view bytes, const DecodeLimits& limits) {
  ASSIGN_OR_RETURN(const ImageInfo info, ProbeImage(bytes));
  RETURN_IF_ERROR(CheckDecodeLimits(info, bytes, limits));
  RETURN_IF_ERROR(CheckComplete(info.format, bytes));
  DecodedPicture picture{{}, info.channels};
  RETURN_IF_ERROR(CatchOpenCv("decode image", [&]() -> absl::Status {
    picture.pixels = DecodeToBgrOrGrey(info, bytes);
    if (!picture.pixels.empty()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrCat(ImageFormatName(info.format), " of ", info.width, " x ", info.height,
                     " pixels is corrupt: its header is right but its picture data is not"));
  }));
  return picture;
}

}  // namespace internal

absl::StatusOr<Image> DecodeImage(absl::string_view bytes, const DecodeLimits& limits,
                                  int channels) {
  if (channels != 0 && channels != 1 && channels != 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("asked to decode to ", channels, " channels, expected 0, 1 or 3"));
  }
  ASSIGN_OR_RETURN(const internal::DecodedPicture picture, internal::DecodePicture(bytes, limits));
  Image image;
  RETURN_IF_ERROR(internal::CatchOpenCv("decode image", [&]() -> absl::Status {
    image = internal::ToImage(picture.pixels, channels == 0 ? picture.channels : channels);
    return absl::OkStatus();
  }));
  return image;
}

absl::StatusOr<std::string> EncodePng(const Image& image) {
  if ((image.channels != 1 && image.channels != 3) || image.width < 1 || image.height < 1 ||
      image.pixels.size() != image.shape().bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("cannot encode an image of ",
                                                   image.shape().ToString(), " with ",
                                                   image.pixels.size(), " bytes"));
  }
  std::string png;
  RETURN_IF_ERROR(internal::CatchOpenCv("encode PNG", [&]() -> absl::Status {
    const cv::Mat pixels(image.height, image.width, image.channels == 1 ? CV_8UC1 : CV_8UC3,
                         const_cast<uint8_t*>(image.pixels.data()));
    cv::Mat stored = pixels;
    if (image.channels == 3) {
      stored = cv::Mat();
      cv::cvtColor(pixels, stored, cv::COLOR_RGB2BGR);
    }
    std::vector<uint8_t> bytes;
    if (!cv::imencode(".png", stored, bytes)) return absl::InternalError("cannot encode PNG");
    png.assign(bytes.begin(), bytes.end());
    return absl::OkStatus();
  }));
  return png;
}

}  // namespace fovea
