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

// Layers that the named nets do not have, as text: normalisations, gates, branches, transposed
// convolution, all activations.
inline constexpr char kManyLayers[] =
    "conv 8 pad=1\n"
    "group_norm groups=4\n"
    "gelu\n"
    "residual {\n"
    "  conv 16 stride=2 pad=1 bias\n"
    "  instance_norm\n"
    "  silu\n"
    "  separable 16 pad=1\n"
    "  squeeze_excite reduction=4\n"
    "  batch_norm\n"
    "}\n"
    "prelu\n"
    "concat {\n"
    "  branch {\n"
    "    conv 8 kernel=1\n"
    "    elu\n"
    "  }\n"
    "  branch {\n"
    "    l2_pool kernel=3 stride=1 pad=1\n"
    "    hard_swish\n"
    "  }\n"
    "  branch {\n"
    "  }\n"
    "}\n"
    "local_response_norm alpha=0.5\n"
    "conv_transpose 16 kernel=3 stride=2 pad=1 output_pad=1\n"
    "layer_norm\n"
    "softplus\n"
    "depthwise kernel=3 stride=2 pad=1 bias\n"
    "batch_norm\n"
    "selu\n"
    "average_pool\n"
    "dense 12\n"
    "layer_norm\n"
    "hard_sigmoid\n"
    "prelu\n"
    "leaky_relu\n"
    "tanh\n";

inline NetOptions SmallNet(const std::string& name, int side, int channels = 1) {
  NetOptions options;
  options.name = name;
  if (name == "text") options.text = kManyLayers;
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
