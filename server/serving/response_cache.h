// ResponseCache: what the served versions answered for pictures they have seen: the row of outputs
// (probabilities) of each, from which labels and thresholds are taken as usual.
//
// Bounded in bytes: the row that was used longest ago goes first. A picture is known by the SHA-256
// of its bytes and, when they are pixels, by their shape. A faster hash would do for honest clients
// only: nobody shall make a picture that gets another one's answer; SHA-256 takes a tenth of the
// time of decoding. A version is known by a number of its own, so that one whose number is used
// again after a deletion starts without answers. Thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "core/base/sha256.h"
#include "core/data/image.h"
#include "server/telemetry/instruments.h"

namespace fovea {

class ResponseCache {
 public:
  // `gauge` shows the bytes in use.
  explicit ResponseCache(size_t max_bytes, Gauge gauge = Gauge());
  ResponseCache(const ResponseCache&) = delete;
  ResponseCache& operator=(const ResponseCache&) = delete;

  struct Key {
    Sha256Digest digest;
    PixelShape raw;  // of pixels; empty: an encoded picture
    bool operator==(const Key&) const = default;
  };
  // Reads all of the bytes. Without `raw` they are an encoded picture.
  static Key KeyOf(absl::string_view bytes, const std::optional<PixelShape>& raw);

  // The rows of one served version; they go when it is destroyed. Not longer than the cache.
  class Section {
   public:
    explicit Section(ResponseCache* cache) : cache_(cache), version_(cache->AddVersion()) {}
    ~Section() { cache_->RemoveVersion(version_); }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

    // Copies the picture's row to `row`; false when there is none.
    bool Find(const Key& key, absl::Span<float> row) { return cache_->Find(version_, key, row); }
    // Keeps a row that is no larger than the cache.
    void Insert(const Key& key, absl::Span<const float> row) { cache_->Insert(version_, key, row); }

   private:
    ResponseCache* const cache_;
    const uint64_t version_;
  };

  // In use.
  size_t bytes() const;

 private:
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  struct Entry;
  using Entries = std::list<Entry>;
  using Version = std::unordered_map<Key, Entries::iterator, KeyHash>;
  struct Entry {
    uint64_t version;
    Key key;
    std::vector<float> row;
  };

  // A number that no other version has had.
  uint64_t AddVersion();
  // Forgets the rows some at a time, so that lookups do not wait for all.
  void RemoveVersion(uint64_t version);
  bool Find(uint64_t version, const Key& key, absl::Span<float> row);
  void Insert(uint64_t version, const Key& key, absl::Span<const float> row);
  void SetBytes(size_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase(Version& version, Version::iterator entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const size_t max_bytes_;
  const Gauge gauge_;
  mutable absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  // the last used first
  std::unordered_map<uint64_t, Version> versions_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_version_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace fovea
