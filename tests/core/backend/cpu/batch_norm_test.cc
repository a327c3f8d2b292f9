// Our own batch normalisation, beyond the op table: its precision, and its sums' order.
#include "core/backend/cpu/batch_norm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/cpu/layouts.h"
#include "core/base/random.h"
#include "core/base/scoped_width.h"

namespace fovea {
namespace {

constexpr int64_t kBatch = 5, kChannels = 16, kPixels = 20 * 30;
constexpr int64_t kCount = kBatch * kPixels * kChannels;

// A blocked value of kChannels channels: kCount floats, the channels innermost.
Type Blocked() { return {DType::kF32, {kBatch, kChannels, 20, 30}, cpu::kBlocked}; }

// Runs node 0 of a graph on the cpu with the scratch memory that it asks for.
void Run(const Graph& graph, const std::vector<void*>& inputs, const std::vector<void*>& outputs) {
  CompileOptions options;
  options.training = true;
  const auto lowered = CpuBackend().Lower(graph, graph.nodes()[0], options);
  ASSERT_TRUE(lowered.ok()) << lowered.status();
  ASSERT_TRUE(lowered->kernel_name.starts_with("fovea:batch_norm")) << lowered->kernel_name;
  const auto scratch = CpuBackend().Allocate(lowered->scratch_bytes);
  ASSERT_TRUE(scratch.ok()) << scratch.status();
  const auto stream = CpuBackend().NewStream();
  ASSERT_TRUE(stream.ok()) << stream.status();
  const auto bound = lowered->kernel->Bind(**stream, inputs, outputs, (*scratch)->address());
  ASSERT_TRUE(bound.ok()) << bound.status();
  ASSERT_TRUE((*bound)->Run().ok());
}

struct Forward {
  std::vector<float> y, mean, variance;
};

Forward RunForward(const std::vector<float>& x, int width) {
  Graph graph;
  const ValueId in = graph.AddInput("x", {DType::kF32, Blocked().dims});
  const auto out = graph.Add(
      "norm", BatchNormTraining{0, true},
      {in, graph.AddParameter("scale", {kChannels}), graph.AddParameter("shift", {kChannels})});
  EXPECT_TRUE(out.ok()) << out.status();
  for (ValueId value : {in, graph.nodes()[0].outputs[0], graph.nodes()[0].outputs[3]}) {
    graph.mutable_value(value).type.layout = cpu::kBlocked;
  }
  const ScopedWidth scoped(width);
  Forward result = {std::vector<float>(kCount), std::vector<float>(kChannels),
                    std::vector<float>(kChannels)};
  std::vector<float> values = x, scale(kChannels, 1.5f), shift(kChannels, 0.25f);
  Run(graph, {values.data(), scale.data(), shift.data()},
      {result.y.data(), result.mean.data(), result.variance.data(), nullptr});
  return result;
}

// Channel c has mean 100 c and deviation 1, but begins in every image with a value far off.
std::vector<float> FarFromZero() {
  Random random(3);
  std::vector<float> x(kCount);
  for (int64_t i = 0; i < kCount; ++i) {
    const int64_t channel = i % kChannels, pixel = i / kChannels % kPixels;
    const double apart = pixel == 0 ? 20 : random.Normal();
    x[i] = static_cast<float>(100 * static_cast<double>(channel) + apart);
  }
  return x;
}

bool HasKernel() { return cpu::HasOwnBatchNorm(Blocked()); }

TEST(OwnBatchNorm, FindsTheMomentsOfValuesFarFromZero) {
  if (!HasKernel()) GTEST_SKIP() << "the kernel needs AVX-512";
  const std::vector<float> x = FarFromZero();
  const Forward got = RunForward(x, 2);
  const auto n = static_cast<double>(kBatch * kPixels);
  for (int64_t c = 0; c < kChannels; ++c) {
    double sum = 0, squares = 0;
    for (int64_t i = c; i < kCount; i += kChannels) sum += static_cast<double>(x[i]);
    for (int64_t i = c; i < kCount; i += kChannels) {
      squares += std::pow(static_cast<double>(x[i]) - sum / n, 2);
    }
    EXPECT_NEAR(got.mean[c], sum / n, 1e-7 * std::abs(sum / n) + 1e-6) << c;
    EXPECT_NEAR(got.variance[c], squares / n, 4e-6 * squares / n) << c;
  }
}

TEST(OwnBatchNorm, DoesNotDependOnTheWidth) {
  if (!HasKernel()) GTEST_SKIP() << "the kernel needs AVX-512";
  const std::vector<float> x = FarFromZero();
  const Forward one = RunForward(x, 1), three = RunForward(x, 3);
  EXPECT_EQ(one.y, three.y);
  EXPECT_EQ(one.mean, three.mean);
  EXPECT_EQ(one.variance, three.variance);
}

}  // namespace
}  // namespace fovea
