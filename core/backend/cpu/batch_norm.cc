// Batch normalisation in training and its gradient, over blocks of 16 channels.
//
// Every thread takes the same images as in the convolutions around, so that they are still in its
// core's cache (oneDNN divides by channels where there are enough: cores then fetch half of the
// values from each other). The moments of each block of each image come first; they are joined in
// the order of the images (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample
// variance", equation 2.1), so that the result does not depend on the width. Images are then read
// backwards, the last ones first.
#include "core/backend/cpu/batch_norm.h"

#include <cmath>

#include "core/backend/cpu/channel_blocks.h"
#include "core/backend/cpu/host_kernel.h"
#include "core/backend/cpu/vectors.h"

namespace fovea::cpu {
namespace {

constexpr int64_t kRun = 256;  // pixels whose sum stays in float

// Two values for each channel of a block: mean and centred squares, or the two sums of a gradient.
struct Pair {
  double first[kLanes];
  double second[kLanes];
};

// y = max(0, scale (x − mean) + shift) in one block.
struct Affine {
  float mean[kLanes], scale[kLanes], shift[kLanes];
};

// dx = scale dy + slope (x − mean) + offset in one block.
struct Slopes {
  float slope[kLanes], offset[kLanes];
};

struct CoefficientsOfBlock {
  Affine affine;
  Slopes slopes;
  double inverse[kLanes];  // of the deviation
};

FOVEA_AVX512_INLINE void Join(const Vector (&sums)[4], double* total) {
  float lanes[kLanes];
  Store((sums[0] + sums[1]) + (sums[2] + sums[3]), lanes);
  for (int64_t lane = 0; lane < kLanes; ++lane) total[lane] += lanes[lane];
}

// Of x − K, where K is the block's first value in each channel: (mean − K)² is then at most
// `pixels` times the variance, which bounds what Σ (x − K)² − (Σ (x − K))² / pixels loses.
template <typename T>
FOVEA_AVX512 void Moments(const T* x, int64_t pixels, Pair* moments) {
  *moments = {};
  Vector shift = {};
  for (int64_t i = 0; i < 4; ++i) shift += 0.25f * Load(x + i * pixels / 4 * kLanes);
  for (int64_t first = 0; first < pixels; first += kRun) {
    const int64_t last = std::min(pixels, first + kRun);
    Vector sums[4] = {}, squares[4] = {};
    int64_t p = first;
    for (; p + 4 <= last; p += 4) {
      for (int i = 0; i < 4; ++i) {
        const Vector shifted = Load(x + (p + i) * kLanes) - shift;
        sums[i] += shifted;
        squares[i] += shifted * shifted;
      }
    }
    for (; p < last; ++p) {
      const Vector shifted = Load(x + p * kLanes) - shift;
      sums[0] += shifted;
      squares[0] += shifted * shifted;
    }
    Join(sums, moments->first);
    Join(squares, moments->second);
  }
  const double each = 1 / static_cast<double>(pixels);
  for (int64_t lane = 0; lane < kLanes; ++lane) {
    const double sum = moments->first[lane];
    moments->first[lane] = sum * each + static_cast<double>(shift[lane]);
    moments->second[lane] = std::max(0.0, moments->second[lane] - sum * sum * each);
  }
}

template <bool kRelu>
FOVEA_AVX512_INLINE Vector Normalised(Vector centred, Vector scale, Vector shift) {
  const Vector y = scale * centred + shift;
  if constexpr (!kRelu) return y;
  return y > 0 ? y : Vector{};
}

template <typename T, bool kRelu>
FOVEA_AVX512 void Normalise(const T* x, int64_t pixels, const Affine& affine, T* y) {
  const Vector mean = Load(affine.mean), scale = Load(affine.scale), shift = Load(affine.shift);
  for (int64_t i = 0; i < pixels * kLanes; i += kLanes) {
    Store(Normalised<kRelu>(Load(x + i) - mean, scale, shift), y + i);
  }
}

// dy where y was positive.
template <bool kRelu>
FOVEA_AVX512_INLINE Vector Passed(Vector dy, Vector centred, Vector scale, Vector shift) {
  if constexpr (!kRelu) return dy;
  return Normalised<false>(centred, scale, shift) > 0 ? dy : Vector{};
}

// Σ dy and Σ dy (x − mean).
template <typename T, bool kRelu>
FOVEA_AVX512 void SumGradients(const T* x, const T* dy, int64_t pixels, const Affine& affine,
                               Pair* sums) {
  const Vector mean = Load(affine.mean), scale = Load(affine.scale), shift = Load(affine.shift);
  *sums = {};
  for (int64_t first = 0; first < pixels; first += kRun) {
    const int64_t last = std::min(pixels, first + kRun);
    Vector plain[4] = {}, products[4] = {};
    int64_t p = first;
    for (; p + 4 <= last; p += 4) {
      for (int i = 0; i < 4; ++i) {
        const Vector centred = Load(x + (p + i) * kLanes) - mean;
        const Vector g = Passed<kRelu>(Load(dy + (p + i) * kLanes), centred, scale, shift);
        plain[i] += g;
        products[i] += g * centred;
      }
    }
    for (; p < last; ++p) {
      const Vector centred = Load(x + p * kLanes) - mean;
      const Vector g = Passed<kRelu>(Load(dy + p * kLanes), centred, scale, shift);
      plain[0] += g;
      products[0] += g * centred;
    }
    Join(plain, sums->first);
    Join(products, sums->second);
  }
}

template <typename T, bool kRelu>
FOVEA_AVX512 void Backward(const T* x, const T* dy, int64_t pixels, const Affine& affine,
                           const Slopes& slopes, T* dx) {
  const Vector mean = Load(affine.mean), scale = Load(affine.scale), shift = Load(affine.shift);
  const Vector slope = Load(slopes.slope), offset = Load(slopes.offset);
  for (int64_t i = 0; i < pixels * kLanes; i += kLanes) {
    const Vector centred = Load(x + i) - mean;
    const Vector g = Passed<kRelu>(Load(dy + i), centred, scale, shift);
    Store(scale * g + (slope * centred + offset), dx + i);
  }
}

// What a run keeps: pairs of every block of every image, coefficients of every block of channels.
struct Memory {
  Memory(const ChannelBlocks& blocks, void* scratch)
      : pairs(static_cast<Pair*>(scratch)),
        coefficients(reinterpret_cast<CoefficientsOfBlock*>(pairs + blocks.count())) {}
  static size_t Bytes(const ChannelBlocks& blocks) {
    return blocks.count() * sizeof(Pair) + blocks.per_example * sizeof(CoefficientsOfBlock);
  }
  Pair* pairs;
  CoefficientsOfBlock* coefficients;
};

// Calls f(block of image, block of channels), a range of images' blocks a thread.
template <typename F>
void ForBlocks(const ChannelBlocks& blocks, bool backwards, const F& f) {
  ParallelRanges(blocks.count(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t b = backwards ? begin + end - 1 - i : i;
      f(b, b % blocks.per_example);
    }
  });
}

// Mean and centred squares of a block of channels over all images.
Pair JoinMoments(const ChannelBlocks& blocks, const Pair* pairs, int64_t block) {
  Pair all = {};
  for (int64_t n = 0; n < blocks.batch; ++n) {
    const Pair& one = pairs[n * blocks.per_example + block];
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      const double apart = one.first[lane] - all.first[lane];
      all.first[lane] += apart / static_cast<double>(n + 1);
      all.second[lane] += one.second[lane] + apart * apart * static_cast<double>(blocks.pixels) *
                                                 static_cast<double>(n) /
                                                 static_cast<double>(n + 1);
    }
  }
  return all;
}

Pair JoinSums(const ChannelBlocks& blocks, const Pair* pairs, int64_t block) {
  Pair all = {};
  for (int64_t n = 0; n < blocks.batch; ++n) {
    const Pair& one = pairs[n * blocks.per_example + block];
    for (int64_t lane = 0; lane < kLanes; ++lane) {
      all.first[lane] += one.first[lane];
      all.second[lane] += one.second[lane];
    }
  }
  return all;
}

double ValuesOfChannel(const ChannelBlocks& blocks) {
  return static_cast<double>(blocks.batch * blocks.pixels);
}

// The affine map of a block of channels; that of padding is 0. Forward and gradient compute it from
// the same floats, so that they agree on where ReLU passed.
void SetAffine(const ChannelBlocks& blocks, int64_t block, float epsilon, const float* scale,
               const float* shift, const float* mean, const float* variance,
               CoefficientsOfBlock* coefficients) {
  *coefficients = {};
  const int64_t c = block * kLanes;
  for (int64_t lane = 0; lane < blocks.used(block); ++lane) {
    const double inverse = 1 / std::sqrt(static_cast<double>(variance[c + lane]) + epsilon);
    coefficients->inverse[lane] = inverse;
    coefficients->affine.mean[lane] = mean[c + lane];
    coefficients->affine.scale[lane] = static_cast<float>(scale[c + lane] * inverse);
    coefficients->affine.shift[lane] = shift[c + lane];
  }
}

template <typename T, bool kRelu>
Lowered TrainingOf(const ChannelBlocks& blocks, float epsilon) {
  return LowerHost("fovea:batch_norm", Memory::Bytes(blocks),
                   [=](Addresses in, Addresses out, void* scratch) {
                     const Memory memory(blocks, scratch);
                     const T* x = At<T>(in, 0);
                     T* y = At<T>(out, 0);
                     float *mean = At<float>(out, 1), *variance = At<float>(out, 2);
                     ForBlocks(blocks, /*backwards=*/false, [&](int64_t b, int64_t) {
                       Moments(x + blocks.offset(b), blocks.pixels, &memory.pairs[b]);
                     });
                     ParallelRanges(blocks.per_example, 1, [&](int64_t begin, int64_t end) {
                       for (int64_t block = begin; block < end; ++block) {
                         const Pair moments = JoinMoments(blocks, memory.pairs, block);
                         for (int64_t lane = 0; lane < blocks.used(block); ++lane) {
                           mean[block * kLanes + lane] = static_cast<float>(moments.first[lane]);
                           variance[block * kLanes + lane] =
                               static_cast<float>(moments.second[lane] / ValuesOfChannel(blocks));
                         }
                         SetAffine(blocks, block, epsilon, At<float>(in, 1), At<float>(in, 2), mean,
                                   variance, &memory.coefficients[block]);
                       }
                     });
                     ForBlocks(blocks, /*backwards=*/true, [&](int64_t b, int64_t block) {
                       Normalise<T, kRelu>(x + blocks.offset(b), blocks.pixels,
                                           memory.coefficients[block].affine, y + blocks.offset(b));
                     });
                   });
}

template <typename T, bool kRelu>
Lowered BackwardOf(const ChannelBlocks& blocks, float epsilon) {
  return LowerHost(
      "fovea:batch_norm_backward", Memory::Bytes(blocks),
      [=](Addresses in, Addresses out, void* scratch) {
        const Memory memory(blocks, scratch);
        const T *x = At<T>(in, 0), *dy = At<T>(in, 1);
        T* dx = At<T>(out, 0);
        float *dscale = At<float>(out, 1), *dshift = At<float>(out, 2);
        for (int64_t block = 0; block < blocks.per_example; ++block) {
          SetAffine(blocks, block, epsilon, At<float>(in, 2), At<float>(in, 3), At<float>(in, 4),
                    At<float>(in, 5), &memory.coefficients[block]);
        }
        ForBlocks(blocks, /*backwards=*/false, [&](int64_t b, int64_t block) {
          SumGradients<T, kRelu>(x + blocks.offset(b), dy + blocks.offset(b), blocks.pixels,
                                 memory.coefficients[block].affine, &memory.pairs[b]);
        });
        ParallelRanges(blocks.per_example, 1, [&](int64_t begin, int64_t end) {
          for (int64_t block = begin; block < end; ++block) {
            const Pair sums = JoinSums(blocks, memory.pairs, block);
            CoefficientsOfBlock& of = memory.coefficients[block];
            for (int64_t lane = 0; lane < blocks.used(block); ++lane) {
              const double inverse = of.inverse[lane];
              const double factor = of.affine.scale[lane] / ValuesOfChannel(blocks);
              dshift[block * kLanes + lane] = static_cast<float>(sums.first[lane]);
              dscale[block * kLanes + lane] = static_cast<float>(sums.second[lane] * inverse);
              of.slopes.slope[lane] =
                  static_cast<float>(-factor * sums.second[lane] * inverse * inverse);
              of.slopes.offset[lane] = static_cast<float>(-factor * sums.first[lane]);
            }
          }
        });
        ForBlocks(blocks, /*backwards=*/true, [&](int64_t b, int64_t block) {
          Backward<T, kRelu>(x + blocks.offset(b), dy + blocks.offset(b), blocks.pixels,
                             memory.coefficients[block].affine, memory.coefficients[block].slopes,
                             dx + blocks.offset(b));
        });
      });
}

}  // namespace

bool HasOwnBatchNorm(const Type& x) {
  if (x.layout != kBlocked || BlockChannels() != kLanes) return false;
  return x.dtype == DType::kBF16 ? HasBf16() : x.dtype == DType::kF32 && HasAvx512();
}

Lowered LowerOwnBatchNormTraining(const NodeView& view, const BatchNormTraining& norm) {
  const ChannelBlocks blocks(view.in(0));
  const bool bf16 = view.in(0).dtype == DType::kBF16;
  if (bf16) {
    return norm.relu ? TrainingOf<Bf16, true>(blocks, norm.epsilon)
                     : TrainingOf<Bf16, false>(blocks, norm.epsilon);
  }
  return norm.relu ? TrainingOf<float, true>(blocks, norm.epsilon)
                   : TrainingOf<float, false>(blocks, norm.epsilon);
}

Lowered LowerOwnBatchNormBackward(const NodeView& view, const BatchNormBackward& norm) {
  const ChannelBlocks blocks(view.in(0));
  const bool bf16 = view.in(0).dtype == DType::kBF16;
  Lowered lowered;
  if (bf16) {
    lowered = norm.relu ? BackwardOf<Bf16, true>(blocks, norm.epsilon)
                        : BackwardOf<Bf16, false>(blocks, norm.epsilon);
  } else {
    lowered = norm.relu ? BackwardOf<float, true>(blocks, norm.epsilon)
                        : BackwardOf<float, false>(blocks, norm.epsilon);
  }
  lowered.may_overwrite_input = 1;
  return lowered;
}

}  // namespace fovea::cpu
