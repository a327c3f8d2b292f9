// The first 20 steps of each optimizer that PyTorch has, against PyTorch's: the values, and what
// made them, are tests/golden/optimizers.txt and .py.
#include <cmath>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/core/ops/update_run.h"

namespace fovea {
namespace {

using testing::UpdateRun;

struct Golden {
  std::vector<double> start;
  std::vector<std::vector<double>> gradients;
  std::map<std::string, std::vector<std::vector<double>>> weights;  // by case, after each step
};

Golden ReadGolden() {
  Golden golden;
  std::ifstream file(FOVEA_GOLDEN_OPTIMIZERS);
  std::string line, name;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string first;
    std::vector<double> values;
    if (line[0] == '#') continue;
    if (std::isalpha(line[0])) words >> first;
    if (first == "case") {
      words >> name;
      continue;
    }
    for (double value; words >> value;) values.push_back(value);
    if (first == "start") golden.start = values;
    if (first == "gradient") golden.gradients.push_back(values);
    if (first.empty()) golden.weights[name].push_back(values);
  }
  return golden;
}

struct Case {
  std::string name;
  Update update;
  double rate;
};

// Attributes are floats, while PyTorch's numbers are doubles: a momentum of 0.9 is not quite the
// same one. Relative to the distance that a weight has gone.
constexpr double kTolerance = 2e-6;

class UpdatesLikeTorch : public ::testing::TestWithParam<Case> {};

TEST_P(UpdatesLikeTorch, ForTwentySteps) {
  const Golden golden = ReadGolden();
  const auto found = golden.weights.find(GetParam().name);
  ASSERT_NE(found, golden.weights.end()) << "in " << FOVEA_GOLDEN_OPTIMIZERS;
  ASSERT_EQ(found->second.size(), 20u);
  ASSERT_EQ(golden.gradients.size(), 20u);
  UpdateRun run(GetParam().update, golden.start);
  std::vector<double> travelled(golden.start.size());
  std::vector<double> before = golden.start;
  for (size_t step = 0; step < 20; ++step) {
    run.Step(golden.gradients[step], GetParam().rate);
    const std::vector<double>& expected = found->second[step];
    ASSERT_EQ(expected.size(), before.size());
    for (size_t i = 0; i < expected.size(); ++i) {
      travelled[i] += std::abs(expected[i] - before[i]);
      EXPECT_NEAR(run.weights()[i], expected[i], kTolerance * travelled[i])
          << "weight " << i << " after step " << step;
    }
    before = expected;
  }
}

std::vector<Case> Cases() {
  const UpdateTerms decay = {.weight_decay = 0.01f};
  return {
      {"gradient_descent", SgdMomentum{0}, 0.05},
      {"momentum", SgdMomentum{0.9f, false, decay}, 0.05},
      {"nesterov", SgdMomentum{0.9f, true, decay}, 0.05},
      {"adagrad", Adagrad{0.25f, 1e-4f}, 0.05},
      {"adadelta", Adadelta{0.9f, 1e-4f}, 1},
      {"rms_prop", RmsProp{0.9f, 0, 1e-4f}, 0.01},
      {"rms_prop_centered", RmsProp{0.9f, 0, 1e-4f, true}, 0.01},
      {"rms_prop_centered_momentum", RmsProp{0.9f, 0.8f, 1e-4f, true, decay}, 0.01},
      {"adam", Adam{0.9f, 0.99f, 1e-4f, decay}, 0.01},
      {"adam_w", Adam{0.9f, 0.99f, 1e-4f, {.decoupled_decay = 0.1f}}, 0.01},
  };
}

INSTANTIATE_TEST_SUITE_P(Cases, UpdatesLikeTorch, ::testing::ValuesIn(Cases()),
                         [](const auto& info) { return info.param.name; });

TEST(GoldenOptimizers, AreAllCompared) { EXPECT_EQ(ReadGolden().weights.size(), Cases().size()); }

}  // namespace
}  // namespace fovea
