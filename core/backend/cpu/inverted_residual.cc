// Inverted residuals row by row: what lies between the three convolutions is never in memory.
//
// A thread takes rows of the output, of all images in order. It keeps the expanded rows under the
// window, a ring in its cache, and one row of the depthwise convolution's output.
#include <omp.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/inverted_residual_rows.h"
#include "core/backend/cpu/lower.h"
#include "core/backend/cpu/products.h"
#include "core/backend/cpu/rows.h"
#include "core/backend/cpu/vectors.h"
#include "core/backend/reference/reference_kernel.h"

namespace fovea::cpu {
namespace {

using rows::Row;

int64_t BlocksOf(int64_t channels) { return (channels + kLanes - 1) / kLanes; }

// Shapes, and where a thread's memory has what. Offsets in floats.
struct Problem {
  Problem(const NodeView& view, const InvertedResidual& op)
      : op(op),
        x(view.in(0).dims),
        y(view.out(0).dims),
        expanded(view.in(op.has_expansion ? 3 : 1).dims[0]),
        padded_width(std::max((y[3] - 1) * op.window.stride[1] + op.window.kernel[1],
                              x[3] + op.window.pad[1])),
        row_floats(padded_width * kLanes),
        ring_floats(BlocksOf(expanded) * op.window.kernel[0] * row_floats),
        part_floats(ring_floats + row_floats + BlocksOf(expanded) * y[3] * kLanes) {}

  InvertedResidual op;
  Dims x, y;
  int64_t expanded;      // channels
  int64_t padded_width;  // pixels of an expanded row
  int64_t row_floats;    // one block of an expanded row
  int64_t ring_floats, part_floats;
};

// One thread's share.
class Part {
 public:
  Part(const Problem& problem, Addresses inputs, Addresses outputs, float* memory)
      : problem_(problem),
        ring_(memory),
        zeros_(ring_ + problem.ring_floats),
        depthwise_row_(zeros_ + problem.row_floats),
        x_(At<float>(inputs, 0)),
        y_(At<float>(outputs, 0)) {
    const InvertedResidual& op = problem.op;
    int i = 1;
    if (op.has_expansion) {
      expansion_ = {problem.x[1],
                    problem.expanded,
                    At<float>(inputs, i),
                    {At<float>(inputs, i + 1), op.expansion}};
      i += 2;
    }
    depthwise_weights_ = At<float>(inputs, i);
    depthwise_bias_ = At<float>(inputs, i + 1);
    projection_ = {problem.expanded,
                   problem.y[1],
                   At<float>(inputs, i + 2),
                   {At<float>(inputs, i + 3), op.projection}};
    if (op.has_residual) residual_ = At<float>(inputs, i + 4);
    std::fill_n(ring_, problem.ring_floats + problem.row_floats, 0.0f);
  }

  // Rows [begin, end) of all images' outputs.
  void Run(int64_t begin, int64_t end) {
    const int64_t height = problem_.y[2];
    for (int64_t row = begin; row < end; ++row) {
      const int64_t image = row / height, oy = row % height;
      if (row == begin || oy == 0) next_ = 0;
      RunRow(image, oy);
    }
  }

 private:
  void RunRow(int64_t image, int64_t oy) {
    const Window& window = problem_.op.window;
    const int64_t top = oy * window.stride[0] - window.pad[0];
    const int64_t first = std::max({top, next_, int64_t{0}});
    const int64_t last = std::min(top + window.kernel[0], problem_.x[2]);  // behind it
    const int64_t blocks = BlocksOf(problem_.expanded);
    for (int64_t block = 0; block < blocks; block += 2) {
      const int64_t end = std::min(block + 2, blocks);
      for (int64_t iy = first; iy < last; ++iy) Expand(image, iy, block, end);
      for (int64_t b = block; b < end; ++b) Filter(top, b);
    }
    next_ = last;
    Project(image, oy);
  }

  // Row iy of the blocks [begin, end) of expanded channels.
  void Expand(int64_t image, int64_t iy, int64_t begin, int64_t end) {
    const Row<const float> x = RowOf(x_, problem_.x, image, iy);
    const int64_t block_floats = problem_.op.window.kernel[0] * problem_.row_floats;
    float* const slot = Slot(0, iy) + problem_.op.window.pad[1] * kLanes;
    if (problem_.op.has_expansion) {
      rows::RunPointwise(expansion_, x, {}, {slot, block_floats}, problem_.x[3], begin, end);
      return;
    }
    for (int64_t b = begin; b < end; ++b) {
      std::copy_n(x.data + b * x.block, problem_.x[3] * kLanes, slot + b * block_floats);
    }
  }

  void Filter(int64_t top, int64_t block) {
    const Window& window = problem_.op.window;
    const float* rows[rows::kMaxKernel];
    for (int64_t kh = 0; kh < window.kernel[0]; ++kh) {
      const bool inside = top + kh >= 0 && top + kh < problem_.x[2];
      rows[kh] = inside ? Slot(block, top + kh) : zeros_;
    }
    const int64_t channel = block * kLanes, taps = window.kernel[0] * window.kernel[1];
    rows::Depthwise stage;
    stage.kernel = window.kernel[0];
    stage.stride = window.stride[0];
    stage.channels = static_cast<int>(std::min(kLanes, problem_.expanded - channel));
    stage.weights = depthwise_weights_ + channel * taps;
    stage.epilogue = {depthwise_bias_ + channel, problem_.op.depthwise};
    rows::RunDepthwise(stage, rows, depthwise_row_ + block * problem_.y[3] * kLanes, problem_.y[3]);
  }

  void Project(int64_t image, int64_t oy) {
    const Row<const float> x = {depthwise_row_, problem_.y[3] * kLanes};
    const Row<const float> residual = RowOf(residual_, problem_.y, image, oy);
    const Row<const float> y = RowOf(y_, problem_.y, image, oy);
    rows::RunPointwise(projection_, x, residual, {const_cast<float*>(y.data), y.block},
                       problem_.y[3], 0, BlocksOf(problem_.y[1]));
  }

  // Row `row` of a blocked image; nothing of nothing.
  static Row<const float> RowOf(const float* images, const Dims& dims, int64_t image, int64_t row) {
    if (images == nullptr) return {};
    const int64_t plane = dims[2] * dims[3] * kLanes;
    return {images + image * BlocksOf(dims[1]) * plane + row * dims[3] * kLanes, plane};
  }

  float* Slot(int64_t block, int64_t iy) {
    const int64_t kernel = problem_.op.window.kernel[0];
    return ring_ + (block * kernel + iy % kernel) * problem_.row_floats;
  }

  const Problem& problem_;
  float *ring_, *zeros_, *depthwise_row_;
  const float* x_;
  float* y_;
  rows::Pointwise expansion_, projection_;
  const float *depthwise_weights_ = nullptr, *depthwise_bias_ = nullptr, *residual_ = nullptr;
  int64_t next_ = 0;  // the first input row that is not in the ring
};

}  // namespace

bool HasInvertedResidualKernel(const NodeView& view, const InvertedResidual& op) {
  const Window& window = op.window;
  const auto square = [](const auto& extents) { return extents[0] == extents[1]; };
  return HasAvx512() && BlockChannels() == kLanes && view.in(0).dtype == DType::kF32 &&
         square(window.kernel) && (window.kernel[0] == 3 || window.kernel[0] == 5) &&
         square(window.stride) && window.stride[0] <= 2 && window.dilation == std::array{1, 1} &&
         rows::HasActivation(op.expansion) && rows::HasActivation(op.depthwise) &&
         rows::HasActivation(op.projection);
}

absl::StatusOr<Lowered> LowerInvertedResidual(const NodeView& view, const InvertedResidual& op,
                                              const CompileOptions& options) {
  if (!HasInvertedResidualKernel(view, op)) {
    if (options.allow_slow_kernels) return LowerReference(view.graph, view.node);
    return absl::UnimplementedError(absl::StrCat("the cpu backend has only a slow kernel for x ",
                                                 view.in(0).ToString(),
                                                 " here; allow_slow_kernels accepts it"));
  }
  const Problem problem(view, op);
  const int64_t count = problem.y[0] * problem.y[2];
  const int64_t parts = std::min<int64_t>(omp_get_max_threads(), count);
  return LowerHost("fovea:inverted_residual", parts * problem.part_floats * sizeof(float),
                   [=](Addresses inputs, Addresses outputs, void* scratch) {
                     ParallelRanges(parts, 1, [&](int64_t begin, int64_t end) {
                       for (int64_t part = begin; part < end; ++part) {
                         float* const memory =
                             static_cast<float*>(scratch) + part * problem.part_floats;
                         Part(problem, inputs, outputs, memory)
                             .Run(count * part / parts, count * (part + 1) / parts);
                       }
                     });
                   });
}

}  // namespace fovea::cpu
