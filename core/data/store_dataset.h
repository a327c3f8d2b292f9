// StoreDataset: one split of a stored data set at a pinned revision, decoded and preprocessed.
//
// Pixels are decoded once, when opened, on several threads, and kept as uint8 within a budget of
// bytes; examples beyond the budget are decoded again at each Read. Thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/base/cancel.h"
#include "core/data/dataset.h"
#include "core/data/dataset_types.h"
#include "core/data/store.h"

namespace fovea {

class StoreDataset : public Dataset {
 public:
  struct Options {
    std::string path;  // of the store's file; opened read-only
    Split split = Split::kTrain;
    int64_t revision = 0;  // pinned
    PixelShape shape;      // what each picture is brought to
    int64_t cache_bytes = int64_t{1} << 30;
    int threads = 1;                      // for decoding at Open
    const CancelToken* cancel = nullptr;  // stops Open
  };

  // Errors: those of DatasetStore, Cancelled, DataLoss naming the image when a stored picture no
  // longer decodes, FailedPrecondition when the revision is newer than the file's.
  static absl::StatusOr<std::unique_ptr<StoreDataset>> Open(Options options);

  int64_t size() const override { return static_cast<int64_t>(rows_.size()); }
  PixelShape shape() const override { return options_.shape; }
  int labels() const override {
    return store_->spec().task == Task::kBinary ? 1 : static_cast<int>(label_names_.size());
  }
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override;
  absl::Status ReadTarget(int64_t i, float* target) const override;
  std::string Id(int64_t i) const override;

  // By label index; binary: negative, positive; regression: the names of the targets.
  const std::vector<std::string>& label_names() const { return label_names_; }
  // How many examples are held in memory: the first ones.
  int64_t cached() const { return cached_; }

 private:
  StoreDataset(Options options, std::unique_ptr<DatasetStore> store);
  absl::Status Load();
  absl::Status Decode(int64_t i, uint8_t* pixels) const;

  Options options_;
  std::unique_ptr<DatasetStore> store_;
  std::vector<std::string> label_names_;
  std::vector<DatasetStore::ImageRow> rows_;
  std::vector<uint8_t> pixels_;  // [cached, H, W, C]
  int64_t cached_ = 0;
};

}  // namespace fovea
