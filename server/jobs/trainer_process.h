// TrainerProcess: a running fovea-trainer and the pipe its messages come through.
//
// Started with posix_spawn, never fork: OpenMP and gRPC do not survive it. The child gets the write
// end of a pipe (--events-fd) and its own log file as stderr; it ends by itself when the pipe has
// no reader any more. Read is for one thread; Stop may be called from any other.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

class TrainerProcess {
 public:
  struct Options {
    std::string executable;
    std::string job_file;    // text-format v1.TrainerJob
    std::string log_file;    // replaced; the child's stdout and stderr
    bool background = true;  // the child runs on what serving leaves (SCHED_IDLE)
    // How long Stop waits for the checkpoint before it kills.
    absl::Duration grace = absl::Seconds(30);
  };

  // NotFound or PermissionDenied, naming the executable, when it cannot be started.
  static absl::StatusOr<std::unique_ptr<TrainerProcess>> Start(Options options);
  // Kills the child if it runs, and waits for it.
  ~TrainerProcess();
  TrainerProcess(const TrainerProcess&) = delete;
  TrainerProcess& operator=(const TrainerProcess&) = delete;

  // The next message, waiting for it; absent at the end of the pipe. DataLoss when the bytes are no
  // messages, also when the child died in the middle of one.
  absl::StatusOr<std::optional<v1::TrainerMessage>> Read();

  // Asks for a checkpoint and an end (SIGTERM); after the grace period Read kills. Thread-safe.
  void Stop();
  void Kill();
  bool stopping() const;

  // Waits for the child's end. OK: exit code 0. Otherwise a message for people with the signal or
  // the exit code and the last lines of its log. After the last Read.
  absl::Status Wait();

  pid_t pid() const { return pid_; }

 private:
  TrainerProcess(Options options, pid_t pid, int fd)
      : options_(std::move(options)), pid_(pid), fd_(fd) {}
  absl::StatusOr<bool> Fill();  // false at the end of the pipe
  void Signal(int signal) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  const pid_t pid_;
  const int fd_;        // the pipe's read end
  std::string buffer_;  // received, not yet parsed
  mutable absl::Mutex mutex_;
  bool reaped_ ABSL_GUARDED_BY(mutex_) = false;  // the pid may be another process' now
  std::optional<absl::Time> kill_at_ ABSL_GUARDED_BY(mutex_);
};

// The message for people about an ended child: wait status, last lines of its log. OK for exit 0.
absl::Status DescribeExit(int wait_status, const std::string& log_tail);

}  // namespace fovea
