// The only header that sees OpenCV; for the .cc files of this folder.
#pragma once

#include <exception>
#include <opencv2/core.hpp>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "core/data/decode.h"
#include "core/data/image.h"

namespace fovea::internal {

// OpenCV's own threads would compete with ours, and pictures are decoded in parallel anyway.
inline void UseOneOpenCvThread() {
  static const bool once = (cv::setNumThreads(1), true);
  static_cast<void>(once);
}

// Runs `body`, which returns a Status; what OpenCV or the allocator throws becomes one.
template <typename Body>
absl::Status CatchOpenCv(absl::string_view doing, Body body) {
  UseOneOpenCvThread();
  try {
    return body();
  } catch (const cv::Exception& e) {
    if (e.code == cv::Error::StsNoMem) {
      return absl::ResourceExhaustedError(absl::StrCat("cannot ", doing, ": out of memory"));
    }
    return absl::InvalidArgumentError(absl::StrCat("cannot ", doing, ": ", e.err));
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(absl::StrCat("cannot ", doing, ": out of memory"));
  } catch (const std::exception& e) {
    return absl::InternalError(absl::StrCat("cannot ", doing, ": ", e.what()));
  }
}

// What a picture decodes to, before it is converted: the work of DecodeImage but for that.
struct DecodedPicture {
  cv::Mat pixels;    // 8 bits; grey, or BGR
  int channels = 0;  // natural ones, as in ImageInfo; grey pixels may stand for 3
};
absl::StatusOr<DecodedPicture> DecodePicture(absl::string_view bytes, const DecodeLimits& limits);

// RGB, or grey. May throw.
Image ToImage(const cv::Mat& pixels, int channels);

}  // namespace fovea::internal
