// Convolutions of few channels by our own Winograd kernels (winograd_tiles.h).
//
// Threads take chunks of tiles, a fixed share each, so that a run repeats bit by bit at one width.
// A chunk's points stay in the thread's cache between the transforms and the products.
#include <omp.h>

#include <algorithm>

#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/products.h"
#include "core/backend/cpu/winograd_tiles.h"

namespace fovea::cpu {
namespace {

using winograd::kPoints;
using winograd::Tiles;

// How the work is divided, and where each thread's points lie in the scratch memory.
struct Division {
  Division(const winograd::Problem& problem, int64_t shared_floats)
      : chunk(problem.x.channels + problem.y.channels <= 64 ? 2 * winograd::kRows
                                                            : winograd::kRows),
        chunks((problem.tiles() + chunk - 1) / chunk),
        parts(std::min<int64_t>(omp_get_max_threads(), chunks)),
        shared(shared_floats),
        x_points(kPoints * chunk * problem.x.channels),
        y_points(kPoints * chunk * problem.y.channels),
        tiles(problem.tiles()) {}

  size_t bytes() const { return (shared + parts * (x_points + y_points)) * sizeof(float); }
  float* XPoints(float* scratch, int64_t part) const {
    return scratch + shared + part * (x_points + y_points);
  }
  float* YPoints(float* scratch, int64_t part) const { return XPoints(scratch, part) + x_points; }

  // Calls body(part, tiles) for the chunks of every part, the parts side by side.
  template <typename Body>
  void ForChunks(const Body& body) const {
    ParallelRanges(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t part = begin; part < end; ++part) {
        for (int64_t c = chunks * part / parts; c < chunks * (part + 1) / parts; ++c) {
          body(part, Tiles{c * chunk, std::min(chunk, tiles - c * chunk)});
        }
      }
    });
  }

  int64_t chunk, chunks, parts;  // tiles of a chunk
  int64_t shared;                // floats before the parts' own
  int64_t x_points, y_points;    // floats of a part
  int64_t tiles;
};

int64_t WeightPoints(const winograd::Problem& problem) {
  return kPoints * problem.x.channels * problem.y.channels;
}

// y = conv(x, w), or with `turned` the data gradient, where x is the gradient of the output.
Lowered LowerProduct(const winograd::Problem& problem, bool turned) {
  const Division division(problem, WeightPoints(problem));
  const int64_t in = problem.x.channels, out = problem.y.channels;
  return LowerHost(
      "fovea:winograd_4x3", division.bytes(),
      [=](Addresses inputs, Addresses outputs, void* memory) {
        float* const weights = static_cast<float*>(memory);
        ParallelRanges(out, winograd::kLanes, [&](int64_t begin, int64_t end) {
          winograd::TransformWeights(At<float>(inputs, 1), turned, in, out, begin, end, weights);
        });
        division.ForChunks([&](int64_t part, Tiles tiles) {
          float* const x_points = division.XPoints(weights, part);
          float* const y_points = division.YPoints(weights, part);
          winograd::TransformInputs(problem, At<float>(inputs, 0), tiles, division.chunk, x_points);
          winograd::Multiply(x_points, weights, in, out, tiles.count, division.chunk, y_points);
          winograd::TransformOutputs(problem, y_points, tiles, division.chunk,
                                     At<float>(outputs, 0));
        });
      });
}

template <typename T>
Lowered LowerWeightGradient(const winograd::Problem& problem) {
  const int64_t in = problem.x.channels, out = problem.y.channels, points = WeightPoints(problem);
  const int64_t parts = Division(problem, 0).parts;
  const Division division(problem, parts * points);
  return LowerHost(
      "fovea:winograd_4x3", division.bytes(),
      [=](Addresses inputs, Addresses outputs, void* memory) {
        float* const sums = static_cast<float*>(memory);
        ParallelRanges(parts, 1, [&](int64_t begin, int64_t end) {
          std::fill(sums + begin * points, sums + end * points, 0.0f);
        });
        division.ForChunks([&](int64_t part, Tiles tiles) {
          float* const x_points = division.XPoints(sums, part);
          float* const y_points = division.YPoints(sums, part);
          winograd::TransformInputs(problem, At<T>(inputs, 0), tiles, division.chunk, x_points);
          winograd::TransformGradients(problem, At<T>(inputs, 1), tiles, division.chunk, y_points);
          winograd::MultiplyGradients(x_points, y_points, in, out, tiles.count, division.chunk,
                                      sums + part * points);
        });
        ParallelRanges(in, 1, [&](int64_t begin, int64_t end) {
          winograd::TransformWeightGradients(sums, static_cast<int>(parts), in, out, begin, end,
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
