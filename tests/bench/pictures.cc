#include "tests/bench/pictures.h"

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>
#include <vector>

#include "absl/status/status.h"
#include "tests/bench/or_die.h"

namespace fovea::bench {
namespace {

constexpr int kQuality = 90, kShapes = 24;

}  // namespace

std::string MakeJpeg(int side, uint64_t seed) {
  cv::RNG random(seed);
  cv::Mat coarse(5, 5, CV_8UC3), picture, noise(side, side, CV_8UC3);
  random.fill(coarse, cv::RNG::UNIFORM, 0, 256);
  cv::resize(coarse, picture, {side, side}, 0, 0, cv::INTER_CUBIC);
  for (int i = 0; i < kShapes; ++i) {
    const cv::Point center(random.uniform(0, side), random.uniform(0, side));
    const cv::Scalar color(random.uniform(0, 256), random.uniform(0, 256), random.uniform(0, 256));
    cv::circle(picture, center, random.uniform(side / 40, side / 6), color,
               i % 3 == 0 ? 2 : cv::FILLED, cv::LINE_AA);
  }
  random.fill(noise, cv::RNG::UNIFORM, 0, 24);
  picture += noise;
  std::vector<uchar> bytes;
  if (!cv::imencode(".jpg", picture, bytes, {cv::IMWRITE_JPEG_QUALITY, kQuality})) {
    OrDie(absl::InternalError("no JPEG was made"));
  }
  return {bytes.begin(), bytes.end()};
}

}  // namespace fovea::bench
