// Convolutions of few channels by our own Winograd kernels (winograd_tiles.h).
//
// Threads take chunks of tiles, a fixed share each, so that a run repeats bit by bit at one width.
// A chunk's points stay in the thread's cache between the transforms and the products.
#include <omp.h>

#include <algorithm>
#include <utility>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/products.h"
#include "core/backend/cpu/winograd_tiles.h"
#include "core/base/check.h"

namespace fovea::cpu {
namespace {

using winograd::kPoints;
using winograd::Tiles;

// Memory between the beginnings of two parts: the same for every kernel, so that a part's memory
// is in its thread's cache when the next kernel begins. Moving it from one core's cache to
// another's cost 0.2 to 0.5 of 1.5 ms.
constexpr int64_t kPartFloats = 1 << 18;

// How the work is divided, and where each part's memory lies: points of weights, of x and of y.
struct Division {
  explicit Division(const winograd::Problem& problem)
      : chunk(problem.x.channels + problem.y.channels <= 64 ? 2 * winograd::kRows
                                                            : winograd::kRows),
        chunks((problem.tiles() + chunk - 1) / chunk),
        parts(std::min<int64_t>(omp_get_max_threads(), chunks)),
        tiles(problem.tiles()),
        weight_points(kPoints * problem.x.channels * problem.y.channels),
        x_points(kPoints * chunk * problem.x.channels) {
    CHECK(weight_points + x_points + kPoints * chunk * problem.y.channels <= kPartFloats);
  }

  size_t bytes() const { return parts * kPartFloats * sizeof(float); }
  static float* WeightPoints(void* memory, int64_t part) {
    return static_cast<float*>(memory) + part * kPartFloats;
  }
  float* XPoints(void* memory, int64_t part) const {
    return WeightPoints(memory, part) + weight_points;
  }
  float* YPoints(void* memory, int64_t part) const { return XPoints(memory, part) + x_points; }

  // Calls body(part) for every part, side by side.
  template <typename Body>
  void ForParts(const Body& body) const {
    ParallelRanges(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) body(part);
    });
  }

  // Calls body(tiles) for the chunks of a part.
  template <typename Body>
  void ForChunks(int64_t part, const Body& body) const {
    for (int64_t c = chunks * part / parts; c < chunks * (part + 1) / parts; ++c) {
      body(Tiles{c * chunk, std::min(chunk, tiles - c * chunk)});
    }
  }

  int64_t chunk, chunks, parts;  // tiles of a chunk
  int64_t tiles;
  int64_t weight_points, x_points;  // floats
};

Lowered LowerParts(const Division& division, ScratchFunction function) {
  Lowered lowered = LowerHost("fovea:winograd_4x3", division.bytes(), std::move(function));
  lowered.scratch_stays = true;
  return lowered;
}

// y = conv(x, w), or with `turned` the data gradient, where x is the gradient of the output. Every
// part transforms the weights for itself: they are few.
Lowered LowerProduct(const winograd::Problem& problem, bool turned) {
  const Division division(problem);
  const int64_t in = problem.x.channels, out = problem.y.channels;
  return LowerParts(division, [=](Addresses inputs, Addresses outputs, void* memory) {
    division.ForParts([&](int64_t part) {
      float* const weights = Division::WeightPoints(memory, part);
      float* const x_points = division.XPoints(memory, part);
      float* const y_points = division.YPoints(memory, part);
      winograd::TransformWeights(At<float>(inputs, 1), turned, in, out, weights);
      division.ForChunks(part, [&](Tiles tiles) {
        winograd::TransformInputs(problem, At<float>(inputs, 0), tiles, division.chunk, x_points);
        winograd::Multiply(x_points, weights, in, out, tiles.count, division.chunk, y_points);
        winograd::TransformOutputs(problem, y_points, tiles, division.chunk, At<float>(outputs, 0));
      });
    });
  });
}

template <typename T>
Lowered LowerWeightGradient(const winograd::Problem& problem) {
  const Division division(problem);
  const int64_t in = problem.x.channels, out = problem.y.channels;
  return LowerParts(division, [=](Addresses inputs, Addresses outputs, void* memory) {
    division.ForParts([&](int64_t part) {
      float* const sums = Division::WeightPoints(memory, part);
      float* const x_points = division.XPoints(memory, part);
      float* const y_points = division.YPoints(memory, part);
      std::fill_n(sums, division.weight_points, 0.0f);
      division.ForChunks(part, [&](Tiles tiles) {
        winograd::TransformInputs(problem, At<T>(inputs, 0), tiles, division.chunk, x_points);
        winograd::TransformGradients(problem, At<T>(inputs, 1), tiles, division.chunk, y_points);
        winograd::MultiplyGradients(x_points, y_points, in, out, tiles.count, division.chunk, sums);
      });
    });
    ParallelRanges(in, 1, [&](int64_t begin, int64_t end) {
      winograd::TransformWeightGradients(static_cast<float*>(memory), kPartFloats,
                                         static_cast<int>(division.parts), in, out, begin, end,
                                         At<float>(outputs, 0));
    });
  });
}

winograd::Images ImagesOf(const Type& type) { return {type.dims[1], type.dims[2], type.dims[3]}; }

}  // namespace

Lowered LowerOwnWinograd(const ConvProblem& problem) {
  const auto& pad = problem.conv.window.pad;
  winograd::Problem forward = {
      ImagesOf(problem.x), ImagesOf(problem.y), problem.x.dims[0], {pad[0], pad[1]}};
  switch (problem.direction) {
    case Direction::kForward:
      return LowerProduct(forward, /*turned=*/false);
    case Direction::kBackwardData: {
      const winograd::Problem backward = {
          forward.y, forward.x, forward.batch, {2 - pad[0], 2 - pad[1]}};
      return LowerProduct(backward, /*turned=*/true);
    }
    case Direction::kBackwardWeights:
      break;
  }
  return problem.x.dtype == DType::kBF16 ? LowerWeightGradient<Bf16>(forward)
                                         : LowerWeightGradient<float>(forward);
}

}  // namespace fovea::cpu
