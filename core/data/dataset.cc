#include "core/data/dataset.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/status.h"

namespace fovea {

absl::StatusOr<Example> Dataset::Get(int64_t i) const {
  if (i < 0 || i >= size()) {
    return absl::OutOfRangeError(
        absl::StrCat("example ", i, " of a data set of ", size(), " examples"));
  }
  Example example;
  example.image.width = shape().width;
  example.image.height = shape().height;
  example.image.channels = shape().channels;
  example.image.pixels.resize(shape().bytes());
  example.target.resize(static_cast<size_t>(labels()));
  RETURN_IF_ERROR(Read(i, example.image.pixels.data(), example.target.data()));
  example.id = Id(i);
  return example;
}

absl::Status Dataset::ReadTarget(int64_t i, float* target) const {
  std::vector<uint8_t> pixels(shape().bytes());
  return Read(i, pixels.data(), target);
}

absl::StatusOr<InMemoryDataset> InMemoryDataset::Create(std::vector<Example> examples) {
  for (size_t i = 0; i < examples.size(); ++i) {
    const Example& example = examples[i];
    const PixelShape expected = examples[0].image.shape();
    if (example.image.shape() != expected || example.image.pixels.size() != expected.bytes()) {
      return absl::InvalidArgumentError(
          absl::StrCat("example ", i, " \"", example.id, "\" is ", example.image.shape().ToString(),
                       " with ", example.image.pixels.size(), " bytes, expected ",
                       expected.ToString(), " with ", expected.bytes()));
    }
    if (example.target.size() != examples[0].target.size()) {
      return absl::InvalidArgumentError(
          absl::StrCat("example ", i, " \"", example.id, "\" has a target of ",
                       example.target.size(), " labels, expected ", examples[0].target.size()));
    }
  }
  return InMemoryDataset(std::move(examples));
}

PixelShape InMemoryDataset::shape() const {
  return examples_.empty() ? PixelShape{} : examples_[0].image.shape();
}

int InMemoryDataset::labels() const {
  return examples_.empty() ? 0 : static_cast<int>(examples_[0].target.size());
}

absl::Status InMemoryDataset::Read(int64_t i, uint8_t* pixels, float* target) const {
  CHECK(i >= 0 && i < size());
  const Example& example = examples_[static_cast<size_t>(i)];
  std::copy(example.image.pixels.begin(), example.image.pixels.end(), pixels);
  return ReadTarget(i, target);
}

absl::Status InMemoryDataset::ReadTarget(int64_t i, float* target) const {
  CHECK(i >= 0 && i < size());
  const Example& example = examples_[static_cast<size_t>(i)];
  std::copy(example.target.begin(), example.target.end(), target);
  return absl::OkStatus();
}

std::string InMemoryDataset::Id(int64_t i) const { return examples_[static_cast<size_t>(i)].id; }

}  // namespace fovea
