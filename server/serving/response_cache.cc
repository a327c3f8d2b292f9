#include "server/serving/response_cache.h"

#include <algorithm>
#include <cstring>

namespace fovea {
namespace {

// What an entry takes beside its row: two nodes with their links, the key in both, and the
// allocator's own.
constexpr size_t kEntryBytes = 256;
constexpr int kRemovedAtOnce = 256;

size_t BytesOf(size_t floats) { return kEntryBytes + floats * sizeof(float); }

}  // namespace

ResponseCache::ResponseCache(size_t max_bytes, Gauge gauge)
    : max_bytes_(max_bytes), gauge_(gauge) {}

ResponseCache::Key ResponseCache::KeyOf(absl::string_view bytes,
                                        const std::optional<PixelShape>& raw) {
  return {Sha256(bytes), raw.value_or(PixelShape{})};
}

// The digest is as good as random.
size_t ResponseCache::KeyHash::operator()(const Key& key) const {
  size_t hash;
  std::memcpy(&hash, key.digest.data(), sizeof(hash));
  return hash;
}

uint64_t ResponseCache::AddVersion() {
  absl::MutexLock lock(&mutex_);
  versions_.try_emplace(++last_version_);
  return last_version_;
}

void ResponseCache::RemoveVersion(uint64_t version) {
  while (true) {
    absl::MutexLock lock(&mutex_);
    const auto found = versions_.find(version);
    if (found == versions_.end()) return;
    for (int i = 0; i < kRemovedAtOnce && !found->second.empty(); ++i) {
      Erase(found->second, found->second.begin());
    }
    if (found->second.empty()) versions_.erase(found);
  }
}

bool ResponseCache::Find(uint64_t version, const Key& key, absl::Span<float> row) {
  absl::MutexLock lock(&mutex_);
  const auto of_version = versions_.find(version);
  if (of_version == versions_.end()) return false;
  const auto found = of_version->second.find(key);
  if (found == of_version->second.end()) return false;
  const Entries::iterator entry = found->second;
  std::copy(entry->row.begin(), entry->row.end(), row.begin());
  entries_.splice(entries_.begin(), entries_, entry);
  return true;
}

void ResponseCache::Insert(uint64_t version, const Key& key, absl::Span<const float> row) {
  const size_t bytes = BytesOf(row.size());
  if (bytes > max_bytes_) return;
  absl::MutexLock lock(&mutex_);
  const auto of_version = versions_.find(version);
  if (of_version == versions_.end()) return;
  const auto [found, is_new] = of_version->second.try_emplace(key);
  if (!is_new) return;  // computed twice at the same time
  entries_.push_front({version, key, {row.begin(), row.end()}});
  found->second = entries_.begin();
  SetBytes(bytes_ + bytes);
  while (bytes_ > max_bytes_) {
    Version& of_oldest = versions_.at(entries_.back().version);
    Erase(of_oldest, of_oldest.find(entries_.back().key));
  }
}

size_t ResponseCache::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

void ResponseCache::Erase(Version& version, Version::iterator entry) {
  SetBytes(bytes_ - BytesOf(entry->second->row.size()));
  entries_.erase(entry->second);
  version.erase(entry);
}

void ResponseCache::SetBytes(size_t bytes) {
  bytes_ = bytes;
  gauge_.Set(static_cast<double>(bytes_));
}

}  // namespace fovea
