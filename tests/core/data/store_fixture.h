// A data set in a folder of its own, and items to import.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/clock.h"
#include "core/data/decode.h"
#include "core/data/store.h"
#include "tests/testing/temp_dir.h"

namespace fovea::testing {

using Labels = std::vector<std::string>;

// Ten thousand pictures, each different from the others.
inline std::string Png(int seed) {
  return EncodePng({2, 1, 1, {uint8_t(seed % 100), uint8_t(seed / 100)}}).value();
}

inline ImportItem Item(int seed, std::optional<Labels> labels,
                       std::optional<Split> split = std::nullopt) {
  return {absl::StrCat("image", seed), Png(seed), std::move(labels), split};
}

class DatasetStoreTest : public ::testing::Test {
 protected:
  DatasetStoreTest() : path_(dir_.File("set.sqlite")) {}

  std::unique_ptr<DatasetStore> Make(Task task, Labels labels = {},
                                     DatasetStore::Options options = {}) {
    options.clock = &clock_;
    return DatasetStore::Create(path_, {"set", task, std::move(labels), {}}, options).value();
  }
  std::unique_ptr<DatasetStore> Reopen(DatasetStore::Mode mode = DatasetStore::Mode::kReadWrite) {
    return DatasetStore::Open(path_, mode, {}).value();
  }

  TempDir dir_;
  std::string path_;
  ManualClock clock_{absl::FromUnixSeconds(1000)};
};

}  // namespace fovea::testing
