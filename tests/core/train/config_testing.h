// What the tests of configurations share.
#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <string>

#include "core/data/dataset_types.h"
#include "fovea/v1/training.pb.h"

namespace fovea::testing {

inline v1::TrainingConfig ParseConfig(const std::string& text) {
  v1::TrainingConfig config;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
  return config;
}

// 1,000 grey pictures of 28 x 28 with ten labels: 800 for training, 100 each for the other splits.
inline DatasetStatistics Digits() {
  DatasetStatistics data;
  data.revision = 1;
  for (int i = 0; i < 10; ++i) data.labels.push_back({std::to_string(i), {80, 10, 10}});
  data.images = {800, 100, 100};
  data.width = {28, 28, 28};
  data.height = {28, 28, 28};
  data.images_by_channels = {{1, 1000}};
  return data;
}

}  // namespace fovea::testing
