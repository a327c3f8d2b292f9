// ONNX's own node tests of SoftmaxCrossEntropyLoss and NegativeLogLikelihoodLoss, all 104 of them
// (52, and the same data once more beside each one's expansion into simpler ops), by the reference
// of SoftmaxCrossEntropy.
//
// Ours takes [N,C] and weights; theirs maps onto it exactly:
//   x [N,C,d1,…]      one row a place (n, d1, …);
//   ignore_index      example weight 0;
//   reduction mean    ours; sum: times its divisor; none: row by row, times the label's weight;
//   log_prob          the log of our probabilities;
//   NegativeLogLikelihoodLoss  of x that are not normalised: −x_t is the cross-entropy of x as
//                     logits less the row's log Σ exp x.
// No kind is skipped.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/strip.h"
#include "core/graph/op_def.h"
#include "core/onnx/tensor_proto.h"
#include "gtest/gtest.h"
#include "onnx/onnx_pb.h"

namespace fovea {
namespace {

constexpr char kFolder[] = "/usr/share/libonnx-testdata/data/node";
constexpr double kTolerance = 1e-5;  // their outputs are float

template <typename Message>
Message ReadMessage(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), {});
  Message message;
  EXPECT_TRUE(file.is_open() && message.ParseFromString(bytes)) << path;
  return message;
}

struct LossNode {
  bool negative_log_likelihood = false;
  std::string reduction = "mean";
  std::optional<int64_t> ignore_index;
};

LossNode NodeOf(const std::string& name) {
  const auto model =
      ReadMessage<onnx::ModelProto>(std::filesystem::path(kFolder) / name / "model.onnx");
  EXPECT_EQ(model.graph().node_size(), 1) << name;
  const onnx::NodeProto& proto = model.graph().node(0);
  LossNode node;
  node.negative_log_likelihood = proto.op_type() == "NegativeLogLikelihoodLoss";
  EXPECT_TRUE(node.negative_log_likelihood || proto.op_type() == "SoftmaxCrossEntropyLoss");
  for (const auto& attribute : proto.attribute()) {
    if (attribute.name() == "reduction") node.reduction = attribute.s();
    if (attribute.name() == "ignore_index") node.ignore_index = attribute.i();
  }
  return node;
}

// x as rows [places, classes], and what ONNX gives beside it.
struct Problem {
  int64_t places = 0, classes = 0, inner = 0;
  std::vector<double> rows;
  std::vector<int64_t> labels;
  std::vector<float> class_weights;  // none, or one a class

  // Where ONNX keeps class c of a place: [N,C,inner].
  int64_t PositionOf(int64_t place, int64_t c) const {
    return (place / inner * classes + c) * inner + place % inner;
  }
};

Problem ProblemOf(const std::filesystem::path& data) {
  const auto x = ReadMessage<onnx::TensorProto>(data / "input_0.pb");
  const auto labels = ReadMessage<onnx::TensorProto>(data / "input_1.pb");
  const std::vector<float> values = *FloatsOf(x);
  const Dims dims = *DimsOf(x);
  Problem problem;
  problem.labels = *IntsOf(labels);
  problem.classes = dims[1];
  problem.inner = dims.count() / (dims[0] * dims[1]);
  problem.places = dims[0] * problem.inner;
  for (int64_t place = 0; place < problem.places; ++place) {
    for (int64_t c = 0; c < problem.classes; ++c) {
      problem.rows.push_back(values[problem.PositionOf(place, c)]);
    }
  }
  if (std::filesystem::exists(data / "input_2.pb")) {
    problem.class_weights = *FloatsOf(ReadMessage<onnx::TensorProto>(data / "input_2.pb"));
  }
  return problem;
}

struct OpResult {
  double loss = 0;
  std::vector<double> probabilities;
};

// SoftmaxCrossEntropy of the places [first, first + count).
OpResult RunOp(const Problem& problem, const LossNode& node, int64_t first, int64_t count) {
  Tensor z({DType::kF64, {count, problem.classes}}), t({DType::kF64, {count, problem.classes}});
  Tensor w({DType::kF64, {count}}), loss({DType::kF64, {1}});
  Tensor p({DType::kF64, {count, problem.classes}});
  std::copy_n(problem.rows.begin() + first * problem.classes, count * problem.classes,
              z.as<double>());
  for (int64_t i = 0; i < count; ++i) {
    const int64_t label = problem.labels[first + i];
    if (label == node.ignore_index) continue;
    t.as<double>()[i * problem.classes + label] = 1;
    w.as<double>()[i] = 1;
  }
  const Node op = {"loss", SoftmaxCrossEntropy{}, {}, {}, problem.class_weights};
  const std::vector<TensorView> in = {z, t, w}, out = {loss, p};
  OpOf(op.attrs).reference(op, in, out);
  return {*loss.as<double>(), {p.as<double>(), p.as<double>() + p.count()}};
}

double WeightOf(const Problem& problem, const LossNode& node, int64_t place) {
  const int64_t label = problem.labels[place];
  if (label == node.ignore_index) return 0;
  return problem.class_weights.empty() ? 1 : problem.class_weights[label];
}

double LogSumExp(const Problem& problem, int64_t place) {
  double sum = 0;
  for (int64_t c = 0; c < problem.classes; ++c) {
    sum += std::exp(problem.rows[place * problem.classes + c]);
  }
  return std::log(sum);
}

std::vector<double> LossOf(const Problem& problem, const LossNode& node) {
  double divisor = 0, normalisers = 0;
  for (int64_t place = 0; place < problem.places; ++place) {
    const double weight = WeightOf(problem, node, place);
    divisor += weight;
    if (node.negative_log_likelihood) normalisers += weight * LogSumExp(problem, place);
  }
  if (node.reduction == "none") {
    std::vector<double> losses;
    for (int64_t place = 0; place < problem.places; ++place) {
      const double normaliser = node.negative_log_likelihood ? LogSumExp(problem, place) : 0;
      losses.push_back(WeightOf(problem, node, place) *
                       (RunOp(problem, node, place, 1).loss - normaliser));
    }
    return losses;
  }
  const double sum = RunOp(problem, node, 0, problem.places).loss * divisor - normalisers;
  return {node.reduction == "sum" ? sum : sum / divisor};
}

std::vector<std::string> NodeTests() {
  std::vector<std::string> names;
  std::error_code missing;
  for (const auto& entry : std::filesystem::directory_iterator(kFolder, missing)) {
    const std::string name = entry.path().filename();
    if (absl::StartsWith(name, "test_sce_") || absl::StartsWith(name, "test_nllloss_")) {
      names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

void ExpectNear(const std::vector<double>& found, const std::filesystem::path& expected) {
  const std::vector<float> values = *FloatsOf(ReadMessage<onnx::TensorProto>(expected));
  ASSERT_EQ(found.size(), values.size());
  for (size_t i = 0; i < found.size(); ++i) {
    EXPECT_NEAR(found[i], values[i], kTolerance * std::max(1.0, std::abs(found[i]))) << i;
  }
}

TEST(OnnxLossNodes, AreAllMet) {
  const std::vector<std::string> names = NodeTests();
  if (names.empty()) GTEST_SKIP() << "no " << kFolder << " (package libonnx-testdata)";
  int losses = 0, log_probabilities = 0;
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const LossNode node = NodeOf(std::string(absl::StripSuffix(name, "_expanded")));
    const auto data = std::filesystem::path(kFolder) / name / "test_data_set_0";
    const Problem problem = ProblemOf(data);
    ExpectNear(LossOf(problem, node), data / "output_0.pb");
    ++losses;
    if (!std::filesystem::exists(data / "output_1.pb")) continue;
    const OpResult all = RunOp(problem, node, 0, problem.places);
    std::vector<double> log_probability(all.probabilities.size());
    for (int64_t place = 0; place < problem.places; ++place) {
      for (int64_t c = 0; c < problem.classes; ++c) {
        log_probability[problem.PositionOf(place, c)] =
            std::log(all.probabilities[place * problem.classes + c]);
      }
    }
    ExpectNear(log_probability, data / "output_1.pb");
    ++log_probabilities;
  }
  EXPECT_EQ(losses, 104);
  EXPECT_EQ(log_probabilities, 34);
}

}  // namespace
}  // namespace fovea
