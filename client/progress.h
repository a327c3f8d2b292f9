// How progress looks: as one line that is redrawn in place on a terminal, or as plain lines.
//
// Formatting is pure; only StatusLine writes.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace fovea::cli {

// Where a training job stands, gathered from its events.
struct TrainingProgress {
  uint32_t epoch = 0;  // whole epochs done
  uint32_t total_epochs = 0;
  uint64_t step = 0;  // steps done
  uint64_t total_steps = 0;
  std::optional<double> loss;
  // "accuracy" or "hamming_loss" of the last epoch's validation; without one "train_accuracy", of
  // the training images since the progress before.
  std::string measure;
  double measure_value = 0;  // in [0, 1]
  std::optional<double> images_per_second;
  std::optional<absl::Duration> eta;
};

// "epoch  3/20 [====>     ]  45%  loss 0.1234  acc 97.1%  1034 img/s  ETA 0:42", with a bar as wide
// as `columns` allow; never longer than that, whatever the numbers. Least useful parts go first.
std::string FormatTrainingBar(const TrainingProgress& progress, int columns);

// "epoch 3/20  step 1200/2500  loss 0.1234  accuracy 0.9710  images/s 1034.2  eta 42s".
std::string FormatTrainingLine(const TrainingProgress& progress);

// "importing [====>     ]  45%  1800/4000 images".
std::string FormatCountBar(absl::string_view what, uint64_t done, uint64_t total, int columns);

// "[===>   ]", `width` characters inside; share in [0, 1]. Empty when width < 3.
std::string FormatBar(double share, int width);

// "0:42", "12:07", "3:05:00"; rounded to seconds.
std::string FormatClock(absl::Duration duration);

// One line of a terminal that is drawn over and over. Each Draw is a single write that overwrites
// the line before clearing its rest, so that nothing flickers.
class StatusLine {
 public:
  explicit StatusLine(std::ostream* out) : out_(*out) {}
  // Leaves no half-drawn line behind.
  ~StatusLine() { Clear(); }
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;

  void Draw(absl::string_view line);
  // Takes the line away; what is printed next starts in its place.
  void Clear();

 private:
  std::ostream& out_;
  std::string drawn_;
};

}  // namespace fovea::cli
