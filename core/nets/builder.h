// NetBuilder: a graph under construction, so that a net reads like the table in its paper.
//
// Every method appends one layer named in PyTorch's habit ("layer1.0.conv1") with its parameters
// ("layer1.0.conv1.weight") and returns its output. The first error sticks: after it the methods do
// nothing and return kNoValue, and Finish() returns it. Not thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/nets/net.h"

namespace fovea {

struct ConvOptions {
  int kernel = 3;
  int stride = 1;
  int pad = 0;  // on each side
  int group = 1;
  bool bias = false;
  // How the weights begin: He for what a ReLU follows (at once or after batch norm).
  Initializer::Kind weights = Initializer::Kind::kHeNormal;
};

class NetBuilder {
 public:
  // Starts with the input "pixels" u8 [batch,H,W,C] and its normalisation; `options` are valid.
  NetBuilder(const NetOptions& options, int64_t batch);

  // The normalised pixels, f32 [batch,C,H,W].
  ValueId input() const { return input_; }
  const NetOptions& options() const { return options_; }
  // Extent of axis 1 of a value.
  int64_t channels(ValueId x) const;

  ValueId Conv(const std::string& name, ValueId x, int64_t out_channels, ConvOptions options);
  ValueId BatchNorm(const std::string& name, ValueId x);
  // w [units, channels(x)] and a bias; x is [N,K].
  ValueId Dense(const std::string& name, ValueId x, int64_t units, Initializer::Kind weights);

  ValueId Relu(const std::string& name, ValueId x);
  ValueId Relu6(const std::string& name, ValueId x);
  ValueId Add(const std::string& name, ValueId a, ValueId b, Activation activation);
  ValueId MaxPool(const std::string& name, ValueId x, int kernel, int stride, int pad);
  // [N,C,H,W] → [N,C,1,1].
  ValueId GlobalAveragePool(const std::string& name, ValueId x);
  // [N,…] → [N,K].
  ValueId Flatten(const std::string& name, ValueId x);
  // x itself when options().dropout is 0.
  ValueId Dropout(const std::string& name, ValueId x);

  // The last dense layer, with Glorot weights, and the net; with options().two_way also the
  // difference of its halves, "two_way". The builder is empty afterwards.
  absl::StatusOr<Net> Finish(const std::string& name, ValueId x);

 private:
  ValueId Node(const std::string& name, Attrs attrs, std::vector<ValueId> inputs,
               std::vector<float> constants = {});
  ValueId Parameter(const std::string& name, Dims dims, Initializer::Kind kind, float constant = 0);
  ValueId State(const std::string& name, Dims dims, float constant);
  ValueId Activated(const std::string& name, ValueId x, ActivationSpec activation);

  NetOptions options_;
  Net net_;
  ValueId input_ = kNoValue;
  absl::Status status_;
};

}  // namespace fovea
