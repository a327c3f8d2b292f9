// A small pretrained classifier from elsewhere (MLPerf Tiny's ResNet-8 for CIFAR-10), where the
// collection of such files is at hand.

#include <cstdlib>
#include <cstring>

#include "core/backend/reference/reference_backend.h"
#include "core/base/file_system.h"
#include "core/compile/compile.h"
#include "core/onnx/import.h"
#include "core/runtime/executor.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

constexpr char kModel[] = "data/models/resnet8_cifar10_mlperf_tiny.onnx";
constexpr char kCheck[] = "data/models/resnet8_check.npz";
constexpr int kExamples = 4, kPixels = 3 * 32 * 32, kLabels = 10;

std::string Shared(const std::string& name) {
  const char* folder = std::getenv("FOVEA_SHARED");
  return JoinPath(folder != nullptr ? folder : FOVEA_SOURCE_DIR "/../shared", name);
}

// The floats of the `index`-th array in an npz whose members are stored, not compressed.
std::vector<float> Array(const std::string& npz, int index, size_t count) {
  size_t at = npz.find("\x93NUMPY");
  for (; index > 0; --index) at = npz.find("\x93NUMPY", at + 1);
  at = npz.find('\n', at) + 1;
  std::vector<float> values(count);
  EXPECT_LE(at + count * sizeof(float), npz.size());
  std::memcpy(values.data(), npz.data() + at, count * sizeof(float));
  return values;
}

TEST(PretrainedOnnx, AnswersAsItsMakersSay) {
  const auto bytes = FileSystem::Real()->Read(Shared(kModel));
  const auto npz = FileSystem::Real()->Read(Shared(kCheck));
  if (!bytes.ok() || !npz.ok()) GTEST_SKIP() << "no " << Shared(kModel) << " (set FOVEA_SHARED)";
  const auto model = ImportOnnx(*bytes);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto program = Compile(model->graph, ReferenceBackend(), {.allow_slow_kernels = true});
  ASSERT_TRUE(program.ok()) << program.status();
  const auto weights = Weights::Create(ReferenceBackend(), model->graph, {});
  ASSERT_TRUE(weights.ok()) << weights.status();
  for (const auto& [name, tensor] : model->values) {
    ASSERT_TRUE((*weights)->Set(name, tensor.view()).ok()) << name;
  }
  const auto executor = Executor::Create(*program, *weights);
  ASSERT_TRUE(executor.ok()) << executor.status();

  const std::vector<float> inputs = Array(*npz, 0, kExamples * kPixels);
  const std::vector<float> expected = Array(*npz, 1, kExamples * kLabels);
  for (int i = 0; i < kExamples; ++i) {
    const TensorView x = (*executor)->input(0);
    std::memcpy(x.data, &inputs[i * kPixels], kPixels * sizeof(float));
    ASSERT_TRUE((*executor)->Run().ok());
    const float* y = (*executor)->output(0).as<float>();
    for (int label = 0; label < kLabels; ++label) {
      EXPECT_NEAR(y[label], expected[i * kLabels + label], 1e-4) << i << " " << label;
    }
  }
}

}  // namespace
}  // namespace fovea
