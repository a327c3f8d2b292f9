#include "server/services/evaluation.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"
#include "core/data/store_dataset.h"
#include "core/train/config.h"
#include "core/train/evaluate.h"
#include "core/train/recipe.h"
#include "server/rpc/errors.h"
#include "server/services/dataset_convert.h"

namespace fovea {
namespace {

// A data set whose targets are in the order of other labels.
class Relabelled : public Dataset {
 public:
  // index[i] is where label i of `dataset` stands among `labels` ones.
  Relabelled(const Dataset& dataset, std::vector<int> index, int labels)
      : dataset_(dataset), index_(std::move(index)), labels_(labels) {}

  int64_t size() const override { return dataset_.size(); }
  PixelShape shape() const override { return dataset_.shape(); }
  int labels() const override { return labels_; }
  std::string Id(int64_t i) const override { return dataset_.Id(i); }
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override {
    std::vector<float> own(index_.size());
    RETURN_IF_ERROR(dataset_.Read(i, pixels, own.data()));
    std::fill_n(target, labels_, 0.0f);
    for (size_t label = 0; label < index_.size(); ++label) target[index_[label]] = own[label];
    return absl::OkStatus();
  }

 private:
  const Dataset& dataset_;
  const std::vector<int> index_;
  const int labels_;
};

absl::StatusOr<std::vector<int>> IndexLabels(const std::vector<std::string>& found,
                                             const v1::ModelManifest& manifest) {
  std::vector<int> index;
  for (const std::string& label : found) {
    const auto position = std::find(manifest.labels().begin(), manifest.labels().end(), label);
    if (position == manifest.labels().end()) {
      return InvalidField(
          "dataset", absl::StrCat("found label \"", label, "\", expected those of model \"",
                                  manifest.name(), "\": ", absl::StrJoin(manifest.labels(), ", ")));
    }
    index.push_back(static_cast<int>(position - manifest.labels().begin()));
  }
  return index;
}

// Binary: a data set may hold the positive label for the negative one.
class Flipped : public Dataset {
 public:
  explicit Flipped(const Dataset& dataset) : dataset_(dataset) {}
  int64_t size() const override { return dataset_.size(); }
  PixelShape shape() const override { return dataset_.shape(); }
  int labels() const override { return dataset_.labels(); }
  std::string Id(int64_t i) const override { return dataset_.Id(i); }
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override {
    RETURN_IF_ERROR(dataset_.Read(i, pixels, target));
    target[0] = 1 - target[0];
    return absl::OkStatus();
  }

 private:
  const Dataset& dataset_;
};

// The data set as the model sees it: its targets in the order of the model's labels.
absl::StatusOr<std::unique_ptr<Dataset>> AsTheModelSees(const StoreDataset& stored,
                                                        const v1::ModelManifest& manifest) {
  ASSIGN_OR_RETURN(std::vector<int> index, IndexLabels(stored.label_names(), manifest));
  if (manifest.task() == v1::TASK_BINARY && index.front() == 1) {
    return std::make_unique<Flipped>(stored);
  }
  if (manifest.task() == v1::TASK_BINARY)
    return std::make_unique<Relabelled>(stored, std::vector<int>{0}, 1);
  if (IsRegression(manifest.task()) && static_cast<int>(index.size()) != manifest.labels_size()) {
    return InvalidField(
        "dataset", absl::StrCat("found ", index.size(), " targets, expected all of model \"",
                                manifest.name(), "\": ", absl::StrJoin(manifest.labels(), ", ")));
  }
  return std::make_unique<Relabelled>(stored, std::move(index), manifest.labels_size());
}

absl::Status CheckTask(const v1::ModelManifest& manifest, const DatasetSpec& spec) {
  if (manifest.task() == ToProto(spec.task)) return absl::OkStatus();
  return InvalidField("dataset", absl::StrCat("found ", v1::Task_Name(ToProto(spec.task)),
                                              ", expected ", v1::Task_Name(manifest.task()),
                                              ", the task of model \"", manifest.name(), "\""));
}

}  // namespace

absl::StatusOr<v1::Report> EvaluateOn(const ServedVersion& model, const DatasetStore& store,
                                      Split split, int width, const CancelToken& cancel,
                                      Metrics& metrics) {
  const v1::ModelManifest& manifest = model.manifest();
  RETURN_IF_ERROR(CheckTask(manifest, store.spec()));
  StoreDataset::Options source;
  source.path = store.path();
  source.split = split;
  ASSIGN_OR_RETURN(source.revision, store.Revision());
  source.shape = model.shape();
  source.cache_bytes = 0;  // every picture is read once
  source.cancel = &cancel;
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreDataset> stored, StoreDataset::Open(source));
  if (stored->size() == 0) {
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat("data set \"", store.spec().name, "\": found no image in ",
                                       "the ", SplitName(split), " split, expected some")),
                      "EMPTY_SPLIT");
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Dataset> dataset, AsTheModelSees(*stored, manifest));

  const ScopedWidth scoped_width(width);
  ASSIGN_OR_RETURN(const std::unique_ptr<BucketExecutor> executor,
                   BucketExecutor::Create(model.programs()));
  EvaluateOptions options;
  options.task = manifest.task();
  options.labels.assign(manifest.labels().begin(), manifest.labels().end());
  options.decisions.thresholds.assign(manifest.thresholds().begin(), manifest.thresholds().end());
  if (manifest.has_open_set()) options.decisions.open_set = manifest.open_set();
  options.batch = model.programs()->max_batch();
  options.cancel = &cancel;
  ASSIGN_OR_RETURN(v1::Report report, Evaluate(*dataset, options, *model.programs(), *executor));
  report.set_dataset(store.spec().name);
  report.set_dataset_revision(source.revision);
  report.set_split(ToProto(split));
  *report.mutable_choices() = manifest.report().choices();

  metrics.images_evaluated.Add(static_cast<double>(dataset->size()));
  const Program& single = *model.programs()->buckets().front().program;
  metrics.evaluate_flops.Add(single.flops() * static_cast<double>(dataset->size()));
  return report;
}

}  // namespace fovea
