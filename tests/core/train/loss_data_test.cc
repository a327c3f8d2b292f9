// Every loss trains real pictures: the aerial photos of UC Merced, shrunk, as 7 classes and as 17
// labels, where the collection is at hand.
#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/data/csv.h"
#include "core/data/decode.h"
#include "core/data/preprocess.h"
#include "core/model/format.h"
#include "core/train/config.h"
#include "core/train/recipe.h"
#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

constexpr PixelShape kShape = {16, 16, 3};
constexpr int kClasses = 7;
constexpr int kFirstLabel = 3;  // column of labels.csv

std::string Folder() {
  const char* shared = std::getenv("FOVEA_SHARED");
  return JoinPath(shared != nullptr ? shared : FOVEA_SOURCE_DIR "/../shared",
                  "data/ucmerced-multilabel");
}

struct Scenes {
  std::vector<std::string> labels;
  std::vector<Example> train, validation;
};

Example ReadExample(const std::string& file) {
  const auto bytes = FileSystem::Real()->Read(JoinPath(Folder(), file));
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  const auto decoded = DecodeImage(*bytes, {});
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  Example example;
  example.id = file;
  example.image = {kShape.width, kShape.height, kShape.channels,
                   std::vector<uint8_t>(kShape.bytes())};
  EXPECT_TRUE(Preprocess(*decoded, kShape, example.image.pixels.data()).ok());
  return example;
}

// Every second picture of the first classes, or every fifth of all for the labels.
Scenes ReadScenes(bool multi_label) {
  const std::string text = *FileSystem::Real()->Read(JoinPath(Folder(), "labels.csv"));
  CsvReader reader(text);
  CsvRecord heading, record;
  EXPECT_TRUE(*reader.Next(&heading));
  Scenes scenes;
  if (multi_label) {
    for (size_t i = kFirstLabel; i < heading.fields.size(); ++i) {
      scenes.labels.push_back(heading.fields[i].text);
    }
  }
  for (int row = 0; *reader.Next(&record); ++row) {
    if (row % (multi_label ? 5 : 2) != 0) continue;
    const std::string& scene = record.fields[1].text;
    if (!multi_label && (scenes.labels.empty() || scenes.labels.back() != scene)) {
      if (scenes.labels.size() == kClasses) break;
      scenes.labels.push_back(scene);
    }
    Example example = ReadExample(record.fields[0].text);
    if (multi_label) {
      for (size_t i = kFirstLabel; i < record.fields.size(); ++i) {
        example.target.push_back(record.fields[i].text == "1" ? 1.0f : 0.0f);
      }
    } else {
      example.target.assign(kClasses, 0.0f);
      example.target[scenes.labels.size() - 1] = 1;
    }
    (row / 10 % 4 == 3 ? scenes.validation : scenes.train).push_back(std::move(example));
  }
  return scenes;
}

DatasetStatistics StatisticsOf(const Scenes& scenes, Task task) {
  DatasetStatistics data;
  data.task = task;
  data.images = {static_cast<int64_t>(scenes.train.size()),
                 static_cast<int64_t>(scenes.validation.size()), 0};
  for (size_t i = 0; i < scenes.labels.size(); ++i) {
    LabelCounts counts = {scenes.labels[i], {}};
    for (const Example& example : scenes.train) counts.images[0] += example.target[i] == 1;
    for (const Example& example : scenes.validation) counts.images[1] += example.target[i] == 1;
    data.labels.push_back(counts);
  }
  data.width = data.height = {kShape.width, kShape.width, kShape.width};
  data.images_by_channels = {{3, data.total()}};
  return data;
}

// The epochs of a run of a small mlp on the cpu backend.
std::vector<v1::EpochReport> Train(const Scenes& scenes, Task task, const std::string& text) {
  v1::TrainingConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      "mlp { hidden: 32 } batch_size: 32 epochs: 12 adam {} learning_rate: 0.003 "
      "augmentation { pad_and_crop_pixels: 0 } " +
          text,
      &config));
  const auto complete = Complete(config, StatisticsOf(scenes, task), 1);
  EXPECT_TRUE(complete.ok()) << complete.status();
  const auto train = InMemoryDataset::Create(scenes.train);
  const auto validation = InMemoryDataset::Create(scenes.validation);
  const testing::TempDir folder;
  testing::RememberingSink sink;
  Trainer::Options options;
  options.job.set_job_id("job-1");
  options.job.set_model("scenes");
  options.job.set_output_folder(folder.path());
  *options.job.mutable_config() = complete->config;
  options.train = &*train;
  options.validation = &*validation;
  options.labels = scenes.labels;
  options.backend = *FindBackend("cpu");
  options.events = &sink;
  auto trainer = Trainer::Create(std::move(options));
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  const auto result = (*trainer)->Run();
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_TRUE(ReadModel(FileSystem::Real(), result->staged_folder()).ok());
  return sink.Epochs();
}

bool IsAbsent() { return !FileSystem::Real()->Exists(JoinPath(Folder(), "labels.csv")); }

TEST(LossesOnRealPictures, LearnOneLabel) {
  if (IsAbsent()) GTEST_SKIP() << "no " << Folder() << " (set FOVEA_SHARED)";
  const Scenes scenes = ReadScenes(false);
  for (const char* config :
       {"cross_entropy {}", "cross_entropy { clip_epsilon: 1e-6 }", "label_smoothing: 0.1",
        "focal {}", "inverse_frequency {}", "effective_number {}"}) {
    SCOPED_TRACE(config);
    const auto epochs = Train(scenes, Task::kSingleLabel, config);
    EXPECT_LT(epochs.back().train_loss(), 0.8 * epochs.front().train_loss());
    // By chance 1 / 7.
    EXPECT_GT(epochs.back().validation().single_label().accuracy(), 0.4);
  }
}

TEST(LossesOnRealPictures, LearnSeveralLabels) {
  if (IsAbsent()) GTEST_SKIP() << "no " << Folder() << " (set FOVEA_SHARED)";
  const Scenes scenes = ReadScenes(true);
  for (const char* config :
       {"cross_entropy {}", "cross_entropy { clip_epsilon: 1e-6 }", "label_smoothing: 0.1",
        "focal {}", "asymmetric {}", "soft_hamming {}", "squared_error {}", "absolute_error {}",
        "huber {}", "inverse_frequency {}", "multi_label_way: MULTI_LABEL_WAY_BINARY_RELEVANCE",
        "multi_label_way: MULTI_LABEL_WAY_BINARY_RELEVANCE asymmetric {}"}) {
    SCOPED_TRACE(config);
    const auto epochs = Train(scenes, Task::kMultiLabel, config);
    EXPECT_LT(epochs.back().train_loss(), 0.8 * epochs.front().train_loss());
    // By chance the mean share of a label, 0.2. The losses linear in p give up rare labels first.
    EXPECT_GT(epochs.back().validation().multi_label().mean_average_precision(), 0.27);
  }
}

TEST(LossesOnRealPictures, LearnFromTheLabelsThatAreKnown) {
  if (IsAbsent()) GTEST_SKIP() << "no " << Folder() << " (set FOVEA_SHARED)";
  Scenes scenes = ReadScenes(true);
  Random random(5);
  for (std::vector<Example>* examples : {&scenes.train, &scenes.validation}) {
    for (Example& example : *examples) {
      for (float& target : example.target) {
        if (random.Uniform() < 0.4) target = std::numeric_limits<float>::quiet_NaN();
      }
    }
  }
  const auto epochs = Train(scenes, Task::kMultiLabel, "");
  EXPECT_TRUE(std::isfinite(epochs.back().train_loss()));
  EXPECT_GT(epochs.back().validation().multi_label().mean_average_precision(), 0.27);
}

}  // namespace
}  // namespace fovea
