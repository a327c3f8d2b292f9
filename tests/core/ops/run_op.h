// Runs one op by its reference on small tensors of doubles, for tests of values.
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/graph/op_def.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {

inline Tensor Doubles(Dims dims, const std::vector<double>& values) {
  Tensor tensor({DType::kF64, dims});
  std::copy(values.begin(), values.end(), tensor.as<double>());
  return tensor;
}

inline Tensor Integer(int64_t value) {
  Tensor tensor({DType::kI64, {1}});
  *tensor.as<int64_t>() = value;
  return tensor;
}

inline std::vector<double> Elements(const Tensor& tensor) {
  return {tensor.as<double>(), tensor.as<double>() + tensor.count()};
}

// Infers the outputs of one op and runs its reference.
inline std::vector<Tensor> RunOp(Attrs attrs, const std::vector<const Tensor*>& inputs,
                                 std::vector<float> constants = {}) {
  const Node node = {"op", attrs, {}, {}, std::move(constants)};
  std::vector<Type> types;
  std::vector<TensorView> in, out;
  for (const Tensor* input : inputs) {
    types.push_back(input->type());
    in.push_back(*input);
  }
  const auto inferred = InferTypes(node, types);
  EXPECT_TRUE(inferred.ok()) << inferred.status();
  std::vector<Tensor> outputs;
  for (const Type& type : *inferred) outputs.emplace_back(type);
  for (const Tensor& output : outputs) out.push_back(output);
  OpOf(attrs).reference(node, in, out);
  return outputs;
}

MATCHER_P(Near, tolerance, "") {
  return std::abs(std::get<0>(arg) - std::get<1>(arg)) <= tolerance;
}

}  // namespace fovea
