// Choosing kernels and layouts of convolutions and dense layers. Private to this folder.
#pragma once

#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/backend/cpu/layouts.h"

namespace fovea::cpu {

enum class Direction { kForward, kBackwardData, kBackwardWeights };

// oneDNN's direct kernels; its Winograd kernels, tried before the direct ones; our own of these;
// our own direct ones for few channels a group.
enum class ConvAlgorithm { kDirect, kOneDnnWinograd, kOwnWinograd, kOwnGrouped };

// The scales of a product of quantised values, as they stand among its node's constants.
struct ProductScales {
  float y = 1, residual = 1, x = 1;
  std::vector<float> weights;  // one for each output channel
  DType residual_dtype = DType::kF32;

  static ProductScales Of(const Graph& graph, const Node& node, bool has_residual);
};

// A convolution in one of its three directions. x, w, y are the types on the input, weight and
// output side, whether values or gradients.
struct ConvProblem {
  Direction direction = Direction::kForward;
  Conv conv;
  Type x, w, y;
  bool training = false;
  ConvAlgorithm algorithm = ConvAlgorithm::kDirect;
  std::optional<ProductScales> scales = {};  // of quantised values

  // The convolution of a node under these options; nothing when the node is none. A transposed
  // convolution is the data gradient of one, without its bias.
  static std::optional<ConvProblem> Of(const Graph& graph, const Node& node,
                                       const CompileOptions& options);
};

// Direct, or Winograd's F(4x4, 3x3) (Lavin and Gray 2016) where that is faster: it needs a quarter
// of the multiplications and pays for it by transforming x, w and y. A fixed rule (winograd.cc):
// the same shapes get the same kernels on every run.
ConvAlgorithm WinogradOrDirect(const ConvProblem& problem);

// The kernel of kOwnWinograd, for blocked x and y and dense w (winograd_conv.cc).
Lowered LowerOwnWinograd(const ConvProblem& problem);

// Whether our own kernel computes the grouped convolution, faster than oneDNN's (grouped_conv.cc).
bool OwnGroupedPays(const ConvProblem& problem);

// The kernel of kOwnGrouped, for blocked x and y and w as of WeightsInBlocksOfOutputs.
Lowered LowerOwnGrouped(const ConvProblem& problem);

struct ConvLayouts {
  Layout x = kDense, w = kDense, y = kDense;
  bool slow = false;  // oneDNN has only its reference implementation
};

struct LayoutPair {
  Layout x, y;
};

// The layouts that a kernel may have under the plan that prefers `preferred` (kNhwc or kBlocked),
// the best first.
std::vector<LayoutPair> ConvCandidates(const ConvProblem& problem, Layout preferred);

// The first of `candidates` with a fast kernel, with the layout of the weights that this kernel
// wants; without one, the first that works at all.
absl::StatusOr<ConvLayouts> ChooseConvLayouts(const ConvProblem& problem,
                                              absl::Span<const LayoutPair> candidates);

// Weights [O,I,KH,KW] for our own kernels: [O/16][I][KH][KW][16], zeros behind the last output.
Layout WeightsInBlocksOfOutputs(const Type& weights);

// How the weights of a dense (fully connected) node are packed, for x [N,K] and y [N,O].
absl::StatusOr<Layout> ChooseDenseWeights(const Graph& graph, const Node& node, bool training);
// Whether oneDNN has a fast kernel for the dense node.
bool HasFastDense(const Graph& graph, const Node& node, bool training);

}  // namespace fovea::cpu
