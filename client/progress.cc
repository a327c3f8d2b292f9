#include "client/progress.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fovea::cli {
namespace {

constexpr int kLongestBar = 30;

// Joins parts that fit `columns`, dropping from the back, and fills what is left with a bar after
// the first part.
std::string Compose(const std::string& front, double share, const std::vector<std::string>& parts,
                    int columns) {
  const size_t limit = static_cast<size_t>(std::max(columns, 1));
  const std::string percent = absl::StrFormat("%3d%%", static_cast<int>(share * 100));
  std::string back = percent;
  for (const std::string& part : parts) {
    if (front.size() + back.size() + part.size() + 4 > limit) break;
    absl::StrAppend(&back, "  ", part);
  }
  const int room = static_cast<int>(limit) - static_cast<int>(front.size() + back.size()) - 4;
  const std::string bar = FormatBar(share, std::min(room, kLongestBar));
  const std::string line = absl::StrCat(front, " ", bar, bar.empty() ? "" : " ", back);
  return line.substr(0, limit);
}

std::string ShortMeasure(const TrainingProgress& progress) {
  if (progress.measure == "accuracy") {
    return absl::StrFormat("acc %.1f%%", 100 * progress.measure_value);
  }
  if (progress.measure == "train_accuracy") {
    return absl::StrFormat("train acc %.1f%%", 100 * progress.measure_value);
  }
  if (progress.measure == "hamming_loss") {
    return absl::StrFormat("hamming %.4f", progress.measure_value);
  }
  return absl::StrFormat("%s %.4g", progress.measure, progress.measure_value);
}

}  // namespace

std::string FormatBar(double share, int width) {
  if (width < 3) return "";
  const int filled = static_cast<int>(std::clamp(share, 0.0, 1.0) * width);
  std::string bar(static_cast<size_t>(filled), '=');
  if (filled < width) bar += '>';
  bar.resize(static_cast<size_t>(width), ' ');
  return absl::StrCat("[", bar, "]");
}

std::string FormatClock(absl::Duration duration) {
  const int64_t seconds =
      std::max<int64_t>(0, absl::ToInt64Seconds(duration + absl::Milliseconds(500)));
  const int64_t hours = seconds / 3600;
  if (hours > 0) return absl::StrFormat("%d:%02d:%02d", hours, seconds / 60 % 60, seconds % 60);
  return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
}

std::string FormatTrainingBar(const TrainingProgress& progress, int columns) {
  const double share = progress.total_steps == 0 ? 0.0
                                                 : static_cast<double>(progress.step) /
                                                       static_cast<double>(progress.total_steps);
  // Epochs are shown as people count them: the one under way.
  const uint32_t current = std::min(progress.epoch + 1, std::max(progress.total_epochs, 1u));
  const std::string total = absl::StrCat(progress.total_epochs);
  const std::string front =
      absl::StrFormat("epoch %*d/%s", static_cast<int>(total.size()), current, total);
  std::vector<std::string> parts;
  if (progress.loss.has_value()) parts.push_back(absl::StrFormat("loss %.4f", *progress.loss));
  if (!progress.measure.empty()) parts.push_back(ShortMeasure(progress));
  if (progress.images_per_second.has_value()) {
    parts.push_back(absl::StrFormat("%.0f img/s", *progress.images_per_second));
  }
  if (progress.eta.has_value()) parts.push_back(absl::StrCat("ETA ", FormatClock(*progress.eta)));
  return Compose(front, std::clamp(share, 0.0, 1.0), parts, columns);
}

std::string FormatTrainingLine(const TrainingProgress& progress) {
  std::string line = absl::StrFormat("epoch %d/%d  step %d/%d", progress.epoch,
                                     progress.total_epochs, progress.step, progress.total_steps);
  if (progress.loss.has_value()) absl::StrAppendFormat(&line, "  loss %.4f", *progress.loss);
  if (!progress.measure.empty()) {
    absl::StrAppendFormat(&line, "  %s %.4f", progress.measure, progress.measure_value);
  }
  if (progress.images_per_second.has_value()) {
    absl::StrAppendFormat(&line, "  images/s %.1f", *progress.images_per_second);
  }
  if (progress.eta.has_value()) {
    absl::StrAppendFormat(&line, "  eta %ds", absl::ToInt64Seconds(*progress.eta));
  }
  return line;
}

std::string FormatCountBar(absl::string_view what, uint64_t done, uint64_t total, int columns) {
  const double share = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  return Compose(std::string(what), std::clamp(share, 0.0, 1.0),
                 {absl::StrFormat("%d/%d images", done, total)}, columns);
}

void StatusLine::Draw(absl::string_view line) {
  if (line == drawn_) return;
  out_ << absl::StrCat("\r", line, "\x1b[K") << std::flush;
  drawn_ = std::string(line);
}

void StatusLine::Clear() {
  if (drawn_.empty()) return;
  out_ << "\r\x1b[K" << std::flush;
  drawn_.clear();
}

}  // namespace fovea::cli
