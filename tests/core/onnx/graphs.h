// Graphs with values for the tests of core/onnx.
#pragma once

#include <map>
#include <string>

#include "core/graph/graph.h"
#include "core/nets/initialize.h"
#include "core/nets/net.h"
#include "core/tensor/tensor.h"
#include "gtest/gtest.h"

namespace fovea::testing {

inline Net BuildOrDie(const std::string& name, int side, int channels, int labels,
                      float dropout = 0) {
  NetOptions options;
  options.name = name;
  options.height = options.width = side;
  options.channels = channels;
  options.labels = labels;
  options.dropout = dropout;
  auto net = BuildNet(options, 1);
  EXPECT_TRUE(net.ok()) << net.status();
  return *std::move(net);
}

// Distinct numbers for every parameter and state.
inline std::map<std::string, Tensor> SomeValues(const Graph& graph) {
  std::map<std::string, Tensor> values;
  float next = 0.5f;
  for (Role role : {Role::kParameter, Role::kState}) {
    for (ValueId id : graph.ValuesOf(role)) {
      Tensor tensor(graph.type(id));
      for (int64_t i = 0; i < tensor.count(); ++i) tensor.as<float>()[i] = next += 0.001f;
      values.emplace(graph.value(id).name, std::move(tensor));
    }
  }
  return values;
}

}  // namespace fovea::testing
