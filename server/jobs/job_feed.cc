#include "server/jobs/job_feed.h"

#include <utility>

namespace fovea {

JobFeed::Subscription::~Subscription() {
  absl::MutexLock lock(&feed_->mutex_);
  const auto found = feed_->watchers_.find(job_);
  found->second.erase(key_);
  if (found->second.empty()) feed_->watchers_.erase(found);
}

std::unique_ptr<JobFeed::Subscription> JobFeed::Subscribe(const std::string& job,
                                                          std::function<void()> wake) {
  absl::MutexLock lock(&mutex_);
  const uint64_t key = next_key_++;
  watchers_[job][key] = std::move(wake);
  return std::unique_ptr<Subscription>(new Subscription(this, job, key));
}

void JobFeed::Changed(const std::string& job) {
  absl::MutexLock lock(&mutex_);
  WakeLocked(job);
}

void JobFeed::SetProgress(const std::string& job, v1::JobEvent event) {
  absl::MutexLock lock(&mutex_);
  progress_[job] = {std::move(event), next_sequence_++};
  WakeLocked(job);
}

std::optional<JobFeed::Latest> JobFeed::Progress(const std::string& job) const {
  absl::MutexLock lock(&mutex_);
  const auto found = progress_.find(job);
  if (found == progress_.end()) return std::nullopt;
  return found->second;
}

void JobFeed::ClearProgress(const std::string& job) {
  absl::MutexLock lock(&mutex_);
  progress_.erase(job);
}

void JobFeed::Close() {
  absl::MutexLock lock(&mutex_);
  closed_ = true;
  for (const auto& [job, watchers] : watchers_) WakeLocked(job);
}

bool JobFeed::closed() const {
  absl::MutexLock lock(&mutex_);
  return closed_;
}

void JobFeed::WakeLocked(const std::string& job) {
  const auto found = watchers_.find(job);
  if (found == watchers_.end()) return;
  for (const auto& [key, wake] : found->second) wake();
}

}  // namespace fovea
