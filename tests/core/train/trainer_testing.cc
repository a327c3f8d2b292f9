#include "tests/core/train/trainer_testing.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <utility>

#include "core/base/random.h"
#include "core/model/format.h"
#include "core/train/config.h"
#include "core/train/recipe.h"

namespace fovea::testing {
namespace {

constexpr int64_t kTrainExamples = 26;

bool Applies(int64_t example, int label, v1::Task task) {
  if (task == v1::TASK_BINARY) return example % 2 == 1;
  return task == v1::TASK_MULTI_LABEL ? (example >> label & 1) != 0 : example % kLabels == label;
}

Example Bar(int64_t i, v1::Task task, Random& random) {
  Example example;
  example.image = {kSide, kSide, 1, std::vector<uint8_t>(kSide * kSide)};
  example.id = std::to_string(i);
  if (IsRegression(task)) {
    const double brightness = random.Uniform();
    for (uint8_t& pixel : example.image.pixels) {
      pixel = static_cast<uint8_t>(brightness * 192 + static_cast<double>(random.Below(64)));
    }
    example.target = {static_cast<float>(brightness), static_cast<float>(1 - brightness)};
    if (task == v1::TASK_REGRESSION) example.target[0] = static_cast<float>(100 + 40 * brightness);
    return example;
  }
  for (uint8_t& pixel : example.image.pixels) pixel = static_cast<uint8_t>(random.Below(64));
  const int outputs = OutputsOf(task, kLabels);
  for (int label = 0; label < outputs; ++label) {
    example.target.push_back(Applies(i, label, task) ? 1.0f : 0.0f);
    if (example.target.back() == 0) continue;
    for (int y = label * 4 + 1; y < label * 4 + 3; ++y) {
      for (int x = 0; x < kSide; ++x) {
        example.image.pixels[y * kSide + x] = static_cast<uint8_t>(160 + random.Below(96));
      }
    }
  }
  return example;
}

// A data set that tells when it is read.
class WatchedDataset : public Dataset {
 public:
  WatchedDataset(const Dataset& dataset, const std::function<void()>& on_read)
      : dataset_(dataset), on_read_(on_read) {}
  int64_t size() const override { return dataset_.size(); }
  PixelShape shape() const override { return dataset_.shape(); }
  int labels() const override { return dataset_.labels(); }
  std::string Id(int64_t i) const override { return dataset_.Id(i); }
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override {
    if (on_read_) on_read_();
    return dataset_.Read(i, pixels, target);
  }

 private:
  const Dataset& dataset_;
  const std::function<void()>& on_read_;
};

std::optional<InMemoryDataset> BarsOrNone(int64_t examples, v1::Task task, uint64_t seed) {
  if (examples == 0) return std::nullopt;
  return Bars(examples, task, seed);
}

}  // namespace

InMemoryDataset Bars(int64_t examples, v1::Task task, uint64_t seed) {
  Random random(seed);
  std::vector<Example> all;
  for (int64_t i = 0; i < examples; ++i) all.push_back(Bar(i, task, random));
  return *InMemoryDataset::Create(std::move(all));
}

std::vector<std::string> BarLabels(v1::Task task) {
  if (task == v1::TASK_BINARY) return {"negative", "positive"};
  if (IsRegression(task)) return {"brightness", "darkness"};
  return {"top", "middle", "bottom"};
}

Task StoredTask(v1::Task task) {
  for (const Task stored : {Task::kSingleLabel, Task::kMultiLabel, Task::kBinary, Task::kRegression,
                            Task::kUnitRegression}) {
    if (ToProto(stored) == task) return stored;
  }
  return Task::kSingleLabel;
}

DatasetStatistics BarsStatistics(v1::Task task, int64_t train, int64_t validation, int64_t test) {
  DatasetStatistics data;
  data.task = StoredTask(task);
  data.images = {train, validation, test};
  for (const std::string& label : BarLabels(task)) data.labels.push_back({label, data.images});
  data.width = data.height = {kSide, kSide, kSide};
  data.images_by_channels = {{1, data.total()}};
  return data;
}

std::vector<double> RememberingSink::Losses() const {
  std::vector<double> losses;
  for (const StepRecord& step : steps) losses.push_back(step.loss);
  return losses;
}

std::vector<v1::EpochReport> RememberingSink::Epochs() const {
  std::vector<v1::EpochReport> epochs;
  for (const v1::JobEvent& event : events) {
    if (event.has_epoch()) epochs.push_back(event.epoch());
  }
  return epochs;
}

std::vector<std::string> RememberingSink::Notes() const {
  std::vector<std::string> notes;
  for (const v1::JobEvent& event : events) {
    if (event.has_note()) notes.push_back(event.note().text());
  }
  return notes;
}

TrainingRun::TrainingRun(const std::string& config, v1::Task task, int64_t validation, int64_t test,
                         const std::string& start)
    : train_(Bars(kTrainExamples, task, 1)),
      validation_(BarsOrNone(validation, task, 2)),
      test_(BarsOrNone(test, task, 3)) {
  v1::TrainingConfig given;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(config, &given)) << config;
  if (given.backend() == v1::BACKEND_UNSPECIFIED) given.set_backend(v1::BACKEND_REFERENCE);
  absl::StatusOr<v1::ModelManifest> manifest;
  if (!start.empty()) {
    manifest = ReadManifest(FileSystem::Real(), start);
    EXPECT_TRUE(manifest.ok()) << manifest.status();
  }
  const auto complete = Complete(given, BarsStatistics(task, kTrainExamples, validation, test), 1,
                                 /*violations=*/nullptr, manifest.ok() ? &*manifest : nullptr);
  EXPECT_TRUE(complete.ok()) << complete.status();
  job.set_job_id("job-1");
  job.set_model("bars");
  job.set_dataset("bars");
  job.set_dataset_revision(1);
  job.set_output_folder(folder());
  job.set_start_folder(start);
  *job.mutable_config() = complete->config;
  job.mutable_choices()->Add(complete->choices.begin(), complete->choices.end());
}

absl::StatusOr<v1::TrainerResult> TrainingRun::Attempt(bool resume, const CancelToken* cancel) {
  job.set_attempt(job.attempt() + 1);
  job.set_resume(resume);
  sink = {};
  sink.on_event = on_event;
  sink.on_step = [this](const StepRecord& record) {
    losses.resize(record.step);  // a new attempt supersedes later steps of the one before
    losses.push_back(record.loss);
    return on_step ? on_step(record) : absl::OkStatus();
  };
  Trainer::Options options;
  options.job = job;
  options.train = &train_;
  std::optional<WatchedDataset> validation;
  if (validation_.has_value()) validation.emplace(*validation_, on_validation);
  options.validation = validation.has_value() ? &*validation : nullptr;
  options.test = test_.has_value() ? &*test_ : nullptr;
  options.labels = BarLabels(job.config().task());
  options.backend = *FindBackend(BackendName(job.config().backend()));
  options.events = &sink;
  options.cancel = cancel;
  options.files = files;
  auto trainer = Trainer::Create(std::move(options));
  if (!trainer.ok()) return trainer.status();
  return (*trainer)->Run();
}

}  // namespace fovea::testing
