// The table of op cases, and what runs and compares them.
//
// Every op has cases here; one table drives the conformance tests of all backends, the
// finite-difference tests of the gradients and the speed tests. A backend's test builds the graph
// of a case (BuildCaseGraph), gives it the case's inputs (MakeInputs), and compares what comes out
// with RunReference through CompareOutputs.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "core/graph/graph.h"
#include "core/tensor/tensor.h"

namespace fovea {

// How an input of a case is filled. Every value is exact in float, so that float and double runs
// begin alike. All kinds but the integers are multiplied by InputSpec::scale.
enum class InputKind {
  kUniform,       // in [−1, 1)
  kPositive,      // in [0.5, 1.5)
  kDistinct,      // a permutation of equal steps over (−1, 1), without 0: no ties, no kinks
  kDistribution,  // every row sums to 1
  kOneHot,        // every row holds one 1
  kIndicators,    // 0 or 1
  kPartlyKnown,   // 0, 1 or NaN, each a third; the first is NaN
  kSparse,        // positive, but the first is 0: example weights
  kZero,
  kPixels,      // u8
  kMask,        // u8, 0 or 1
  kSignedByte,  // i8 in [−127, 127]
  kInteger,     // i64, each element is `scale`
};

struct InputSpec {
  Dims dims;
  InputKind kind = InputKind::kUniform;
  Role role = Role::kInput;
  double scale = 1;
};

struct OpCase {
  std::string name;  // letters, digits and underscores
  Attrs attrs;
  std::vector<InputSpec> inputs = {};
  std::vector<float> constants = {};
  std::vector<int> overwrites = {};  // output i overwrites input overwrites[i]; empty: new values
  std::vector<int> differentiable = {};  // inputs for which output 0 has a gradient
  double tolerance = 1e-5;               // of a float result, relative to the largest magnitude
  bool cpu_may_fall_back = false;        // oneDNN has only a slow kernel for it
};

const std::vector<OpCase>& OpCases();

// The parts of the table.
void AddConvCases(std::vector<OpCase>& cases);       // convolution
void AddLayerCases(std::vector<OpCase>& cases);      // dense, pooling, batch norm
void AddChannelCases(std::vector<OpCase>& cases);    // transposed convolution, gates, norms, concat
void AddLossCases(std::vector<OpCase>& cases);       // softmax, losses
void AddUpdateCases(std::vector<OpCase>& cases);     // updates and what stands around them
void AddQuantizedCases(std::vector<OpCase>& cases);  // integers of 8 bits
void AddSimpleCases(std::vector<OpCase>& cases);     // all other ops

// A graph with the one node "op" of a case; its inputs are named "input0", "input1", …. With
// `gradients`, also the input "dy" for output 0 and the nodes of the op's gradient. Outputs: what
// the node makes or overwrites, and the gradients; opaque values are no outputs. Passes Verify.
struct CaseGraph {
  Graph graph;
  std::vector<ValueId> inputs;     // the case's
  std::vector<ValueId> outputs;    // the op's, opaque ones too
  ValueId dy = kNoValue;           // with gradients
  std::vector<ValueId> gradients;  // one per differentiable input
};
absl::StatusOr<CaseGraph> BuildCaseGraph(const OpCase& op_case, DType dtype, bool gradients);

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

// One tensor for every value of the graph that is not a temporary, in the order of their ids: the
// same for every dtype, a function of (case name, value, seed).
std::vector<NamedTensor> MakeInputs(const OpCase& op_case, const CaseGraph& graph,
                                    uint64_t seed = 1);

// Runs the reference of every node in order. `values` has one tensor per value id; those of
// temporaries are made when they are empty. Spanning values are not supported.
void Evaluate(const Graph& graph, std::vector<Tensor>& values);

// The outputs of the case's graph, by the reference, in order.
absl::StatusOr<std::vector<NamedTensor>> RunReference(const OpCase& op_case, DType dtype,
                                                      bool gradients = false);

// Element i of a floating or integer tensor.
double ElementAt(const TensorView& tensor, int64_t i);

// OK when names and dims agree and |actual − expected| ≤ tolerance · max |expected| everywhere, the
// maximum taken over the tensor (but at least 1e-3). The message names the tensor, the worst
// element with its position, both values, and how many elements differ.
absl::Status CompareOutputs(absl::Span<const NamedTensor> expected,
                            absl::Span<const NamedTensor> actual, double tolerance);

}  // namespace fovea
