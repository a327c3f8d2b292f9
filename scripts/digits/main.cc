// fovea-digits: cuts the quickstart's two data sets out of OpenCV's digits.png.
//
//   fovea-digits digits.png OUTPUT
//
// digits.png is 2000 x 1000 pixels: 50 rows of 100 cells of 20 x 20, five rows for each digit.
// OUTPUT/digits: the 5,000 cells, 400 of each digit for training and 100 for testing.
// OUTPUT/scenes: 4,000 and 1,000 pictures of 2 x 2 cells with 0 to 4 digits each; scenes for
// training show only training digits, scenes for testing only test digits. Their background has a
// little noise: without it all scenes without digits would be one and the same picture.
// Each has its PNG files and train.csv and test.csv (path,label,label...). The same every time.
#include <array>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <iostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/file_system.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "opencv2/core.hpp"
#include "opencv2/imgcodecs.hpp"

namespace fovea {
namespace {

constexpr int kCell = 20;  // pixels
constexpr int kRows = 50;
constexpr int kColumns = 100;
constexpr int kRowsPerDigit = 5;
constexpr int kTrainPerDigit = 400;
constexpr int kTrainScenes = 4000;
constexpr int kTestScenes = 1000;
constexpr uint64_t kNoiseLevels = 24;  // of 256
constexpr uint64_t kSplitSeed = 1;
constexpr uint64_t kTrainSceneSeed = 2;
constexpr uint64_t kTestSceneSeed = 3;

struct Digit {
  int label = 0;
  cv::Mat pixels;  // uint8 [20, 20]
};

struct Digits {
  std::vector<Digit> train;
  std::vector<Digit> test;
};

// A random order of 0 … n-1 (Fisher and Yates), fixed by the key.
std::vector<int> Shuffled(int n, uint64_t key) {
  std::vector<int> order(static_cast<size_t>(n));
  for (int i = 0; i < n; ++i) order[static_cast<size_t>(i)] = i;
  Random random(key);
  for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random.Below(i)]);
  return order;
}

absl::StatusOr<Digits> Cut(const std::string& path) {
  const cv::Mat sheet = cv::imread(path, cv::IMREAD_GRAYSCALE);
  if (sheet.rows != kRows * kCell || sheet.cols != kColumns * kCell) {
    return absl::InvalidArgumentError(absl::StrFormat("%s: found %d x %d pixels, expected %d x %d",
                                                      path, sheet.cols, sheet.rows,
                                                      kColumns * kCell, kRows * kCell));
  }
  Digits digits;
  for (int label = 0; label < kRows / kRowsPerDigit; ++label) {
    const std::vector<int> order =
        Shuffled(kRowsPerDigit * kColumns, HashKey(kSplitSeed, static_cast<uint64_t>(label)));
    for (size_t i = 0; i < order.size(); ++i) {
      const int row = label * kRowsPerDigit + order[i] / kColumns;
      const int column = order[i] % kColumns;
      const cv::Rect cell(column * kCell, row * kCell, kCell, kCell);
      (i < kTrainPerDigit ? digits.train : digits.test).push_back({label, sheet(cell).clone()});
    }
  }
  return digits;
}

// Writes pictures into one folder and collects their manifest.
class SplitWriter {
 public:
  static absl::StatusOr<SplitWriter> Create(const std::string& folder, const std::string& split) {
    RETURN_IF_ERROR(FileSystem::Real()->MakeDirs(absl::StrCat(folder, "/", split)));
    return SplitWriter(folder, split);
  }

  absl::Status Add(const cv::Mat& pixels, const std::set<int>& labels) {
    const std::string name = absl::StrFormat("%s/%05d.png", split_, count_++);
    if (!cv::imwrite(absl::StrCat(folder_, "/", name), pixels)) {
      return absl::UnknownError(absl::StrCat("cannot write ", folder_, "/", name));
    }
    absl::StrAppend(&manifest_, name);
    for (const int label : labels) absl::StrAppend(&manifest_, ",", label);
    absl::StrAppend(&manifest_, labels.empty() ? ",\n" : "\n");
    return absl::OkStatus();
  }

  absl::Status Finish() const {
    return FileSystem::Real()->WriteAtomically(absl::StrCat(folder_, "/", split_, ".csv"),
                                               absl::string_view(manifest_));
  }

 private:
  SplitWriter(std::string folder, std::string split)
      : folder_(std::move(folder)), split_(std::move(split)) {}

  std::string folder_;
  std::string split_;
  int count_ = 0;
  std::string manifest_;
};

absl::Status WriteDigits(const std::string& folder, const std::string& split,
                         const std::vector<Digit>& digits) {
  ASSIGN_OR_RETURN(SplitWriter writer, SplitWriter::Create(folder, split));
  for (const Digit& digit : digits) RETURN_IF_ERROR(writer.Add(digit.pixels, {digit.label}));
  return writer.Finish();
}

// uint8 [40, 40], uniform in [0, kNoiseLevels).
cv::Mat Noise(Random* random) {
  cv::Mat noise(2 * kCell, 2 * kCell, CV_8UC1);
  for (int y = 0; y < noise.rows; ++y) {
    for (int x = 0; x < noise.cols; ++x) {
      noise.at<uint8_t>(y, x) = static_cast<uint8_t>(random->Below(kNoiseLevels));
    }
  }
  return noise;
}

// 0 to 4 digits, each number as likely, in random cells.
absl::Status WriteScenes(const std::string& folder, const std::string& split,
                         const std::vector<Digit>& digits, int count, uint64_t seed) {
  ASSIGN_OR_RETURN(SplitWriter writer, SplitWriter::Create(folder, split));
  for (int i = 0; i < count; ++i) {
    Random random(HashKey(seed, static_cast<uint64_t>(i)));
    cv::Mat scene = cv::Mat::zeros(2 * kCell, 2 * kCell, CV_8UC1);
    const std::vector<int> cells = Shuffled(4, random.Next());
    const size_t shown = random.Below(5);
    std::set<int> labels;
    for (size_t k = 0; k < shown; ++k) {
      const Digit& digit = digits[random.Below(digits.size())];
      const cv::Rect cell(cells[k] % 2 * kCell, cells[k] / 2 * kCell, kCell, kCell);
      digit.pixels.copyTo(scene(cell));
      labels.insert(digit.label);
    }
    RETURN_IF_ERROR(writer.Add(cv::max(scene, Noise(&random)), labels));
  }
  return writer.Finish();
}

absl::Status Run(const std::string& sheet, const std::string& output) {
  ASSIGN_OR_RETURN(const Digits digits, Cut(sheet));
  RETURN_IF_ERROR(WriteDigits(output + "/digits", "train", digits.train));
  RETURN_IF_ERROR(WriteDigits(output + "/digits", "test", digits.test));
  RETURN_IF_ERROR(
      WriteScenes(output + "/scenes", "train", digits.train, kTrainScenes, kTrainSceneSeed));
  return WriteScenes(output + "/scenes", "test", digits.test, kTestScenes, kTestSceneSeed);
}

}  // namespace
}  // namespace fovea

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: fovea-digits digits.png OUTPUT\n";
    return 1;
  }
  try {
    const absl::Status status = fovea::Run(argv[1], argv[2]);
    if (status.ok()) return 0;
    std::cerr << "fovea-digits: " << status.message() << "\n";
  } catch (const std::exception& error) {
    std::cerr << "fovea-digits: " << error.what() << "\n";
  }
  return 1;
}
