// Small nets with seeded data, for tests of whole graphs.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/base/random.h"
#include "core/compile/compile.h"
#include "core/compile/training_graph.h"
#include "core/nets/net.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"

namespace fovea {

#define ASSERT_STATUS_OK(expr)                            \
  do {                                                    \
    const absl::Status status_to_check = (expr);          \
    ASSERT_TRUE(status_to_check.ok()) << status_to_check; \
  } while (false)

inline NetOptions SmallNet(const std::string& name, int side, int channels = 1) {
  NetOptions options;
  options.name = name;
  options.height = options.width = side;
  options.channels = channels;
  options.labels = 3;
  return options;
}

// Random pixels.
inline Tensor RandomPixels(const Type& type, uint64_t seed) {
  Tensor pixels(type);
  Random random(seed);
  for (int64_t i = 0; i < pixels.count(); ++i) {
    pixels.as<uint8_t>()[i] = static_cast<uint8_t>(random.Below(256));
  }
  return pixels;
}

// Gives every state and rank-1 parameter a value that is not its neutral start.
template <typename T>
void Disturb(Weights& weights, uint64_t seed) {
  Random random(seed);
  for (const Value& value : weights.values()) {
    absl::StatusOr<Tensor> tensor = weights.Get(value.name);
    ASSERT_TRUE(tensor.ok()) << tensor.status();
    for (int64_t i = 0; i < tensor->count(); ++i) {
      T& element = tensor->as<T>()[i];
      element = static_cast<T>(element + 0.1 * (random.Uniform() - 0.3));
      if (value.role == Role::kState) element = std::max<T>(element, T(0.2));
    }
    ASSERT_STATUS_OK(weights.Set(value.name, *tensor));
  }
}

}  // namespace fovea
