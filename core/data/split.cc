#include "core/data/split.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <tuple>

#include "core/base/random.h"

namespace fovea {
namespace {

constexpr int64_t kWhole = 1000000;  // fractions count in millionths

SplitCounts Millionths(const SplitPlan& plan) {
  SplitCounts parts = {std::llround(plan.train_fraction * kWhole),
                       std::llround(plan.validation_fraction * kWhole),
                       std::llround(plan.test_fraction * kWhole)};
  *std::max_element(parts.begin(), parts.end()) += kWhole - (parts[0] + parts[1] + parts[2]);
  return parts;
}

// How many millionths of an image each split lacks when `added` images join `counts`.
SplitCounts Lacks(const SplitCounts& parts, const SplitCounts& counts, int64_t added) {
  const int64_t total = counts[0] + counts[1] + counts[2] + added;
  SplitCounts lacks;
  for (size_t s = 0; s < kSplitCount; ++s) lacks[s] = parts[s] * total - kWhole * counts[s];
  return lacks;
}

// The order of images: by a hash of seed and content, so that no folder or upload order shows.
std::vector<size_t> ShuffledByContent(uint64_t seed, absl::Span<const UnsplitImage> images) {
  std::vector<uint64_t> keys(images.size());
  for (size_t i = 0; i < images.size(); ++i) {
    uint64_t key = 0;
    for (char c : images[i].content_hash.substr(0, 8)) key = key << 8 | static_cast<uint8_t>(c);
    keys[i] = HashKey(seed, key);
  }
  std::vector<size_t> order(images.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return std::tie(keys[a], images[a].content_hash) < std::tie(keys[b], images[b].content_hash);
  });
  return order;
}

class Assigner {
 public:
  Assigner(const SplitPlan& plan, absl::Span<const UnsplitImage> images,
           absl::Span<const SplitCounts> label_counts, const SplitCounts& counts)
      : images_(images),
        parts_(Millionths(plan)),
        lacks_(Lacks(parts_, counts, static_cast<int64_t>(images.size()))),
        left_(label_counts.size()),
        by_label_(label_counts.size()),
        splits_(images.size(), Split::kTrain),
        done_(images.size(), false) {
    order_ = ShuffledByContent(plan.seed, images);
    for (size_t i : order_) {
      for (int32_t label : images[i].labels) by_label_[static_cast<size_t>(label)].push_back(i);
    }
    for (size_t l = 0; l < label_counts.size(); ++l) {
      left_[l] = static_cast<int64_t>(by_label_[l].size());
      label_lacks_.push_back(Lacks(parts_, label_counts[l], left_[l]));
    }
  }

  std::vector<Split> Run() {
    while (true) {
      const size_t label = RarestLabelLeft();
      if (label == left_.size()) break;
      for (size_t i : by_label_[label]) {
        if (!done_[i]) Assign(i, Best(label_lacks_[label]));
      }
    }
    for (size_t i : order_) {
      if (!done_[i]) Assign(i, Best(lacks_));
    }
    return std::move(splits_);
  }

 private:
  size_t RarestLabelLeft() const {
    size_t rarest = left_.size();
    for (size_t l = 0; l < left_.size(); ++l) {
      if (left_[l] > 0 && (rarest == left_.size() || left_[l] < left_[rarest])) rarest = l;
    }
    return rarest;
  }

  size_t Best(const SplitCounts& lacks) const {
    size_t best = kSplitCount;
    for (size_t s = 0; s < kSplitCount; ++s) {
      if (parts_[s] == 0) continue;  // the plan gives this split nothing
      if (best == kSplitCount ||
          std::tie(lacks[s], lacks_[s]) > std::tie(lacks[best], lacks_[best])) {
        best = s;
      }
    }
    return best;
  }

  void Assign(size_t i, size_t split) {
    splits_[i] = static_cast<Split>(split);
    done_[i] = true;
    lacks_[split] -= kWhole;
    for (int32_t label : images_[i].labels) {
      label_lacks_[static_cast<size_t>(label)][split] -= kWhole;
      --left_[static_cast<size_t>(label)];
    }
  }

  absl::Span<const UnsplitImage> images_;
  const SplitCounts parts_;
  SplitCounts lacks_;
  std::vector<int64_t> left_;  // images without a split, by label
  std::vector<std::vector<size_t>> by_label_;
  std::vector<SplitCounts> label_lacks_;
  std::vector<size_t> order_;
  std::vector<Split> splits_;
  std::vector<bool> done_;
};

}  // namespace

std::vector<Split> AssignSplits(const SplitPlan& plan, absl::Span<const UnsplitImage> images,
                                absl::Span<const SplitCounts> label_counts,
                                const SplitCounts& counts) {
  return Assigner(plan, images, label_counts, counts).Run();
}

}  // namespace fovea
