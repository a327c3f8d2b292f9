#include "core/data/augment_crop.h"

#include <algorithm>
#include <cstring>

namespace fovea {
namespace {

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
void Apply(const CropChoice& choice, PadMode pad_mode, const PixelShape& shape,
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

CropChoice ChooseCrop(const CropOptions& options, double strength, uint64_t turn, Random random) {
  const uint64_t shifts = 2 * static_cast<uint64_t>(options.pad_pixels) + 1;
  CropChoice choice;
  choice.shift_x = static_cast<int>(random.Below(shifts)) - options.pad_pixels;
  choice.shift_y = static_cast<int>(random.Below(shifts)) - options.pad_pixels;
  choice.flip_horizontal = random.Uniform() < options.flip_horizontal * strength;
  choice.flip_vertical = random.Uniform() < options.flip_vertical * strength;
  if (random.Uniform() >= strength) choice.shift_x = choice.shift_y = 0;
  const bool alternates = random.Uniform() < strength;
  if (options.alternating_flip) choice.flip_horizontal = alternates && turn % 2 == 0;
  return choice;
}

void ApplyCrop(const CropChoice& choice, PadMode pad_mode, const PixelShape& shape,
               const uint8_t* source, uint8_t* destination) {
  if (shape.channels == 1) {
    Apply<1>(choice, pad_mode, shape, source, destination);
  } else {
    Apply<3>(choice, pad_mode, shape, source, destination);
  }
}

}  // namespace fovea
