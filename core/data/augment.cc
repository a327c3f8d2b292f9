#include "core/data/augment.h"

#include <cstring>

#include "core/base/random.h"
#include "core/base/status.h"

namespace fovea {
namespace {

// Keep the draws of one seed apart.
constexpr uint64_t kCropStream = 0x6175676d656e74;
constexpr uint64_t kTurnStream = 0x7475726e;
constexpr uint64_t kGeometryStream = 0x67656f6d65747279;
constexpr uint64_t kRandStream = 0x72616e646175676d;
constexpr uint64_t kColorStream = 0x636f6c6f7572;
constexpr uint64_t kErasingStream = 0x65726173696e67;

Random Stream(uint64_t stream, const AugmentKey& key) {
  uint64_t example = static_cast<uint64_t>(key.example);
  if (key.repeat > 0) example = HashKey(example, static_cast<uint64_t>(key.repeat));
  return Random(HashKey(key.seed, stream, static_cast<uint64_t>(key.step), example));
}

}  // namespace

absl::Status Augmenter::Apply(const AugmentKey& key, double strength, const uint8_t* source,
                              uint8_t* destination) {
  const uint8_t* from = source;
  if (options_.geometry.enabled()) {
    const Warp warp = ChooseWarp(options_.geometry, shape_, strength, Stream(kGeometryStream, key));
    if (!warp.IsIdentity()) {
      warped_.resize(shape_.bytes());
      RETURN_IF_ERROR(ApplyWarp(warp, options_.pad_mode, shape_, source, warped_.data()));
      from = warped_.data();
    }
  }
  if (options_.crop.enabled()) {
    const uint64_t turn = HashKey(key.seed, kTurnStream, static_cast<uint64_t>(key.example)) +
                          static_cast<uint64_t>(key.epoch);
    const CropChoice choice = ChooseCrop(options_.crop, strength, turn, Stream(kCropStream, key));
    ApplyCrop(choice, options_.pad_mode, shape_, from, destination);
  } else {
    std::memcpy(destination, from, shape_.bytes());
  }
  if (options_.rand.enabled()) {
    RETURN_IF_ERROR(ApplyRandAugment(options_.rand, options_.pad_mode, strength,
                                     Stream(kRandStream, key), shape_, destination, &scratch_));
  }
  if (options_.color.enabled()) {
    const ColorChoice choice = ChooseColor(options_.color, strength, Stream(kColorStream, key));
    RETURN_IF_ERROR(ApplyColor(choice, shape_, destination, &scratch_));
  }
  if (options_.erasing.enabled()) {
    const ErasingChoice choice =
        ChooseErasing(options_.erasing, shape_, strength, Stream(kErasingStream, key));
    ApplyErasing(choice, options_.erasing.fill, shape_, destination);
  }
  return absl::OkStatus();
}

}  // namespace fovea
