// Task and input shape of a configuration.
#include <algorithm>
#include <cmath>
#include <string>

#include "core/train/config_sections.h"

namespace fovea {
namespace {

constexpr int kMaxDefaultSide = 224, kMaxFineSide = 448;
constexpr uint32_t kMaxSide = 1024;

void FillTask(ConfigFill& fill) {
  if (fill.config().task() != v1::TASK_UNSPECIFIED) return;
  fill.config().set_task(ToProto(fill.data().task));
  fill.Chose("task", v1::Task_Name(fill.config().task()), "the data set's task");
}

// An absent side follows from the given one and the pictures' aspect; two absent ones are the
// median, scaled down to kMaxDefaultSide, or kMaxFineSide for fine-grained classes.
void FillSides(ConfigFill& fill) {
  v1::InputShape& input = *fill.config().mutable_input();
  const double width = std::max(fill.data().width.median, 1);
  const double height = std::max(fill.data().height.median, 1);
  const bool fine = fill.config().granularity() == v1::GRANULARITY_FINE;
  const int most = fine ? kMaxFineSide : kMaxDefaultSide;
  double scale = std::min(1.0, most / std::max(width, height));
  std::string reason = "median of the data set's images";
  if (scale < 1) {
    reason += absl::StrCat(", scaled to at most ", most, fine ? " for fine-grained classes" : "");
  }
  if (input.has_width() != input.has_height()) {
    scale = input.has_width() ? input.width() / width : input.height() / height;
    reason = "keeps the aspect of the data set's median image";
  }
  const auto side = [scale](double median) {
    return static_cast<uint32_t>(std::clamp(std::round(median * scale), 1.0, double{kMaxSide}));
  };
  if (!input.has_width()) {
    input.set_width(side(width));
    fill.Chose("input.width", input.width(), reason);
  }
  if (!input.has_height()) {
    input.set_height(side(height));
    fill.Chose("input.height", input.height(), reason);
  }
}

}  // namespace

v1::Task ToProto(Task task) {
  switch (task) {
    case Task::kSingleLabel:
      return v1::TASK_SINGLE_LABEL;
    case Task::kMultiLabel:
      return v1::TASK_MULTI_LABEL;
    case Task::kBinary:
      return v1::TASK_BINARY;
    case Task::kRegression:
      return v1::TASK_REGRESSION;
    case Task::kUnitRegression:
      return v1::TASK_UNIT_REGRESSION;
  }
  return v1::TASK_UNSPECIFIED;
}

void FillInput(ConfigFill& fill) {
  FillTask(fill);
  FillSides(fill);
  v1::InputShape& input = *fill.config().mutable_input();
  if (input.has_channels()) return;
  const auto grey = fill.data().images_by_channels.find(1);
  const bool all_grey =
      grey != fill.data().images_by_channels.end() && grey->second == fill.data().total();
  input.set_channels(all_grey ? 1 : 3);
  fill.Chose(
      "input.channels", input.channels(),
      all_grey ? "every picture of the data set is grey" : "the data set has pictures in colour");
}

void CheckInput(ConfigCheck& check) {
  const v1::Task task = check.config().task();
  const v1::Task expected = ToProto(check.data().task);
  if (task != expected) {
    check.Wrong("task", v1::Task_IsValid(task) ? v1::Task_Name(task) : absl::StrCat(task),
                absl::StrCat(v1::Task_Name(expected), ", the data set's task"));
  }
  const v1::InputShape& input = check.config().input();
  check.Count("input.width", input.width(), 1, kMaxSide);
  check.Count("input.height", input.height(), 1, kMaxSide);
  if (input.channels() != 1 && input.channels() != 3) {
    check.Wrong("input.channels", input.channels(), "1 (grey) or 3 (RGB)");
  }
}

}  // namespace fovea
