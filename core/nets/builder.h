// NetBuilder: a graph under construction, so that a net reads like the table in its paper.
//
// Every method appends one layer named in PyTorch's habit ("layer1.0.conv1") with its parameters
// ("layer1.0.conv1.weight") and returns its output. The first error sticks: after it the methods do
// nothing and return kNoValue, and Finish() returns it. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/nets/net.h"

namespace fovea {

struct ConvOptions {
  int kernel = 3;
  int stride = 1;
  int pad = 0;  // on each side
  int group = 1;
  int dilation = 1;
  bool bias = false;
  // How the weights begin: He for what a ReLU follows (at once or after batch norm).
  Initializer::Kind weights = Initializer::Kind::kHeNormal;
};

struct ConvTransposeOptions {
  int kernel = 2;
  int stride = 2;
  int pad = 0;         // on each side of the output
  int output_pad = 0;  // further rows and columns
  int group = 1;
  int dilation = 1;
  bool bias = false;
};

struct BatchNormOptions {
  float epsilon = 1e-5f;
  float momentum = 0.9f;
  // It ends a residual branch: scale 0 to begin with when options().zero_last_gamma.
  bool last = false;
};

struct PoolOptions {
  int kernel = 2;
  int stride = 2;
  int pad = 0;  // on each side
  bool ceil = false;
};

class NetBuilder {
 public:
  // Starts with the input "pixels" u8 [batch,H,W,C] and its normalisation; `options` are valid.
  NetBuilder(const NetOptions& options, int64_t batch);

  // The normalised pixels, f32 [batch,C,H,W].
  ValueId input() const { return input_; }
  const NetOptions& options() const { return options_; }
  // The first error.
  const absl::Status& status() const { return status_; }
  const Graph& graph() const { return net_.graph; }
  const Dims& dims(ValueId x) const { return net_.graph.type(x).dims; }
  // Extent of axis 1 of a value.
  int64_t channels(ValueId x) const;

  ValueId Conv(const std::string& name, ValueId x, int64_t out_channels, ConvOptions options);
  ValueId ConvTranspose(const std::string& name, ValueId x, int64_t out_channels,
                        const ConvTransposeOptions& options);
  // A depthwise convolution and a 1x1 convolution to `out_channels`, each with batch norm and ReLU:
  // "name.depthwise", "name.depthwise_bn", "name.pointwise", … (Howard et al. 2017, figure 3).
  // Kernel, stride, pad and dilation are the depthwise one's.
  ValueId DepthwiseSeparable(const std::string& name, ValueId x, int64_t out_channels,
                             ConvOptions options);
  // w [units, channels(x)] and a bias; x is [N,K].
  ValueId Dense(const std::string& name, ValueId x, int64_t units, Initializer::Kind weights);

  ValueId BatchNorm(const std::string& name, ValueId x, const BatchNormOptions& options = {});
  // 1 group: layer norm; as many as channels: instance norm.
  ValueId GroupNorm(const std::string& name, ValueId x, int64_t groups);
  ValueId LocalResponseNorm(const std::string& name, ValueId x,
                            const fovea::LocalResponseNorm& attrs);

  ValueId Activate(const std::string& name, ValueId x, ActivationSpec activation);
  ValueId Relu(const std::string& name, ValueId x);
  ValueId Relu6(const std::string& name, ValueId x);
  ValueId HardSwish(const std::string& name, ValueId x);
  // Slopes begin at 1/4 (He et al. 2015, section 2.1).
  ValueId PRelu(const std::string& name, ValueId x);

  ValueId Add(const std::string& name, ValueId a, ValueId b, Activation activation);
  // Elementwise, or b is a gate [N,C,1,1].
  ValueId Mul(const std::string& name, ValueId a, ValueId b);
  ValueId Concat(const std::string& name, const std::vector<ValueId>& parts);
  // Scales the channels by a gate of their means: "name.avgpool", 1x1 convolutions "name.fc1" to
  // `squeezed` channels with ReLU and "name.fc2" back, then `gate` (Hu et al. 2018, equations 2 to
  // 4).
  ValueId SqueezeExcite(const std::string& name, ValueId x, int64_t squeezed, ActivationSpec gate);
  // Counts a residual branch that ends in y, and lets stochastic depth drop it; y itself without.
  ValueId EndBranch(const std::string& name, ValueId y);

  ValueId Pool(const std::string& name, ValueId x, PoolKind kind, const PoolOptions& options);
  ValueId MaxPool(const std::string& name, ValueId x, int kernel, int stride, int pad);
  // [N,C,H,W] → [N,C,1,1].
  ValueId GlobalPool(const std::string& name, ValueId x, PoolKind kind);
  ValueId GlobalAveragePool(const std::string& name, ValueId x);
  // [N,…] → [N,K].
  ValueId Flatten(const std::string& name, ValueId x);
  // x itself when options().dropout is 0.
  ValueId Dropout(const std::string& name, ValueId x);
  ValueId DropoutOf(const std::string& name, ValueId x, float rate);

  // The last dense layer, with Glorot weights, and the net; with options().two_way also the
  // difference of its halves, "two_way". The builder is empty afterwards.
  absl::StatusOr<Net> Finish(const std::string& name, ValueId x);

 private:
  ValueId Node(const std::string& name, Attrs attrs, std::vector<ValueId> inputs,
               std::vector<float> constants = {});
  ValueId Parameter(const std::string& name, Dims dims, Initializer::Kind kind, float value = 0);
  // The weights of a convolution or dense layer: as options().weights has it, else as `kind`.
  ValueId Weights(const std::string& name, Dims dims, Initializer::Kind kind);
  ValueId State(const std::string& name, Dims dims, float value);
  absl::Status FinishBranches();

  NetOptions options_;
  Net net_;
  ValueId input_ = kNoValue;
  absl::Status status_;
  int branches_ = 0;  // residual
};

}  // namespace fovea
