#include "core/data/preprocess.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/opencv_private.h"

namespace fovea {
namespace {

bool IsValid(const PixelShape& shape) {
  return shape.width > 0 && shape.height > 0 && (shape.channels == 1 || shape.channels == 3);
}

// Areas where a side shrinks, then lines where one grows: INTER_AREA alone would repeat pixels on
// a side that grows, INTER_LINEAR alone would skip pixels on a side that shrinks.
cv::Mat Resize(const cv::Mat& from, int width, int height) {
  cv::Mat result = from;
  const cv::Size small(std::min(from.cols, width), std::min(from.rows, height));
  if (small != result.size()) {
    cv::Mat shrunk;
    cv::resize(result, shrunk, small, 0, 0, cv::INTER_AREA);
    result = shrunk;
  }
  const cv::Size wanted(width, height);
  if (wanted != result.size()) {
    cv::Mat grown;
    cv::resize(result, grown, wanted, 0, 0, cv::INTER_LINEAR);
    result = grown;
  }
  return result;
}

absl::Status CheckShape(const PixelShape& shape) {
  if (IsValid(shape)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("asked for pixels of ", shape.ToString(),
                                                 ", expected at least 1x1 and 1 or 3 channels"));
}

}  // namespace

absl::Status Preprocess(const Image& image, const PixelShape& shape, uint8_t* out) {
  if (!IsValid(image.shape()) || image.pixels.size() != image.shape().bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("image of ", image.shape().ToString(), " has ", image.pixels.size(),
                     " bytes of pixels, expected a size of at least 1x1, 1 or 3 channels and ",
                     "one byte for each"));
  }
  RETURN_IF_ERROR(CheckShape(shape));
  return internal::CatchOpenCv("preprocess image", [&]() -> absl::Status {
    cv::Mat pixels(image.height, image.width, image.channels == 1 ? CV_8UC1 : CV_8UC3,
                   const_cast<uint8_t*>(image.pixels.data()));
    if (image.channels == 3 && shape.channels == 1) {
      cv::Mat grey;
      cv::cvtColor(pixels, grey, cv::COLOR_RGB2GRAY);
      pixels = grey;
    }
    const cv::Mat resized = Resize(pixels, shape.width, shape.height);
    cv::Mat destination(shape.height, shape.width, shape.channels == 1 ? CV_8UC1 : CV_8UC3, out);
    if (resized.channels() == shape.channels) {
      resized.copyTo(destination);
    } else {
      cv::cvtColor(resized, destination, cv::COLOR_GRAY2RGB);
    }
    return absl::OkStatus();
  });
}

absl::Status PreprocessEncoded(absl::string_view bytes, const DecodeLimits& limits,
                               const PixelShape& shape, uint8_t* out) {
  RETURN_IF_ERROR(CheckShape(shape));
  ASSIGN_OR_RETURN(const internal::DecodedPicture picture, internal::DecodePicture(bytes, limits));
  Image image;
  RETURN_IF_ERROR(internal::CatchOpenCv("preprocess image", [&]() -> absl::Status {
    const bool is_colour = picture.channels == 3 && picture.pixels.channels() == 3;
    if (is_colour && shape.channels == 3) {
      // Resizing treats each channel alike, so their order may be changed afterwards.
      cv::Mat destination(shape.height, shape.width, CV_8UC3, out);
      cv::cvtColor(Resize(picture.pixels, shape.width, shape.height), destination,
                   cv::COLOR_BGR2RGB);
    } else {
      image = internal::ToImage(picture.pixels, picture.channels);
    }
    return absl::OkStatus();
  }));
  return image.pixels.empty() ? absl::OkStatus() : Preprocess(image, shape, out);
}

}  // namespace fovea
