#include "server/serving/repository_poller.h"

#include <utility>

namespace fovea {

RepositoryPoller::RepositoryPoller(absl::Duration interval, std::function<void()> look)
    : interval_(interval), look_(std::move(look)), thread_([this] { Run(); }) {}

RepositoryPoller::~RepositoryPoller() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

void RepositoryPoller::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), interval_)) return;
    }
    look_();
  }
}

}  // namespace fovea
