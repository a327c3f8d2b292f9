// The first losses of a small run of lenet, as they were when they were last believed.
//
// The file is tests/golden/losses.txt, one loss a line. FOVEA_UPDATE_GOLDEN=1 writes it anew; the
// commit that does so says why they changed.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "tests/core/train/trainer_testing.h"

namespace fovea {
namespace {

using testing::TrainingRun;

// Between math libraries, instruction sets and backends. Errors grow with the steps.
constexpr double kRelativeTolerance = 1e-3;

std::vector<double> ReadGolden() {
  std::ifstream file(FOVEA_GOLDEN_LOSSES);
  std::vector<double> losses;
  for (double loss; file >> loss;) losses.push_back(loss);
  return losses;
}

void WriteGolden(const std::vector<double>& losses) {
  std::ofstream file(FOVEA_GOLDEN_LOSSES);
  file.precision(9);
  for (const double loss : losses) file << loss << "\n";
}

std::vector<double> Losses(const std::string& backend) {
  TrainingRun run("net: \"lenet\" batch_size: 8 epochs: 7 learning_rate: 0.01 seed: 3 " + backend);
  const auto result = run.Attempt(false);
  EXPECT_TRUE(result.ok()) << result.status();
  return run.losses;
}

void ExpectGolden(const std::vector<double>& losses) {
  const std::vector<double> golden = ReadGolden();
  ASSERT_EQ(golden.size(), losses.size()) << "in " << FOVEA_GOLDEN_LOSSES;
  for (size_t step = 0; step < losses.size(); ++step) {
    EXPECT_NEAR(losses[step], golden[step], kRelativeTolerance * (golden[step] + 0.01))
        << "step " << step;
  }
}

TEST(GoldenLosses, OfTheReferenceBackend) {
  const std::vector<double> losses = Losses("backend: BACKEND_REFERENCE");
  if (std::getenv("FOVEA_UPDATE_GOLDEN") != nullptr) WriteGolden(losses);
  ExpectGolden(losses);
}

TEST(GoldenLosses, OfTheCpuBackend) { ExpectGolden(Losses("backend: BACKEND_CPU")); }

}  // namespace
}  // namespace fovea
