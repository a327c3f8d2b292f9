// What the trainer's tests share: a data set that is easy to learn, a sink that remembers, and a
// run from job to result on the reference backend.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/base/file_system.h"
#include "core/data/dataset.h"
#include "core/data/dataset_types.h"
#include "core/train/events.h"
#include "core/train/trainer.h"
#include "tests/testing/temp_dir.h"

namespace fovea::testing {

inline constexpr int kSide = 12;
inline constexpr int kLabels = 3;

// Grey pictures of noise with a bright bar for each label that applies. Single-label: example i has
// label i mod kLabels; multi-label: the bits of i; binary: a bar at the top for odd i. Regression:
// noise as bright as the first target says, the second one says how dark; the first one of
// TASK_REGRESSION is 100 and 40 times that.
InMemoryDataset Bars(int64_t examples, v1::Task task, uint64_t seed);

// The statistics that Complete() needs of such a data set.
DatasetStatistics BarsStatistics(v1::Task task, int64_t train, int64_t validation, int64_t test);

class RememberingSink : public EventSink {
 public:
  absl::Status Started(const v1::TrainerStarted& message) override {
    started = message;
    return absl::OkStatus();
  }
  absl::Status Event(const v1::JobEvent& event) override {
    events.push_back(event);
    return on_event ? on_event(event) : absl::OkStatus();
  }
  absl::Status Step(const StepRecord& record) override {
    steps.push_back(record);
    return on_step ? on_step(record) : absl::OkStatus();
  }

  std::vector<double> Losses() const;
  std::vector<v1::EpochReport> Epochs() const;
  std::vector<std::string> Notes() const;

  v1::TrainerStarted started;
  std::vector<v1::JobEvent> events;
  std::vector<StepRecord> steps;
  std::function<absl::Status(const v1::JobEvent&)> on_event;
  std::function<absl::Status(const StepRecord&)> on_step;
};

// A run in its own folder, which ends with the fixture.
class TrainingRun {
 public:
  // `config` in text form, completed; the reference backend unless it says otherwise. start: the
  // folder of the model that config.fine_tune begins with.
  explicit TrainingRun(const std::string& config, v1::Task task = v1::TASK_SINGLE_LABEL,
                       int64_t validation = 12, int64_t test = 12, const std::string& start = "");

  // One attempt. Losses of the whole run so far are in `losses`, by step.
  absl::StatusOr<v1::TrainerResult> Attempt(bool resume, const CancelToken* cancel = nullptr);

  const std::string& folder() const { return folder_.path(); }

  v1::TrainerJob job;
  RememberingSink sink;  // of the last attempt
  FileSystem* files = FileSystem::Real();
  std::function<absl::Status(const StepRecord&)> on_step;
  std::function<absl::Status(const v1::JobEvent&)> on_event;
  std::function<void()> on_validation;  // at each read of the validation split
  std::vector<double> losses;

 private:
  const TempDir folder_;
  InMemoryDataset train_;
  std::optional<InMemoryDataset> validation_, test_;
};

std::vector<std::string> BarLabels(v1::Task task = v1::TASK_SINGLE_LABEL);

}  // namespace fovea::testing
