// Dataset: index -> example. Sampling, batching and augmenting wrap it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/data/image.h"

namespace fovea {

struct Example {
  Image image;
  // [targets]: 1 where the label applies, NaN where that is unknown, else 0. Binary: one, 1 for the
  // positive label. Regression: the numbers.
  std::vector<float> target;
  std::string id;
};

// Examples of one shape, already preprocessed. Implementations are thread-safe and fixed: the same
// index gives the same example for ever.
class Dataset {
 public:
  virtual ~Dataset() = default;
  virtual int64_t size() const = 0;
  virtual PixelShape shape() const = 0;
  // Length of a target: the number of labels, but 1 in a binary task.
  virtual int labels() const = 0;

  // Writes example i, 0 <= i < size(): pixels uint8 [H, W, C] and its target [labels]. Neither
  // allocates when the example is in memory.
  virtual absl::Status Read(int64_t i, uint8_t* pixels, float* target) const = 0;
  // The target of example i alone. The default reads the whole example.
  virtual absl::Status ReadTarget(int64_t i, float* target) const;
  // What error messages and reports call the example.
  virtual std::string Id(int64_t i) const = 0;

  // Example i as a value.
  absl::StatusOr<Example> Get(int64_t i) const;
};

// Examples given by the caller. All images have one shape, all targets one length.
class InMemoryDataset : public Dataset {
 public:
  // InvalidArgument, naming the first example that differs.
  static absl::StatusOr<InMemoryDataset> Create(std::vector<Example> examples);

  int64_t size() const override { return static_cast<int64_t>(examples_.size()); }
  PixelShape shape() const override;
  int labels() const override;
  absl::Status Read(int64_t i, uint8_t* pixels, float* target) const override;
  absl::Status ReadTarget(int64_t i, float* target) const override;
  std::string Id(int64_t i) const override;

 private:
  explicit InMemoryDataset(std::vector<Example> examples) : examples_(std::move(examples)) {}
  std::vector<Example> examples_;
};

}  // namespace fovea
