// Nets: the architectures, sized to a data set's images and labels.
//
// A net is the forward graph up to the logits: input "pixels" u8 [N,H,W,C] → Normalize → body →
// output "logits" f32 [N, labels]. BatchNorm and Dropout stand in their inference form;
// TrainingGraph turns them. To add a net: one file, and one line in the list of net.cc.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/graph/graph.h"
#include "core/runtime/weights.h"

namespace fovea {

// How a parameter or state begins. What each kind means: initialize.h.
struct Initializer {
  enum class Kind {
    kConstant,
    kNormal,
    kHeNormal,
    kHeUniform,
    kGlorotNormal,
    kGlorotUniform,
    kLecunNormal,
    kLecunUniform,
    kOrthogonal,
  };
  std::string name;  // of the value
  Kind kind = Kind::kConstant;
  float value = 0;  // kConstant: the value; kNormal: the standard deviation
};

// How the weights of all convolutions and dense layers begin.
struct WeightInitializer {
  Initializer::Kind kind = Initializer::Kind::kHeNormal;
  float value = 0;  // as in Initializer
};

struct NetOptions {
  std::string name;  // "resnet20"; "text" for the net that `text` describes (text_net.h)
  std::string text;
  int height = 0, width = 0, channels = 0;
  int labels = 0;
  std::vector<int> hidden;  // mlp only: units of the hidden layers; empty: {256}
  float dropout = 0;        // before the last layer, where the net has a place for it
  // Binary relevance: the last layer has two outputs a label, those of "does not apply" first;
  // "logits" is their difference, whose sigmoid is the two-way softmax.
  bool two_way = false;
  std::vector<float> mean, std;  // per channel, fractions of full scale; empty: 0.5 and 0.25
  // Nothing: He normal, for what a rectifier follows, and Glorot uniform in the last layer.
  std::optional<WeightInitializer> weights;
  // The last batch norm of each residual branch begins with scale 0, so that the net begins as its
  // shortcuts (Goyal et al. 2017, section 5.1).
  bool zero_last_gamma = false;
  // In training each residual branch is dropped for a whole example with a probability that rises
  // linearly over the blocks, from stochastic_depth / L for the first of L to stochastic_depth for
  // the last (Huang et al. 2016, equation 4). In [0, 1).
  float stochastic_depth = 0;
};

struct Net {
  Graph graph;
  ValueId pixels = kNoValue;
  ValueId logits = kNoValue;
  std::vector<Initializer> initializers;  // one per parameter and state
};

// The graph for a batch of N. InvalidArgument: an unknown name (the message lists the known ones),
// images too small for the net (the message says how large they must be), or zero_last_gamma or
// stochastic_depth for a net without residual branches.
absl::StatusOr<Net> BuildNet(const NetOptions& options, int64_t batch);

// The architectures that have a name.
std::vector<absl::string_view> NetNames();

// Sets every parameter and state of `weights`, a pure function of (initializers, seed).
absl::Status Initialize(const Net& net, uint64_t seed, Weights& weights);

// Appends what turns logits into probabilities and makes it the only output, "probabilities".
// kIdentity appends nothing: the logits are the output.
enum class Head { kSoftmax, kSigmoid, kIdentity };
absl::StatusOr<Graph> WithHead(const Net& net, Head head);

}  // namespace fovea
