// ExitWatcher: the thread that notices what ends a trainer from outside, and cancels the run.
//
//   SIGTERM, SIGINT      cancel: the run saves a checkpoint after its current step; a second one
//                        ends the process at once
//   the events pipe has no reader any more (the server is gone): cancel, and after a grace period
//                        end the process, so that a restarted server finds the job's lock free
// PR_SET_PDEATHSIG would not do: it fires at the end of the thread that started us, not of the
// server.
#pragma once

#include <thread>

#include "core/base/cancel.h"

namespace fovea {

class ExitWatcher {
 public:
  // Blocks the two signals in the calling thread and in those it starts from then on: to be called
  // before there are others. events_fd: the pipe to watch, −1 for none. `cancel` outlives this.
  ExitWatcher(int events_fd, CancelToken* cancel);
  ~ExitWatcher();
  ExitWatcher(const ExitWatcher&) = delete;
  ExitWatcher& operator=(const ExitWatcher&) = delete;

 private:
  void Run();
  void OnSignal();

  int events_fd_;  // −1 once it has no reader
  CancelToken* const cancel_;
  int signal_fd_ = -1;
  int stop_fd_ = -1;
  std::thread thread_;
};

}  // namespace fovea
