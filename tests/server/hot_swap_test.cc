// What a server lives through in months: version after version takes over while requests run, and
// nothing of the old ones stays.
#include <malloc.h>

#include <atomic>
#include <filesystem>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "server/serving/predictor.h"
#include "tests/server/model_manager_fixture.h"

namespace fovea::testing {
namespace {

class HotSwapTest : public ModelManagerTest {
 protected:
  HotSwapTest() {
    options_.served.backend = *FindBackend("cpu");
    options_.served.executors = 2;
  }

  // One picture through the whole path; waits for the answer.
  absl::Status PredictWith(ModelHandle model) {
    PredictRequest request;
    request.model = std::move(model);
    request.images = {{pixels_, PixelShape{4, 4, 1}}};
    absl::Status status;
    absl::Notification done;
    predictor_.Predict(std::move(request), [&](const PredictResult& result) {
      status = result.status;
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }

  DecodeQueue decoders_{{.threads = 2, .slots = &slots_}};
  const Predictor predictor_{{.decoders = &decoders_, .limits = {}, .metrics = metrics_.predict}};
  const std::string pixels_ = std::string(16, '\x40');
};

// Counts what the clients of a swap test got.
class Tickets {
 public:
  void Add() {
    absl::MutexLock lock(&mutex_);
    ++count_;
  }
  void WaitFor(int count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return count_ >= count; };
    mutex_.Await(absl::Condition(&reached));
  }
  int count() {
    absl::MutexLock lock(&mutex_);
    return count_;
  }

 private:
  absl::Mutex mutex_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

TEST_F(HotSwapTest, NoRequestFailsAcrossTwentySwapsAndNoClientIsAnsweredByAnOlderVersionAgain) {
  constexpr int kSwaps = 20, kRequests = 10'000, kClients = 4;
  Publish();
  StartAndWait();
  Tickets answered;
  std::atomic<int> failed = 0, went_back = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> clients;
  for (int i = 0; i < kClients; ++i) {
    clients.emplace_back([&] {
      uint64_t last = 0;
      while (!stop) {
        const absl::StatusOr<ModelHandle> model = manager_->AcquireBlocking("digits", std::nullopt);
        if (!model.ok() || !PredictWith(*model).ok()) ++failed;
        if (model.ok() && (*model)->version() < last) ++went_back;
        if (model.ok()) last = (*model)->version();
        answered.Add();
      }
    });
  }
  for (int swap = 1; swap <= kSwaps; ++swap) {
    answered.WaitFor(answered.count() + kRequests / kSwaps);
    EXPECT_TRUE(manager_->Publish("digits", Publish(swap)).ok());
    EXPECT_EQ(manager_->Live("digits", std::nullopt)->version(), swap + 1u);
  }
  stop = true;
  for (std::thread& client : clients) client.join();
  EXPECT_GE(answered.count(), kRequests);
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(went_back, 0);
}

int Threads() {
  int threads = 0;
  for ([[maybe_unused]] const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    ++threads;
  }
  return threads;
}

// Bytes that are allocated and not freed; 0 where the allocator does not tell.
size_t HeapBytes() {
  const struct mallinfo2 heap = mallinfo2();
  return heap.uordblks + heap.hblkhd;
}

TEST_F(HotSwapTest, TwoHundredLoadsAndUnloadsLeaveNeitherMemoryNorThreads) {
  options_.served.width = 2;  // every executor has a pool of OpenMP's beside it
  for (int i = 0; i < 3; ++i) Publish();
  // Versions 1 and 2 by turns: each drives out the other. Ends when all are unloaded.
  const auto cycles = [&](int count) {
    MakeManager();
    StartAndWait();
    for (int i = 0; i < count; ++i) {
      ModelHandle model = *manager_->AcquireBlocking("digits", 1 + i % 2);
      EXPECT_TRUE(PredictWith(std::move(model)).ok());
    }
    manager_.reset();
  };
  cycles(20);
  const size_t bytes = HeapBytes();
  if (bytes == 0) GTEST_SKIP() << "this allocator does not tell; a sanitizer finds leaks itself";
  MakeManager();
  StartAndWait();
  const size_t version_bytes = HeapBytes() - bytes;
  ASSERT_GT(version_bytes, 10'000u);
  const int threads = Threads();
  cycles(180);
  // OpenMP's threads end soon after the thread that they served.
  const absl::Time late = absl::Now() + kPatience;
  while (Threads() > threads && absl::Now() < late) std::this_thread::yield();
  EXPECT_LE(Threads(), threads);
  EXPECT_LT(HeapBytes(), bytes + 5 * version_bytes);
}

}  // namespace
}  // namespace fovea::testing
