#include "core/data/store_dataset.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/check.h"
#include "core/base/status.h"
#include "core/base/thread_pool.h"
#include "core/data/preprocess.h"

namespace fovea {
namespace {

// The error of the smallest index, so that the answer does not depend on the order of threads.
class FirstError {
 public:
  void Record(int64_t index, const absl::Status& status) {
    if (status.ok()) return;
    absl::MutexLock lock(&mutex_);
    if (status_.ok() || index < index_) {
      status_ = status;
      index_ = index;
    }
  }
  bool seen() const {
    absl::MutexLock lock(&mutex_);
    return !status_.ok();
  }
  absl::Status status() const {
    absl::MutexLock lock(&mutex_);
    return status_;
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  int64_t index_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

StoreDataset::StoreDataset(Options options, std::unique_ptr<DatasetStore> store)
    : options_(std::move(options)), store_(std::move(store)) {}

absl::StatusOr<std::unique_ptr<StoreDataset>> StoreDataset::Open(Options options) {
  CHECK(options.threads >= 1);
  ASSIGN_OR_RETURN(std::unique_ptr<DatasetStore> store,
                   DatasetStore::Open(options.path, DatasetStore::Mode::kReadOnly, {}));
  std::unique_ptr<StoreDataset> dataset(new StoreDataset(std::move(options), std::move(store)));
  RETURN_IF_ERROR(dataset->Load());
  return dataset;
}

absl::Status StoreDataset::Load() {
  ASSIGN_OR_RETURN(const int64_t newest, store_->Revision());
  if (options_.revision > newest) {
    return absl::FailedPreconditionError(absl::StrCat("data set \"", store_->spec().name,
                                                      "\" is at revision ", newest, ", revision ",
                                                      options_.revision, " was asked for"));
  }
  ASSIGN_OR_RETURN(label_names_, store_->Labels(options_.revision));
  ASSIGN_OR_RETURN(rows_, store_->ListImages(options_.split, options_.revision));
  const int64_t example_bytes = static_cast<int64_t>(options_.shape.bytes());
  if (example_bytes > 0) cached_ = std::min(size(), options_.cache_bytes / example_bytes);
  pixels_.resize(static_cast<size_t>(cached_ * example_bytes));

  FirstError error;
  const auto decode = [&](int64_t i) {
    if (error.seen()) return;
    error.Record(i, CheckNotCancelled(options_.cancel));
    error.Record(i, Decode(i, pixels_.data() + i * example_bytes));
  };
  if (options_.threads == 1) {
    for (int64_t i = 0; i < cached_; ++i) decode(i);
  } else {
    ThreadPool pool({.threads = options_.threads - 1, .max_queue = 0, .name = "decode"});
    ParallelFor(&pool, cached_, decode);
  }
  return error.status();
}

absl::Status StoreDataset::Decode(int64_t i, uint8_t* pixels) const {
  const DatasetStore::ImageRow& row = rows_[static_cast<size_t>(i)];
  ASSIGN_OR_RETURN(const std::string bytes, store_->ReadBytes(row.id));
  // Limits are for uploads; what was stored once stays readable under smaller ones.
  const DecodeLimits limits = {static_cast<int64_t>(bytes.size()),
                               int64_t{row.shape.width} * row.shape.height};
  const absl::Status status = PreprocessEncoded(bytes, limits, options_.shape, pixels);
  if (status.ok()) return status;
  return absl::DataLossError(absl::StrCat("stored image \"", row.name, "\" (", row.id,
                                          ") no longer decodes: ", status.message()));
}

absl::Status StoreDataset::Read(int64_t i, uint8_t* pixels, float* target) const {
  CHECK(i >= 0 && i < size());
  const size_t example_bytes = options_.shape.bytes();
  if (i < cached_) {
    std::memcpy(pixels, pixels_.data() + static_cast<size_t>(i) * example_bytes, example_bytes);
  } else {
    RETURN_IF_ERROR(Decode(i, pixels));
  }
  return ReadTarget(i, target);
}

absl::Status StoreDataset::ReadTarget(int64_t i, float* target) const {
  CHECK(i >= 0 && i < size());
  const DatasetStore::ImageRow& row = rows_[static_cast<size_t>(i)];
  switch (store_->spec().task) {
    case Task::kBinary:
      target[0] = row.labels.at(0) == 1 ? 1 : 0;
      break;
    case Task::kRegression:
    case Task::kUnitRegression:
      std::transform(row.targets.begin(), row.targets.end(), target,
                     [](double value) { return static_cast<float>(value); });
      break;
    case Task::kSingleLabel:
    case Task::kMultiLabel:
      std::fill_n(target, label_names_.size(), 0.0f);
      for (const int32_t label : row.labels) target[label] = 1;
      for (const int32_t label : row.unknown) {
        target[label] = std::numeric_limits<float>::quiet_NaN();
      }
      break;
  }
  return absl::OkStatus();
}

std::string StoreDataset::Id(int64_t i) const { return rows_[static_cast<size_t>(i)].name; }

}  // namespace fovea
