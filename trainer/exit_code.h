// The exit codes of fovea-trainer, for scripts.
#pragma once

namespace fovea {

enum ExitCode : int {
  kExitDone = 0,       // the model is staged
  kExitFailed = 1,     // the error is on stderr, and in the last message of the events
  kExitUsage = 2,      // wrong options
  kExitCancelled = 3,  // a checkpoint is kept; --resume goes on from it
  kExitBusy = 4,       // another process holds the output folder or the data set
};

}  // namespace fovea
