// Group normalisation and its gradient, in any activation layout: an example a thread.
//
// Three passes over an example: the means, the centred squares, and y = a x + b with a and b a
// channel; the gradient likewise. Sums of channels are joined to sums of groups in double.
#include <algorithm>
#include <cmath>

#include "core/backend/cpu/channel_blocks.h"
#include "core/backend/cpu/lower.h"

namespace fovea::cpu {
namespace {

FOVEA_MULTIVERSION
void SumValues(const float* x, int64_t pixels, int64_t lanes, double* sums) {
  SumBlock(
      pixels, lanes, sums, [=](int64_t i, int64_t) __attribute__((always_inline)) { return x[i]; });
}

FOVEA_MULTIVERSION
void SumCentredSquares(const float* x, const float* mean, int64_t pixels, int64_t lanes,
                       double* sums) {
  SumBlock(
      pixels, lanes, sums, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        return (x[i] - mean[lane]) * (x[i] - mean[lane]);
      });
}

FOVEA_MULTIVERSION
void SumCentredProducts(const float* x, const float* mean, const float* dy, int64_t pixels,
                        int64_t lanes, double* sums) {
  SumBlock(
      pixels, lanes, sums, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        return (x[i] - mean[lane]) * dy[i];
      });
}

// y = a (x − mean) + b.
FOVEA_MULTIVERSION
void Affine(const float* x, const float* mean, const float* a, const float* b, int64_t pixels,
            int64_t lanes, float* y) {
  ForBlock(
      pixels, lanes, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        y[i] = a[lane] * (x[i] - mean[lane]) + b[lane];
      });
}

// dx = a dy + p (x − mean) + q.
FOVEA_MULTIVERSION
void AffineBackward(const float* x, const float* mean, const float* dy, const float* a,
                    const float* p, const float* q, int64_t pixels, int64_t lanes, float* dx) {
  ForBlock(
      pixels, lanes, [=](int64_t i, int64_t lane) __attribute__((always_inline)) {
        dx[i] = a[lane] * dy[i] + p[lane] * (x[i] - mean[lane]) + q[lane];
      });
}

// What one example needs: per channel, padded to whole blocks.
constexpr int kFloatRows = 4;   // mean, and three factors
constexpr int kDoubleRows = 3;  // two sums and the inverse deviation

class Example {
 public:
  Example(const ChannelBlocks& blocks, const GroupNorm& norm, void* scratch)
      : blocks_(blocks), norm_(norm), row_(blocks.per_example * blocks.lanes) {
    auto* doubles = static_cast<double*>(scratch);
    first_ = doubles;
    second_ = doubles + row_;
    inverse_ = doubles + 2 * row_;
    auto* floats = reinterpret_cast<float*>(doubles + kDoubleRows * row_);
    std::fill_n(floats, kFloatRows * row_, 0.0f);
    mean_ = floats;
    a_ = floats + row_;
    b_ = floats + 2 * row_;
    c_ = floats + 3 * row_;
  }
  static size_t ScratchBytes(const ChannelBlocks& blocks) {
    return blocks.per_example * blocks.lanes *
           (kDoubleRows * sizeof(double) + kFloatRows * sizeof(float));
  }

  // The mean and the inverse deviation of each channel's group.
  void Moments(const float* x) {
    Sums(first_, [&](int64_t b, double* sums) {
      SumValues(x + At(b), blocks_.pixels, blocks_.lanes, sums);
    });
    ForGroups([&](int64_t begin, int64_t end) {
      const double mean = Total(first_, begin, end) / Elements();
      std::fill(mean_ + begin, mean_ + end, static_cast<float>(mean));
    });
    Sums(second_, [&](int64_t b, double* sums) {
      SumCentredSquares(x + At(b), mean_ + Lane(b), blocks_.pixels, blocks_.lanes, sums);
    });
    ForGroups([&](int64_t begin, int64_t end) {
      const double variance = Total(second_, begin, end) / Elements();
      std::fill(inverse_ + begin, inverse_ + end,
                1 / std::sqrt(variance + static_cast<double>(norm_.epsilon)));
    });
  }

  void Normalise(const float* x, const float* scale, const float* shift, float* y) {
    for (int64_t c = 0; c < blocks_.channels; ++c) {
      a_[c] = static_cast<float>(scale[c] * inverse_[c]);
      b_[c] = shift[c];
    }
    for (int64_t b = 0; b < blocks_.per_example; ++b) {
      Affine(x + At(b), mean_ + Lane(b), a_ + Lane(b), b_ + Lane(b), blocks_.pixels, blocks_.lanes,
             y + At(b));
    }
  }

  // This example's parts of dscale and dshift, and dx.
  void Backward(const float* x, const float* dy, const float* scale, float* dx, double* dscale,
                double* dshift) {
    Sums(first_, [&](int64_t b, double* sums) {
      SumValues(dy + At(b), blocks_.pixels, blocks_.lanes, sums);
    });
    Sums(second_, [&](int64_t b, double* sums) {
      SumCentredProducts(x + At(b), mean_ + Lane(b), dy + At(b), blocks_.pixels, blocks_.lanes,
                         sums);
    });
    for (int64_t c = 0; c < blocks_.channels; ++c) {
      dshift[c] = first_[c];
      dscale[c] = second_[c] * inverse_[c];
      first_[c] *= scale[c];
      second_[c] *= scale[c];
      a_[c] = static_cast<float>(scale[c] * inverse_[c]);
    }
    ForGroups([&](int64_t begin, int64_t end) {
      const double inverse = inverse_[begin];
      const double p = -Total(second_, begin, end) / Elements() * inverse * inverse * inverse;
      const double q = -Total(first_, begin, end) / Elements() * inverse;
      std::fill(b_ + begin, b_ + end, static_cast<float>(p));
      std::fill(c_ + begin, c_ + end, static_cast<float>(q));
    });
    for (int64_t b = 0; b < blocks_.per_example; ++b) {
      AffineBackward(x + At(b), mean_ + Lane(b), dy + At(b), a_ + Lane(b), b_ + Lane(b),
                     c_ + Lane(b), blocks_.pixels, blocks_.lanes, dx + At(b));
    }
  }

 private:
  int64_t At(int64_t b) const { return blocks_.offset(b); }
  int64_t Lane(int64_t b) const { return b * blocks_.lanes; }
  double Elements() const {
    const int64_t channels = blocks_.channels / norm_.groups;
    return static_cast<double>(channels * blocks_.pixels);
  }
  static double Total(const double* sums, int64_t begin, int64_t end) {
    double total = 0;
    for (int64_t c = begin; c < end; ++c) total += sums[c];
    return total;
  }
  template <typename F>
  void Sums(double* sums, F add) {
    std::fill_n(sums, row_, 0.0);
    for (int64_t b = 0; b < blocks_.per_example; ++b) add(b, sums + Lane(b));
  }
  template <typename F>
  void ForGroups(F f) {
    const int64_t size = blocks_.channels / norm_.groups;
    for (int64_t g = 0; g < norm_.groups; ++g) f(g * size, (g + 1) * size);
  }

  const ChannelBlocks& blocks_;
  const GroupNorm& norm_;
  const int64_t row_;
  double *first_, *second_, *inverse_;
  float *mean_, *a_, *b_, *c_;
};

char* Part(void* scratch, int64_t n, size_t bytes) {
  return static_cast<char*>(scratch) + n * bytes;
}

}  // namespace

absl::StatusOr<Lowered> LowerGroupNorm(const NodeView& view, const GroupNorm& norm) {
  const ChannelBlocks blocks(view.in(0));
  const size_t bytes = Example::ScratchBytes(blocks);
  Lowered lowered = LowerHost("fovea:group_norm", bytes * blocks.batch,
                              [=](Addresses in, Addresses out, void* scratch) {
                                ParallelRanges(blocks.batch, 1, [&](int64_t begin, int64_t end) {
                                  for (int64_t n = begin; n < end; ++n) {
                                    const int64_t at = blocks.offset(n * blocks.per_example);
                                    Example example(blocks, norm, Part(scratch, n, bytes));
                                    example.Moments(At<float>(in, 0) + at);
                                    example.Normalise(At<float>(in, 0) + at, At<float>(in, 1),
                                                      At<float>(in, 2), At<float>(out, 0) + at);
                                  }
                                });
                              });
  lowered.may_overwrite_input = 0;
  return lowered;
}

absl::StatusOr<Lowered> LowerGroupNormBackward(const NodeView& view, const GroupNorm& norm) {
  const ChannelBlocks blocks(view.in(0));
  const size_t own = Example::ScratchBytes(blocks);
  const size_t bytes = own + 2 * blocks.channels * sizeof(double);
  return LowerHost("fovea:group_norm_backward", bytes * blocks.batch,
                   [=](Addresses in, Addresses out, void* scratch) {
                     const auto sums = [&](int64_t n) {
                       return reinterpret_cast<double*>(Part(scratch, n, bytes));
                     };
                     ParallelRanges(blocks.batch, 1, [&](int64_t begin, int64_t end) {
                       for (int64_t n = begin; n < end; ++n) {
                         const int64_t at = blocks.offset(n * blocks.per_example);
                         Example example(blocks, norm, sums(n) + 2 * blocks.channels);
                         example.Moments(At<float>(in, 0) + at);
                         example.Backward(At<float>(in, 0) + at, At<float>(in, 1) + at,
                                          At<float>(in, 2), At<float>(out, 0) + at, sums(n),
                                          sums(n) + blocks.channels);
                       }
                     });
                     for (int64_t c = 0; c < blocks.channels; ++c) {
                       double dscale = 0, dshift = 0;
                       for (int64_t n = 0; n < blocks.batch; ++n) {
                         dscale += sums(n)[c];
                         dshift += sums(n)[blocks.channels + c];
                       }
                       At<float>(out, 1)[c] = static_cast<float>(dscale);
                       At<float>(out, 2)[c] = static_cast<float>(dshift);
                     }
                   });
}

}  // namespace fovea::cpu
