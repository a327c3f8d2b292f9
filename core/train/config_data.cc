// How pictures come to the step: cache, loader, and the mixing of batches.
#include <algorithm>

#include "core/train/config_part.h"
#include "core/train/config_sections.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

constexpr uint64_t kMaxCacheBytes = uint64_t{1} << 50;
constexpr uint32_t kMaxLoaderThreads = 64;
constexpr uint32_t kMaxPrefetch = 64;

// Bytes of all pictures of the data set, decoded.
uint64_t DecodedBytes(const ConfigFill& fill, const v1::TrainingConfig& config) {
  return static_cast<uint64_t>(fill.data().total()) * PixelShapeOf(config).bytes();
}

void FillLoader(ConfigFill& fill, v1::TrainingConfig& config) {
  if (!config.has_cache_bytes()) {
    config.set_cache_bytes(static_cast<uint64_t>(fill.budget().cache_bytes));
    const uint64_t needed = DecodedBytes(fill, config);
    fill.Chose("cache_bytes", config.cache_bytes(),
               absl::StrCat("half of the memory that is left; all decoded pictures take ", needed,
                            " bytes"));
  }
  if (!config.has_loader_threads()) {
    const bool fits = DecodedBytes(fill, config) <= config.cache_bytes();
    const uint32_t width =
        config.has_width() ? config.width() : static_cast<uint32_t>(fill.default_width());
    config.set_loader_threads(fits ? 1 : std::clamp(width, 1u, kMaxLoaderThreads));
    fill.Chose("loader_threads", config.loader_threads(),
               fits ? "all decoded pictures fit into the cache"
                    : "pictures that do not fit into the cache are decoded again each epoch");
  }
  if (!config.has_prefetch_batches()) {
    config.set_prefetch_batches(2);
    fill.Chose("prefetch_batches", config.prefetch_batches(), "the default");
  }
}

}  // namespace

void FillData(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  FillLoader(fill, config);
  if (config.has_mixup()) {
    PartFill mixup(fill, "mixup", *config.mutable_mixup());
    if (config.has_cutmix()) {
      mixup.Default("probability", 0.5, "cutmix has the other half");
    } else {
      mixup.Default("probability", 1);
    }
    mixup.Default("alpha", 0.2);
  }
  if (config.has_cutmix()) {
    PartFill cutmix(fill, "cutmix", *config.mutable_cutmix());
    cutmix.Default("probability", 0.5);
    cutmix.Default("alpha", 1);
  }
}

void CheckData(ConfigCheck& check) {
  const v1::TrainingConfig& config = check.config();
  if (config.cache_bytes() > kMaxCacheBytes) {
    check.Wrong("cache_bytes", config.cache_bytes(), absl::StrCat("at most ", kMaxCacheBytes));
  }
  check.Count("loader_threads", config.loader_threads(), 1, kMaxLoaderThreads);
  check.Count("prefetch_batches", config.prefetch_batches(), 1, kMaxPrefetch);
  if (config.has_mixup()) {
    PartCheck mixup(check, "mixup", config.mixup());
    mixup.Share("probability");
    mixup.UpTo("alpha", 100);
  }
  if (config.has_cutmix()) {
    PartCheck cutmix(check, "cutmix", config.cutmix());
    cutmix.Share("probability");
    cutmix.UpTo("alpha", 100);
    const double both = config.mixup().probability() + config.cutmix().probability();
    if (config.has_mixup() && both > 1) {
      check.Wrong("cutmix.probability", config.cutmix().probability(),
                  absl::StrCat("at most ", 1 - config.mixup().probability(),
                               ", what mixup.probability leaves of 1"));
    }
  }
}

}  // namespace fovea
