#include "tests/testing/op_cases.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/random.h"
#include "core/base/status.h"
#include "core/graph/op_def.h"

namespace fovea {
namespace {

DType DTypeOf(InputKind kind) {
  switch (kind) {
    case InputKind::kPixels:
    case InputKind::kMask:
      return DType::kU8;
    case InputKind::kSignedByte:
      return DType::kI8;
    case InputKind::kInteger:
      return DType::kI64;
    default:
      return DType::kF32;
  }
}

// ---- Inputs.

std::vector<double> Generate(int64_t count, const std::function<double()>& draw) {
  std::vector<double> values(static_cast<size_t>(count));
  for (double& value : values) value = draw();
  return values;
}

std::vector<double> Distinct(int64_t count, Random& random) {
  std::vector<double> values(static_cast<size_t>(count));
  for (int64_t i = 0; i < count; ++i) {
    values[i] = 2 * (static_cast<double>(i) + 0.3) / static_cast<double>(count) - 1;
  }
  for (int64_t i = count - 1; i > 0; --i) std::swap(values[i], values[random.Below(i + 1)]);
  return values;
}

std::vector<double> OneHot(const Dims& dims, Random& random) {
  std::vector<double> values(static_cast<size_t>(dims.count()));
  for (int64_t row = 0; row < dims[0]; ++row) values[row * dims[1] + random.Below(dims[1])] = 1;
  return values;
}

std::vector<double> Distribution(const Dims& dims, Random& random) {
  std::vector<double> values = Generate(dims.count(), [&] { return random.Uniform(); });
  for (int64_t row = 0; row < dims[0]; ++row) {
    const auto begin = values.begin() + row * dims[1], end = begin + dims[1];
    const double sum = std::accumulate(begin, end, 0.0);
    std::for_each(begin, end, [sum](double& value) { value /= sum; });
  }
  return values;
}

std::vector<double> Values(const InputSpec& spec, Random& random) {
  const int64_t count = spec.dims.count();
  switch (spec.kind) {
    case InputKind::kUniform:
      return Generate(count, [&] { return 2 * random.Uniform() - 1; });
    case InputKind::kPositive:
      return Generate(count, [&] { return 0.5 + random.Uniform(); });
    case InputKind::kDistinct:
      return Distinct(count, random);
    case InputKind::kDistribution:
      return Distribution(spec.dims, random);
    case InputKind::kOneHot:
      return OneHot(spec.dims, random);
    case InputKind::kIndicators:
    case InputKind::kMask:
      return Generate(count, [&] { return static_cast<double>(random.Below(2)); });
    case InputKind::kPartlyKnown: {
      const std::array<double, 3> kinds = {std::nan(""), 0, 1};
      std::vector<double> values = Generate(count, [&] { return kinds[random.Below(3)]; });
      values[0] = kinds[0];
      return values;
    }
    case InputKind::kSparse: {
      std::vector<double> values = Generate(count, [&] { return 0.5 + random.Uniform(); });
      values[0] = 0;
      return values;
    }
    case InputKind::kPixels:
      return Generate(count, [&] { return static_cast<double>(random.Below(256)); });
    case InputKind::kSignedByte:
      return Generate(count, [&] { return static_cast<double>(random.Below(255)) - 127; });
    case InputKind::kZero:
    case InputKind::kInteger:
      return std::vector<double>(static_cast<size_t>(count), 0.0);
  }
  return {};
}

Tensor MakeTensor(const Type& type, const InputSpec& spec, uint64_t key) {
  Random random(key);
  const std::vector<double> values = Values(spec, random);
  Tensor tensor(type);
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const float scaled = static_cast<float>(values[i] * spec.scale);
    switch (type.dtype) {
      case DType::kF32:
        tensor.as<float>()[i] = scaled;
        break;
      case DType::kF64:
        tensor.as<double>()[i] = scaled;
        break;
      case DType::kU8:
        tensor.as<uint8_t>()[i] = static_cast<uint8_t>(values[i]);
        break;
      case DType::kI8:
        tensor.as<int8_t>()[i] = static_cast<int8_t>(values[i]);
        break;
      case DType::kI64:
        tensor.as<int64_t>()[i] = static_cast<int64_t>(spec.scale);
        break;
      default:
        CHECK(false);
    }
  }
  return tensor;
}

// The same on every machine, unlike std::hash.
uint64_t HashName(const std::string& name) {
  uint64_t hash = 0;
  for (char c : name) hash = HashKey(hash, static_cast<unsigned char>(c));
  return hash;
}

// ---- Graphs.

absl::Status AddNode(const OpCase& op_case, CaseGraph& result) {
  Graph& graph = result.graph;
  if (op_case.overwrites.empty()) {
    ASSIGN_OR_RETURN(result.outputs,
                     graph.Add("op", op_case.attrs, result.inputs, op_case.constants));
    return absl::OkStatus();
  }
  for (int input : op_case.overwrites) result.outputs.push_back(result.inputs[input]);
  return graph.AddWriting("op", op_case.attrs, result.inputs, result.outputs, op_case.constants);
}

absl::Status AddGradientNodes(const OpCase& op_case, CaseGraph& result) {
  Graph& graph = result.graph;
  const Node node = graph.nodes().front();
  result.dy = graph.AddInput("dy", graph.type(node.outputs[0]));
  std::vector<ValueId> dy(node.outputs.size(), kNoValue);
  dy[0] = result.dy;
  std::vector<bool> wanted(node.inputs.size(), false);
  for (int input : op_case.differentiable) wanted[input] = true;
  GradientBuilder builder(graph, node, dy, wanted);
  RETURN_IF_ERROR(OpOf(node.attrs).gradient(builder));
  for (size_t i = 0; i < wanted.size(); ++i) {
    const ValueId gradient = builder.input_gradients()[i];
    if (wanted[i] != (gradient != kNoValue)) {
      return absl::InternalError(absl::StrCat("input ", i, " of case \"", op_case.name, "\" has ",
                                              wanted[i] ? "no gradient" : "an unwanted gradient"));
    }
  }
  for (int input : op_case.differentiable) {
    result.gradients.push_back(builder.input_gradients()[input]);
  }
  return absl::OkStatus();
}

void MarkOutputs(CaseGraph& result) {
  std::vector<ValueId> ids = result.outputs;
  ids.insert(ids.end(), result.gradients.begin(), result.gradients.end());
  for (ValueId id : ids) {
    const Value& value = result.graph.value(id);
    if (!value.opaque && value.role != Role::kInput && !result.graph.IsOutput(id)) {
      result.graph.MarkOutput(id);
    }
  }
}

std::string Position(const Dims& dims, int64_t index) {
  Dims position = dims;
  for (int axis = dims.rank() - 1; axis >= 0; --axis) {
    position[axis] = index % dims[axis];
    index /= dims[axis];
  }
  return position.ToString();
}

Tensor Copy(const Tensor& tensor) {
  Tensor copy(tensor.type());
  std::copy_n(tensor.as<char>(), tensor.bytes(), copy.as<char>());
  return copy;
}

}  // namespace

const std::vector<OpCase>& OpCases() {
  static const auto* cases = [] {
    auto* table = new std::vector<OpCase>;
    AddConvCases(*table);
    AddLayerCases(*table);
    AddChannelCases(*table);
    AddLossCases(*table);
    AddUpdateCases(*table);
    AddQuantizedCases(*table);
    AddSimpleCases(*table);
    return table;
  }();
  return *cases;
}

absl::StatusOr<CaseGraph> BuildCaseGraph(const OpCase& op_case, DType dtype, bool gradients) {
  CaseGraph result;
  for (size_t i = 0; i < op_case.inputs.size(); ++i) {
    const InputSpec& spec = op_case.inputs[i];
    result.inputs.push_back(result.graph.AddValue(absl::StrCat("input", i),
                                                  {DTypeOf(spec.kind), spec.dims}, spec.role));
  }
  result.graph.AssignRegions();
  RETURN_IF_ERROR(AddNode(op_case, result));
  if (gradients) RETURN_IF_ERROR(AddGradientNodes(op_case, result));
  MarkOutputs(result);
  result.graph = WithFloatType(result.graph, dtype);
  RETURN_IF_ERROR(Verify(result.graph));
  return result;
}

std::vector<NamedTensor> MakeInputs(const OpCase& op_case, const CaseGraph& graph, uint64_t seed) {
  std::vector<NamedTensor> tensors;
  for (size_t id = 0; id < graph.graph.values().size(); ++id) {
    const Value& value = graph.graph.values()[id];
    if (value.role == Role::kTemporary) continue;
    const uint64_t key = HashKey(HashName(op_case.name), id, seed);
    const InputSpec dy = {value.type.dims};
    const bool is_dy = static_cast<ValueId>(id) == graph.dy;
    const InputSpec& spec = is_dy ? dy : op_case.inputs[tensors.size()];
    tensors.push_back({value.name, MakeTensor(value.type, spec, key)});
  }
  return tensors;
}

void Evaluate(const Graph& graph, std::vector<Tensor>& values) {
  values.resize(graph.values().size());
  for (size_t id = 0; id < values.size(); ++id) {
    CHECK(!graph.values()[id].spans_region);
    if (values[id].data() == nullptr) values[id] = Tensor(graph.values()[id].type);
  }
  for (const Node& node : graph.nodes()) {
    std::vector<TensorView> inputs, outputs;
    for (ValueId id : node.inputs) inputs.push_back(values[id]);
    for (ValueId id : node.outputs) outputs.push_back(values[id]);
    OpOf(node.attrs).reference(node, inputs, outputs);
  }
}

absl::StatusOr<std::vector<NamedTensor>> RunReference(const OpCase& op_case, DType dtype,
                                                      bool gradients) {
  ASSIGN_OR_RETURN(const CaseGraph graph, BuildCaseGraph(op_case, dtype, gradients));
  std::vector<Tensor> values(graph.graph.values().size());
  for (NamedTensor& input : MakeInputs(op_case, graph)) {
    values[graph.graph.Find(input.name)] = std::move(input.tensor);
  }
  Evaluate(graph.graph, values);
  std::vector<NamedTensor> outputs;
  for (ValueId id : graph.graph.outputs()) {
    outputs.push_back({graph.graph.value(id).name, Copy(values[id])});
  }
  return outputs;
}

double ElementAt(const TensorView& tensor, int64_t i) {
  switch (tensor.type.dtype) {
    case DType::kF32:
      return tensor.as<float>()[i];
    case DType::kF64:
      return tensor.as<double>()[i];
    case DType::kU8:
      return tensor.as<uint8_t>()[i];
    case DType::kI8:
      return tensor.as<int8_t>()[i];
    case DType::kI32:
      return tensor.as<int32_t>()[i];
    case DType::kI64:
      return static_cast<double>(tensor.as<int64_t>()[i]);
    default:
      CHECK(false);
  }
}

namespace {

absl::Status CompareTensors(const NamedTensor& expected, const NamedTensor& actual,
                            double tolerance) {
  const Dims& dims = expected.tensor.type().dims;
  double largest = 1e-3;
  for (int64_t i = 0; i < dims.count(); ++i) {
    largest = std::max(largest, std::abs(ElementAt(expected.tensor, i)));
  }
  const double allowed = tolerance * largest;
  int64_t differing = 0, worst = -1;
  double worst_difference = 0;
  for (int64_t i = 0; i < dims.count(); ++i) {
    const double difference = std::abs(ElementAt(actual.tensor, i) - ElementAt(expected.tensor, i));
    if (difference <= allowed) continue;  // false for NaN
    ++differing;
    if (worst < 0 || !(difference <= worst_difference)) {
      worst = i;
      worst_difference = difference;
    }
  }
  if (differing == 0) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(
      "\"", expected.name, "\" at ", Position(dims, worst), ": found ",
      ElementAt(actual.tensor, worst), ", expected ", ElementAt(expected.tensor, worst),
      " (difference ", worst_difference, ", allowed ", allowed, "); ", differing, " of ",
      dims.count(), " elements differ"));
}

}  // namespace

absl::Status CompareOutputs(absl::Span<const NamedTensor> expected,
                            absl::Span<const NamedTensor> actual, double tolerance) {
  if (expected.size() != actual.size()) {
    return absl::InternalError(
        absl::StrCat("found ", actual.size(), " outputs, expected ", expected.size()));
  }
  for (size_t i = 0; i < expected.size(); ++i) {
    const Dims &found = actual[i].tensor.type().dims, &dims = expected[i].tensor.type().dims;
    if (expected[i].name != actual[i].name || found != dims) {
      return absl::InternalError(absl::StrCat("output ", i, " is \"", actual[i].name, "\" ",
                                              found.ToString(), ", expected \"", expected[i].name,
                                              "\" ", dims.ToString()));
    }
    RETURN_IF_ERROR(CompareTensors(expected[i], actual[i], tolerance));
  }
  return absl::OkStatus();
}

}  // namespace fovea
