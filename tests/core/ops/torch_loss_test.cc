// The losses and their gradients against PyTorch's, from tests/golden/torch_losses.txt (written by
// torch_losses.py beside it).
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/core/ops/run_op.h"

namespace fovea {
namespace {

constexpr double kTolerance = 1e-14;
constexpr int kRows = 4, kColumns = 5;

using Case = std::map<std::string, std::vector<double>>;  // z, t, k, loss, dz

std::map<std::string, Case> ReadCases() {
  std::map<std::string, Case> cases;
  std::ifstream file(FOVEA_TORCH_LOSSES);
  Case* last = nullptr;
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first == "case") {
      std::string name;
      words >> name;
      last = &cases[name];
      continue;
    }
    std::vector<double>& values = (*last)[first];
    for (double value; words >> value;) values.push_back(value);
  }
  return cases;
}

const std::map<std::string, Loss>& Losses() {
  static const auto* losses = new std::map<std::string, Loss>{
      {"softmax", SoftmaxCrossEntropy{}},
      {"softmax_weighted", SoftmaxCrossEntropy{}},
      {"softmax_soft", SoftmaxCrossEntropy{}},
      {"softmax_smoothed", SoftmaxCrossEntropy{0.25f}},
      {"softmax_smoothed_weighted", SoftmaxCrossEntropy{0.25f}},
      {"softmax_clipped", SoftmaxCrossEntropy{0, 0.125f}},
      {"softmax_focal", SoftmaxFocalLoss{}},
      {"sigmoid", SigmoidCrossEntropy{}},
      {"sigmoid_weighted", SigmoidCrossEntropy{}},
      {"sigmoid_soft", SigmoidCrossEntropy{}},
      {"sigmoid_clipped", SigmoidCrossEntropy{0, 0.125f}},
      {"sigmoid_focal", SigmoidFocalLoss{}},
      {"asymmetric", AsymmetricLoss{0, 1, 4, 0.125f}},
      {"soft_hamming", SoftHammingLoss{}},
      {"squared", RegressionLoss{}},
      {"absolute", RegressionLoss{Deviation::kAbsolute}},
      {"huber", RegressionLoss{Deviation::kHuber, 0.5f}},
      {"squared_sigmoid", RegressionLoss{Deviation::kSquared, 1, true}},
      {"absolute_sigmoid", RegressionLoss{Deviation::kAbsolute, 1, true}},
      {"huber_sigmoid", RegressionLoss{Deviation::kHuber, 0.25f, true}},
      {"two_way", SigmoidCrossEntropy{}},
  };
  return *losses;
}

TEST(TorchLosses, AgreeInValueAndGradient) {
  const std::map<std::string, Case> cases = ReadCases();
  ASSERT_EQ(cases.size(), Losses().size()) << "in " << FOVEA_TORCH_LOSSES;
  for (const auto& [name, given] : cases) {
    SCOPED_TRACE(name);
    const Loss& loss = Losses().at(name);
    const bool two_way = name == "two_way";
    const Tensor input = Doubles({kRows, two_way ? 2 * kColumns : kColumns}, given.at("z"));
    const Tensor t = Doubles({kRows, kColumns}, given.at("t"));
    const Tensor w = Doubles({kRows}, std::vector<double>(kRows, 1)), dloss = Doubles({1}, {1});
    const std::vector<float> k(given.at("k").begin(), given.at("k").end());
    const Tensor z = two_way ? std::move(RunOp(PairDifference{}, {&input})[0])
                             : Doubles({kRows, kColumns}, given.at("z"));

    const Attrs attrs = std::visit([](const auto& op) { return Attrs(op); }, loss);
    EXPECT_NEAR(*RunOp(attrs, {&z, &t, &w}, k)[0].as<double>(), given.at("loss")[0], kTolerance);
    auto dz = RunOp(LossBackward{loss}, {&z, &t, &w, &dloss}, k);
    if (two_way) dz = RunOp(PairDifferenceBackward{}, {&dz[0]});
    EXPECT_THAT(Elements(dz[0]), testing::Pointwise(Near(kTolerance), given.at("dz")));
  }
}

}  // namespace
}  // namespace fovea
