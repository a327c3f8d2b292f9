// Cases of integers of 8 bits.
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/testing/op_cases.h"

namespace fovea {
namespace {

// Of a quantised result, which float and double may round to neighbouring integers: one step and
// not two, where the largest result is nearly or fully saturated.
double OneStep(DType dtype) { return dtype == DType::kU8 ? 1.01 / 200 : 1.01 / 100; }

// Scales as among a product's constants; y's is such that some results are saturated.
std::vector<float> Scales(DType y, float y_scale, int64_t outputs) {
  std::vector<float> scales = {y == DType::kF32 ? 1 : y_scale, 0.02f, 0.015f};
  for (int64_t o = 0; o < outputs; ++o) {
    scales.push_back(0.004f + 0.0005f * static_cast<float>(o % 7));
  }
  return scales;
}

struct ProductCase {
  std::string name;
  DType x = DType::kU8;
  DType y = DType::kU8;
  ActivationSpec activation = {};
  bool has_bias = true;
  bool has_residual = false;
  DType residual = DType::kU8;
};

InputSpec Integers(const Dims& dims, DType dtype) {
  return {dims, dtype == DType::kU8 ? InputKind::kPixels : InputKind::kSignedByte};
}

// The inputs behind x and w.
void AddRest(const ProductCase& product, const Dims& y, OpCase& result) {
  if (product.has_bias) {
    result.inputs.push_back({{y[1]}, InputKind::kUniform, Role::kParameter, 4000});
  }
  if (product.has_residual) {
    result.inputs.push_back(product.y == DType::kF32 ? InputSpec{y}
                                                     : Integers(y, product.residual));
  }
  result.tolerance = product.y == DType::kF32 ? 1e-5 : OneStep(product.y);
  result.cpu_may_fall_back = true;  // the fast kernels need VNNI
}

OpCase ConvOf(const ProductCase& product, const Dims& x, int64_t outputs, const Window& window,
              int32_t group) {
  QuantizedConv op;
  op.conv = {window, group, product.has_bias, product.has_residual, product.activation};
  op.dtype = product.y;
  Dims y = {x[0], outputs, 0, 0};
  for (int axis = 0; axis < 2; ++axis) {
    y[2 + axis] = (x[2 + axis] + window.pad[axis] + window.pad[axis + 2] - window.kernel[axis]) /
                      window.stride[axis] +
                  1;
  }
  OpCase result;
  result.name = absl::StrCat("quantized_conv_", product.name);
  result.attrs = op;
  const Dims w = {outputs, x[1] / group, window.kernel[0], window.kernel[1]};
  result.inputs = {Integers(x, product.x), Integers(w, DType::kI8)};
  result.constants = Scales(product.y, 0.5f, outputs);
  AddRest(product, y, result);
  return result;
}

OpCase DenseOf(const ProductCase& product, const Dims& x, int64_t outputs) {
  QuantizedDense op;
  op.dense = {product.has_bias, product.has_residual, product.activation};
  op.dtype = product.y;
  OpCase result;
  result.name = absl::StrCat("quantized_dense_", product.name);
  result.attrs = op;
  result.inputs = {Integers(x, product.x), Integers({outputs, x[1]}, DType::kI8)};
  result.constants = Scales(product.y, 0.7f, outputs);
  AddRest(product, {x[0], outputs}, result);
  return result;
}

void AddConvs(std::vector<OpCase>& cases) {
  const Window one = {}, same = {{3, 3}, {1, 1}, {1, 1}, {1, 1, 1, 1}};
  const Window half = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  const Window first = {{7, 7}, {2, 2}, {1, 1}, {3, 3, 3, 3}};
  const ActivationSpec relu = {Activation::kRelu}, relu6 = {Activation::kClip, 0, 6};
  const ActivationSpec leaky = {Activation::kLeakyRelu, 0.1f};
  const DType u8 = DType::kU8, i8 = DType::kI8, f32 = DType::kF32;
  const auto add = [&](const ProductCase& product, const Dims& x, int64_t outputs,
                       const Window& window, int32_t group = 1) {
    cases.push_back(ConvOf(product, x, outputs, window, group));
  };
  add({"3x3_relu", u8, u8, relu}, {2, 16, 9, 7}, 32, same);
  add({"3x3_signed", i8, i8}, {2, 16, 6, 6}, 16, same);
  add({"3x3_stride2_to_float", u8, f32, relu}, {2, 32, 8, 8}, 16, half);
  add({"1x1_odd_channels", i8, u8, relu}, {3, 17, 5, 5}, 30, one);
  add({"1x1_without_bias", u8, i8, {}, false}, {2, 64, 7, 7}, 24, one);
  add({"first_layer", i8, u8, relu}, {1, 3, 20, 18}, 16, first);
  add({"depthwise_relu6", u8, u8, relu6}, {2, 32, 7, 7}, 32, same, 32);
  add({"depthwise_stride2", i8, u8, relu6}, {2, 24, 9, 9}, 24, half, 24);
  add({"groups", u8, u8, relu}, {2, 32, 6, 6}, 64, same, 4);
  add({"residual", u8, u8, relu, true, true, u8}, {2, 16, 5, 5}, 48, one);
  add({"signed_residual", u8, u8, relu, true, true, i8}, {2, 16, 5, 5}, 48, one);
  add({"residual_of_floats", u8, f32, relu, true, true}, {2, 16, 5, 5}, 48, one);
  add({"linear_residual", u8, i8, {}, true, true, i8}, {2, 96, 5, 5}, 24, one);
  add({"leaky_relu", u8, i8, leaky}, {1, 16, 6, 6}, 16, same);
  add({"hard_swish", u8, i8, {Activation::kHardSwish}}, {1, 16, 6, 6}, 16, same);
  add({"hard_sigmoid", u8, u8, {Activation::kHardSigmoid, 0.2f, 0.5f}}, {1, 16, 6, 6}, 16, one);
  add({"silu_to_float", i8, f32, {Activation::kSilu}}, {1, 16, 6, 6}, 16, one);
}

}  // namespace

void AddQuantizedCases(std::vector<OpCase>& cases) {
  AddConvs(cases);
  const DType u8 = DType::kU8, i8 = DType::kI8, f32 = DType::kF32;
  const ActivationSpec relu = {Activation::kRelu};
  cases.push_back(DenseOf({"relu", u8, u8, relu}, {4, 48}, 32));
  cases.push_back(DenseOf({"to_float", u8, f32}, {5, 30}, 10));
  cases.push_back(DenseOf({"signed", i8, i8, {}, false}, {2, 64}, 17));

  const auto add = [&](OpCase op_case, double tolerance) {
    op_case.tolerance = tolerance;
    cases.push_back(std::move(op_case));
  };
  const Dims image = {2, 5, 7, 6};
  add({"quantize_signed", Quantize{i8}, {{image}}, {0.006f}}, OneStep(i8));
  add({"quantize_unsigned", Quantize{u8}, {{image}}, {0.003f}}, OneStep(u8));
  add({"dequantize_signed", Dequantize{}, {Integers(image, i8)}, {0.006f}}, 1e-6);
  add({"dequantize_unsigned", Dequantize{}, {Integers(image, u8)}, {0.003f}}, 1e-6);
  add({"quantize_weights",
       QuantizeWeights{true},
       {{{3, 4, 2, 2}}, {{3}}},
       {0.02f, 0.007f, 0.008f, 0.009f}},
      OneStep(i8));
  add({"normalize_to_integers",
       Normalize{i8},
       {{{2, 9, 7, 3}, InputKind::kPixels}},
       {0.4f, 0.5f, 0.6f, 0.25f, 0.2f, 0.3f, 0.015f}},
      OneStep(i8));
  Pool pool;
  pool.window = {{3, 3}, {2, 2}, {1, 1}, {1, 1, 1, 1}};
  add({"max_pool_unsigned", pool, {Integers({2, 16, 9, 9}, u8)}}, 0);
  add({"max_pool_signed", pool, {Integers({2, 20, 8, 9}, i8)}}, 0);
}

}  // namespace fovea
