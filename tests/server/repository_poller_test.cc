#include "server/serving/repository_poller.h"

#include "absl/synchronization/blocking_counter.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

TEST(RepositoryPoller, LooksAgainAndAgainUntilItEnds) {
  absl::BlockingCounter looks(3);
  int left = 3;  // of the poller's thread
  const RepositoryPoller poller(absl::Microseconds(1), [&] {
    if (left > 0) looks.DecrementCount();
    if (left > 0) --left;
  });
  looks.Wait();
}

TEST(RepositoryPoller, EndsWithoutWaitingForItsInterval) {
  const RepositoryPoller poller(absl::InfiniteDuration(), [] { ADD_FAILURE() << "looked"; });
}

}  // namespace
}  // namespace fovea
