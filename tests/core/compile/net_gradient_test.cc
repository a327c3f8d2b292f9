// The gradients of whole nets against finite differences of their loss, in double.
#include <cmath>

#include "core/backend/reference/reference_backend.h"
#include "core/graph/op_def.h"
#include "core/nets/freeze.h"
#include "tests/core/compile/net_fixture.h"

namespace fovea {
namespace {

struct NetCase {
  std::string net;
  int side;
  std::string loss_name;
  Loss loss;
  bool two_way = false;
  std::vector<std::string> freeze = {};
};

void PrintTo(const NetCase& c, std::ostream* out) { *out << c.net; }

class NetGradient : public ::testing::TestWithParam<NetCase> {
 protected:
  static constexpr int kBatch = 3;

  void SetUp() override {
    NetOptions small = SmallNet(GetParam().net, GetParam().side);
    small.two_way = GetParam().two_way;
    absl::StatusOr<Net> net = BuildNet(small, kBatch);
    ASSERT_TRUE(net.ok()) << net.status();
    ASSERT_STATUS_OK(Freeze(GetParam().freeze, *net));
    net->graph = WithFloatType(net->graph, DType::kF64);
    TrainingGraphOptions options;
    options.loss = GetParam().loss;
    options.class_weights = {0.5f, 1.0f, 2.0f};
    options.update = SgdMomentum{};
    absl::StatusOr<Graph> graph = TrainingGraph(net->graph, net->logits, options);
    ASSERT_TRUE(graph.ok()) << graph.status();
    weights_ = *Weights::Create(ReferenceBackend(), *graph, {.slots = 1, .gradients = true});
    ASSERT_STATUS_OK(Initialize(*net, 3, *weights_));
    Disturb<double>(*weights_, 5);
    auto program = Compile(*graph, ReferenceBackend(), {.training = true});
    ASSERT_TRUE(program.ok()) << program.status();
    auto executor = Executor::Create(*program, weights_);
    ASSERT_TRUE(executor.ok()) << executor.status();
    executor_ = *std::move(executor);
  }

  // The loss at the present parameters; fills the gradient region. The rate is 0, so nothing moves.
  double Loss() {
    const Type pixels = executor_->input(executor_->program().FindInput("pixels")).type;
    EXPECT_TRUE(executor_->SetInput("pixels", RandomPixels(pixels, 11)).ok());
    Tensor targets(executor_->input(executor_->program().FindInput("targets")).type);
    for (int i = 0; i < kBatch; ++i) targets.as<double>()[i * 3 + i % 3] = 1;
    EXPECT_TRUE(executor_->SetInput("targets", targets).ok());
    Tensor example_weights({DType::kF64, {kBatch}});
    for (int i = 0; i < kBatch; ++i) example_weights.as<double>()[i] = 1 + 0.5 * i;
    EXPECT_TRUE(executor_->SetInput("example_weights", example_weights).ok());
    EXPECT_TRUE(executor_->SetScalar("learning_rate", 0).ok());
    EXPECT_TRUE(executor_->Run().ok());
    return executor_->output(executor_->program().FindOutput("loss")).as<double>()[0];
  }

  std::shared_ptr<Weights> weights_;
  std::unique_ptr<Executor> executor_;
};

TEST_P(NetGradient, MatchesTheDifferenceOfTheLossAlongRandomDirections) {
  Loss();
  double* parameters = static_cast<double*>(weights_->region(Role::kParameter));
  const double* region = static_cast<const double*>(weights_->region(Role::kGradient));
  const size_t count = weights_->region_bytes(Role::kParameter) / sizeof(double);
  const std::vector<double> gradient(region, region + count);

  for (const Value& value : weights_->values()) {
    if (value.role != Role::kParameter) continue;
    Random random(HashKey(17, static_cast<uint64_t>(value.offset)));
    std::vector<double> direction(static_cast<size_t>(value.type.dims.count()));
    double norm = 0, expected = 0;
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] = random.Normal();
      norm += direction[i] * direction[i];
    }
    for (size_t i = 0; i < direction.size(); ++i) {
      direction[i] /= std::sqrt(norm);
      expected += direction[i] * gradient[value.offset + i];
    }
    constexpr double kStep = 1e-6;
    const auto move = [&](double by) {
      for (size_t i = 0; i < direction.size(); ++i) {
        parameters[value.offset + i] += by * direction[i];
      }
      weights_->Touch();
    };
    move(kStep);
    const double above = Loss();
    move(-2 * kStep);
    const double below = Loss();
    move(kStep);
    EXPECT_NEAR((above - below) / (2 * kStep), expected, 1e-5 + 1e-4 * std::abs(expected))
        << value.name;
  }
}

std::string CaseName(const ::testing::TestParamInfo<NetCase>& info) {
  return info.param.net + "_" + info.param.loss_name;
}

INSTANTIATE_TEST_SUITE_P(
    Nets, NetGradient,
    ::testing::Values(
        NetCase{"mlp", 6, "softmax", SoftmaxCrossEntropy{}},
        NetCase{"lenet", 16, "sigmoid", SigmoidCrossEntropy{}},
        NetCase{"resnet8", 8, "softmax", SoftmaxCrossEntropy{}},
        NetCase{"resnet8", 8, "frozen", SoftmaxCrossEntropy{}, false, {"conv1", "layer2", "fc"}},
        NetCase{"text", 8, "softmax", SoftmaxCrossEntropy{}}),
    CaseName);

INSTANTIATE_TEST_SUITE_P(
    Losses, NetGradient,
    ::testing::Values(
        NetCase{"mlp", 6, "smoothed", SoftmaxCrossEntropy{0.1f}},
        NetCase{"mlp", 6, "clipped", SoftmaxCrossEntropy{0, 0.01f}},
        NetCase{"mlp", 6, "focal", SoftmaxFocalLoss{}},
        NetCase{"mlp", 6, "sigmoid_clipped", SigmoidCrossEntropy{0, 0.01f}},
        NetCase{"mlp", 6, "sigmoid_focal", SigmoidFocalLoss{}},
        NetCase{"mlp", 6, "asymmetric", AsymmetricLoss{}},
        NetCase{"mlp", 6, "soft_hamming", SoftHammingLoss{}},
        NetCase{"mlp", 6, "squared", RegressionLoss{}},
        NetCase{"mlp", 6, "absolute", RegressionLoss{Deviation::kAbsolute}},
        NetCase{"mlp", 6, "huber_sigmoid", RegressionLoss{Deviation::kHuber, 0.25f, true}},
        NetCase{"mlp", 6, "two_way", SigmoidCrossEntropy{}, true},
        NetCase{"lenet", 16, "two_way_asymmetric", AsymmetricLoss{0, 1, 4, 0.05f}, true}),
    CaseName);

TEST(TrainingGraph, ComputesNothingBackwardsInFrontOfTheFirstLayerThatLearns) {
  absl::StatusOr<Net> net = BuildNet(SmallNet("resnet8", 16), 4);
  ASSERT_TRUE(net.ok()) << net.status();
  const absl::StatusOr<Graph> whole = TrainingGraph(net->graph, net->logits, {});
  ASSERT_TRUE(whole.ok()) << whole.status();
  const std::vector<std::string> front = {"conv1", "bn1", "layer1", "layer2"};
  ASSERT_STATUS_OK(Freeze(front, *net));
  const absl::StatusOr<Graph> graph = TrainingGraph(net->graph, net->logits, {});
  ASSERT_TRUE(graph.ok()) << graph.status();
  ASSERT_STATUS_OK(Verify(*graph));
  // Forward alone is a third of training; the front is most of this net.
  EXPECT_LT(GraphFlops(*graph), 0.8 * GraphFlops(*whole));
  int backward = 0;
  for (const Node& node : graph->nodes()) {
    for (const std::string& prefix : front) {
      if (!IsUnder(node.name, prefix)) continue;
      EXPECT_FALSE(std::holds_alternative<ConvBackwardWeights>(node.attrs) ||
                   std::holds_alternative<ConvBackwardData>(node.attrs) ||
                   std::holds_alternative<BatchNormTraining>(node.attrs) ||
                   std::holds_alternative<UpdateStatistics>(node.attrs))
          << node.name;
    }
    backward += std::holds_alternative<ConvBackwardWeights>(node.attrs);
  }
  EXPECT_GT(backward, 0);
  EXPECT_EQ(graph->ValuesOf(Role::kGradient).size(), graph->ValuesOf(Role::kParameter).size());
}

TEST(TrainingGraph, DropsDifferentUnitsAtEveryStep) {
  NetOptions options = SmallNet("mlp", 6);
  options.hidden = {64};
  options.dropout = 0.5f;
  absl::StatusOr<Net> net = BuildNet(options, 2);
  ASSERT_TRUE(net.ok()) << net.status();
  absl::StatusOr<Graph> graph = TrainingGraph(net->graph, net->logits, {});
  ASSERT_TRUE(graph.ok()) << graph.status();
  auto weights = *Weights::Create(ReferenceBackend(), *graph, {.slots = 1, .gradients = true});
  ASSERT_STATUS_OK(Initialize(*net, 3, *weights));
  auto program = Compile(*graph, ReferenceBackend(), {.training = true});
  ASSERT_TRUE(program.ok()) << program.status();
  auto executor = *Executor::Create(*program, weights);
  const auto loss = [&](double seed, double step) {
    const Type pixels = executor->input(executor->program().FindInput("pixels")).type;
    EXPECT_TRUE(executor->SetInput("pixels", RandomPixels(pixels, 11)).ok());
    Tensor targets({DType::kF32, {2, 3}}), ones({DType::kF32, {2}});
    targets.as<float>()[0] = targets.as<float>()[4] = 1;
    ones.as<float>()[0] = ones.as<float>()[1] = 1;
    EXPECT_TRUE(executor->SetInput("targets", targets).ok());
    EXPECT_TRUE(executor->SetInput("example_weights", ones).ok());
    EXPECT_TRUE(executor->SetScalar("learning_rate", 0).ok());
    EXPECT_TRUE(executor->SetScalar("seed", seed).ok());
    EXPECT_TRUE(executor->SetScalar("step", step).ok());
    EXPECT_TRUE(executor->Run().ok());
    return executor->output(0).as<float>()[0];
  };
  EXPECT_EQ(loss(1, 0), loss(1, 0));
  EXPECT_NE(loss(1, 0), loss(1, 1));
  EXPECT_NE(loss(1, 0), loss(2, 0));
}

}  // namespace
}  // namespace fovea
