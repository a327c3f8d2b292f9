#include "core/data/augment.h"

#include <algorithm>
#include <cstring>

#include "core/base/random.h"

namespace fovea {
namespace {

constexpr uint64_t kAugmentStream = 0x6175676d656e74;

// Where a coordinate outside [0, n) comes from: mirrored at the edges as often as needed.
int Reflect(int at, int n) {
  if (n == 1) return 0;
  const int period = 2 * (n - 1);
  at %= period;
  if (at < 0) at += period;
  return at < n ? at : period - at;
}

// One row of pixels, cut at `shift` and then mirrored if asked.
template <int kChannels>
void CopyRow(const uint8_t* source, int width, int shift, bool flip, PadMode pad_mode,
             uint8_t* destination) {
  const int inside_begin = std::clamp(-shift, 0, width);
  const int inside_end = std::clamp(width - shift, 0, width);
  if (!flip && inside_begin < inside_end) {
    std::memcpy(destination + inside_begin * kChannels, source + (inside_begin + shift) * kChannels,
                static_cast<size_t>(inside_end - inside_begin) * kChannels);
  }
  for (int x = 0; x < width; ++x) {
    const bool inside = x >= inside_begin && x < inside_end;
    if (inside && !flip) {
      x = inside_end - 1;  // copied above
      continue;
    }
    uint8_t* to = destination + (flip ? width - 1 - x : x) * kChannels;
    if (!inside && pad_mode == PadMode::kZero) {
      std::memset(to, 0, kChannels);
    } else {
      const int from = inside ? x + shift : Reflect(x + shift, width);
      std::memcpy(to, source + from * kChannels, kChannels);
    }
  }
}

template <int kChannels>
void Apply(const AugmentChoice& choice, PadMode pad_mode, const PixelShape& shape,
           const uint8_t* source, uint8_t* destination) {
  const size_t row_bytes = static_cast<size_t>(shape.width) * kChannels;
  for (int y = 0; y < shape.height; ++y) {
    const int row = choice.flip_vertical ? shape.height - 1 - y : y;
    uint8_t* to = destination + static_cast<size_t>(row) * row_bytes;
    int from = y + choice.shift_y;
    if (from < 0 || from >= shape.height) {
      if (pad_mode == PadMode::kZero) {
        std::memset(to, 0, row_bytes);
        continue;
      }
      from = Reflect(from, shape.height);
    }
    CopyRow<kChannels>(source + static_cast<size_t>(from) * row_bytes, shape.width, choice.shift_x,
                       choice.flip_horizontal, pad_mode, to);
  }
}

}  // namespace

AugmentChoice ChooseAugment(const AugmentOptions& options, uint64_t seed, int64_t step,
                            int64_t example) {
  // All draws are made whatever the options, so that switching one off leaves the others alone.
  Random random(
      HashKey(seed, kAugmentStream, static_cast<uint64_t>(step), static_cast<uint64_t>(example)));
  const uint64_t shifts = 2 * static_cast<uint64_t>(options.pad_pixels) + 1;
  AugmentChoice choice;
  choice.shift_x = static_cast<int>(random.Below(shifts)) - options.pad_pixels;
  choice.shift_y = static_cast<int>(random.Below(shifts)) - options.pad_pixels;
  choice.flip_horizontal = random.Uniform() < options.flip_horizontal;
  choice.flip_vertical = random.Uniform() < options.flip_vertical;
  return choice;
}

void ApplyAugment(const AugmentChoice& choice, PadMode pad_mode, const PixelShape& shape,
                  const uint8_t* source, uint8_t* destination) {
  if (shape.channels == 1) {
    Apply<1>(choice, pad_mode, shape, source, destination);
  } else {
    Apply<3>(choice, pad_mode, shape, source, destination);
  }
}

}  // namespace fovea
