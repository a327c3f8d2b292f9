#include "core/backend/reference/reference_kernel.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

class BoundReference : public BoundKernel {
 public:
  BoundReference(const Node& node, std::vector<TensorView> inputs, std::vector<TensorView> outputs)
      : node_(node), inputs_(std::move(inputs)), outputs_(std::move(outputs)) {}

  absl::Status Run() override {
    OpOf(node_.attrs).reference(node_, inputs_, outputs_);
    return absl::OkStatus();
  }

 private:
  const Node& node_;  // the kernel's, which the program keeps alive
  std::vector<TensorView> inputs_, outputs_;
};

class ReferenceKernel : public Kernel {
 public:
  ReferenceKernel(const Graph& graph, const Node& node) : node_(node) {
    for (ValueId id : node.inputs) input_types_.push_back(graph.type(id));
    for (ValueId id : node.outputs) output_types_.push_back(graph.type(id));
  }

  absl::StatusOr<std::unique_ptr<BoundKernel>> Bind(Stream&, absl::Span<void* const> inputs,
                                                    absl::Span<void* const> outputs,
                                                    void*) const override {
    return std::make_unique<BoundReference>(node_, Views(input_types_, inputs),
                                            Views(output_types_, outputs));
  }

 private:
  static std::vector<TensorView> Views(const std::vector<Type>& types,
                                       absl::Span<void* const> addresses) {
    std::vector<TensorView> views;
    for (size_t i = 0; i < types.size(); ++i) views.push_back({types[i], addresses[i]});
    return views;
  }

  Node node_;
  std::vector<Type> input_types_, output_types_;
};

}  // namespace

bool HasReferenceKernel(const Graph& graph, const Node& node) {
  if (std::holds_alternative<Cast>(node.attrs)) return true;
  const auto is_half = [&](ValueId id) {
    const DType dtype = graph.type(id).dtype;
    return dtype == DType::kBF16 || dtype == DType::kF16;
  };
  return std::none_of(node.inputs.begin(), node.inputs.end(), is_half) &&
         std::none_of(node.outputs.begin(), node.outputs.end(), is_half);
}

absl::StatusOr<Lowered> LowerReference(const Graph& graph, const Node& node) {
  if (!HasReferenceKernel(graph, node)) {
    return absl::UnimplementedError(absl::StrCat(OpOf(node.attrs).name, " \"", node.name,
                                                 "\": the reference kernel computes in f32 and "
                                                 "f64, found floats of 16 bits"));
  }
  for (const std::vector<ValueId>* ids : {&node.inputs, &node.outputs}) {
    for (ValueId id : *ids) {
      if (graph.type(id).layout == kDense) continue;
      return absl::InvalidArgumentError(
          absl::StrCat(OpOf(node.attrs).name, " \"", node.name,
                       "\": the reference kernel needs dense values, \"", graph.value(id).name,
                       "\" is ", graph.type(id).ToString()));
    }
  }
  Lowered lowered;
  lowered.kernel = std::make_shared<ReferenceKernel>(graph, node);
  lowered.kernel_name = "reference";
  return lowered;
}

}  // namespace fovea
