// Convolutions of few channels a group by our own kernel (grouped_conv_rows.h), and when.
//
// A thread takes rows of the output, of all images and blocks in order. It keeps the rows under the
// window with their padding, a ring in its cache, so that the loops know no borders.
#include <omp.h>

#include <algorithm>
#include <array>
#include <utility>

#include "core/backend/cpu/grouped_conv_rows.h"
#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/products.h"
#include "core/backend/cpu/rows.h"
#include "core/backend/cpu/vectors.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kKernel = 3;

// Shapes, and a thread's memory: the ring's rows and one of zeros. Offsets in floats.
struct Shape {
  explicit Shape(const ConvProblem& problem)
      : conv(problem.conv),
        x(problem.x.dims),
        y(problem.y.dims),
        blocks(x[1] / kLanes),
        row_floats(kLanes * std::max((y[3] - 1) * conv.window.stride[1] + kKernel,
                                     x[3] + conv.window.pad[1])),
        part_floats((kKernel + 1) * row_floats) {}

  Conv conv;
  Dims x, y;
  int64_t blocks;
  int64_t row_floats, part_floats;
};

// One thread's share.
class Part {
 public:
  Part(const Shape& shape, Addresses inputs, Addresses outputs, float* memory)
      : shape_(shape),
        x_(At<float>(inputs, 0)),
        weights_(At<float>(inputs, 1)),
        bias_(shape.conv.has_bias ? At<float>(inputs, 2) : nullptr),
        y_(At<float>(outputs, 0)),
        ring_(memory),
        zeros_(memory + kKernel * shape.row_floats) {
    stage_.group_channels = static_cast<int>(shape.x[1] / shape.conv.group);
    stage_.stride = shape.conv.window.stride[1];
    stage_.adds = shape.conv.has_residual;
    stage_.activation = shape.conv.activation;
    std::fill_n(memory, shape.part_floats, 0.0f);
  }

  // Rows [begin, end) of all blocks' outputs.
  void Run(int64_t begin, int64_t end) {
    const int64_t height = shape_.y[2];
    for (int64_t row = begin; row < end; ++row) {
      const int64_t plane = row / height, oy = row % height;
      if (row == begin || oy == 0) Enter(plane % shape_.blocks);
      RunRow(plane, oy);
    }
  }

 private:
  void Enter(int64_t block) {
    next_ = 0;
    stage_.weights = weights_ + block * stage_.group_channels * kKernel * kKernel * kLanes;
    if (bias_ != nullptr) stage_.bias = bias_ + block * kLanes;
  }

  void RunRow(int64_t plane, int64_t oy) {
    const int64_t width = shape_.x[3], height = shape_.x[2];
    const int64_t top = oy * shape_.conv.window.stride[0] - shape_.conv.window.pad[0];
    const int64_t last = std::min(top + kKernel, height);  // behind it
    for (int64_t iy = std::max({top, next_, int64_t{0}}); iy < last; ++iy) {
      std::copy_n(x_ + (plane * height + iy) * width * kLanes, width * kLanes,
                  Slot(iy) + shape_.conv.window.pad[1] * kLanes);
    }
    next_ = std::max(next_, last);
    const float* rows[kKernel];
    for (int64_t kh = 0; kh < kKernel; ++kh) {
      const bool inside = top + kh >= 0 && top + kh < height;
      rows[kh] = inside ? Slot(top + kh) : zeros_;
    }
    rows::RunGrouped(stage_, rows, y_ + (plane * shape_.y[2] + oy) * shape_.y[3] * kLanes,
                     shape_.y[3]);
  }

  float* Slot(int64_t iy) { return ring_ + iy % kKernel * shape_.row_floats; }

  const Shape& shape_;
  const float *x_, *weights_, *bias_;
  float* y_;
  float *ring_, *zeros_;
  rows::Grouped stage_;
  int64_t next_ = 0;  // the first input row that is not in the ring
};

}  // namespace

// Milliseconds of oneDNN's direct kernel and of ours in the blocked layout, two threads of an AMD
// Zen 4, batch 8:
//   channels, side, channels a group, stride
//   128, 56, 4, 1                               3.55  / 1.22
//   256, 28, 4, 1                               1.46  / 0.61
//   256, 7, 4, 1                                0.117 / 0.043
//   128, 56, 4, 2                               1.00  / 0.56
//   128, 56, 2, 1                               6.19  / 0.69
// With 8 channels a group oneDNN's reaches three quarters of the processor's peak.
bool OwnGroupedPays(const ConvProblem& problem) {
  const Conv& conv = problem.conv;
  const Window& window = conv.window;
  const int64_t channels = problem.x.dims[1], group_channels = channels / conv.group;
  const auto is_f32 = [](const Type& type) { return type.dtype == DType::kF32; };
  return HasAvx512() && BlockChannels() == kLanes && problem.direction == Direction::kForward &&
         is_f32(problem.x) && is_f32(problem.w) && is_f32(problem.y) &&
         (group_channels == 2 || group_channels == 4) && channels % kLanes == 0 &&
         problem.y.dims[1] == channels && window.kernel == std::array{3, 3} &&
         window.stride[0] == window.stride[1] && window.stride[0] <= 2 &&
         window.dilation == std::array{1, 1} && rows::HasActivation(conv.activation);
}

Lowered LowerOwnGrouped(const ConvProblem& problem) {
  const Shape shape(problem);
  const int64_t count = shape.y[0] * shape.blocks * shape.y[2];
  const int64_t parts = std::min<int64_t>(omp_get_max_threads(), count);
  return LowerHost("fovea:grouped_3x3", parts * shape.part_floats * sizeof(float),
                   [=](Addresses inputs, Addresses outputs, void* scratch) {
                     ParallelRanges(parts, 1, [&](int64_t begin, int64_t end) {
                       for (int64_t part = begin; part < end; ++part) {
                         float* const memory =
                             static_cast<float*>(scratch) + part * shape.part_floats;
                         Part(shape, inputs, outputs, memory)
                             .Run(count * part / parts, count * (part + 1) / parts);
                       }
                     });
                   });
}

}  // namespace fovea::cpu
