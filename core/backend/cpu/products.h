// Choosing kernels and layouts of convolutions and dense layers. Private to this folder.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/backend/cpu/layouts.h"

namespace fovea::cpu {

enum class Direction { kForward, kBackwardData, kBackwardWeights };

// A convolution in one of its three directions. x, w, y are the types on the input, weight and
// output side, whether values or gradients.
struct ConvProblem {
  Direction direction = Direction::kForward;
  Conv conv;
  Type x, w, y;
  bool training = false;
  bool winograd = false;  // try Winograd's algorithm before the direct one

  // The convolution of a node under these options; nothing when the node is none. A transposed
  // convolution is the data gradient of one, without its bias.
  static std::optional<ConvProblem> Of(const Graph& graph, const Node& node,
                                       const CompileOptions& options);
};

// Whether Winograd's F(4x4, 3x3) is faster than the direct convolution (winograd.cc). A fixed rule:
// the same shapes get the same kernels on every run.
bool WinogradPays(const ConvProblem& problem);

struct ConvLayouts {
  Layout x = kDense, w = kDense, y = kDense;
  std::string kernel;
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

// How the weights of a dense (fully connected) node are packed, for x [N,K] and y [N,O].
absl::StatusOr<Layout> ChooseDenseWeights(const Graph& graph, const Node& node, bool training);
// Whether oneDNN has a fast kernel for the dense node.
bool HasFastDense(const Graph& graph, const Node& node, bool training);

}  // namespace fovea::cpu
