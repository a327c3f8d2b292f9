// fovea-trainer: trains one model, as a child of fovea-server or by hand.
//
//   fovea-trainer --job FILE --events-fd N          messages of proto/fovea/v1/trainer.proto
//   fovea-trainer --config FILE --dataset FILE --output FOLDER
//   fovea-trainer --output FOLDER --resume          lines on stderr
//
// It holds a lock on the job's folder while it runs (folder_lock.h), stops with a checkpoint on
// SIGTERM, SIGINT or when nobody reads its events (exit_watcher.h), and never touches what serves.
// Exit codes: exit_code.h.
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/cancel.h"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "core/model/format.h"
#include "trainer/console_sink.h"
#include "trainer/exit_code.h"
#include "trainer/exit_watcher.h"
#include "trainer/folder_lock.h"
#include "trainer/job.h"
#include "trainer/losses_sink.h"
#include "trainer/options.h"
#include "trainer/pipe_sink.h"
#include "trainer/run_job.h"

namespace fovea {
namespace {

// The trainer of an attempt before is about to end when its server has ended.
constexpr absl::Duration kLockPatience = absl::Seconds(60);
constexpr absl::Duration kPipeInterval = absl::Milliseconds(200);
constexpr absl::Duration kConsoleInterval = absl::Seconds(1);

void UseIdleTimeOnly() {
  const sched_param none = {};
  if (sched_setscheduler(0, SCHED_IDLE, &none) != 0) {
    LogWarning("cannot run in the background", {{"status", ErrnoToStatus(errno, "set", "policy")}});
  }
}

// libgomp reads its settings before main: they are set for a second start of this program. Threads
// that spin for long at the end of a parallel region cost others their time when cores are shared,
// most of all the region's own late threads (measured at a load of 12: eight times as slow).
void ReexecuteWithSpinCount(char** argv) {
  if (getenv("GOMP_SPINCOUNT") != nullptr || getenv("OMP_WAIT_POLICY") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/1);
  execv("/proc/self/exe", argv);
  // Still here: it could not be started again; slower regions are no reason not to train.
}

int ExitCodeOf(const absl::Status& status) {
  if (status.ok()) return kExitDone;
  if (absl::IsCancelled(status)) return kExitCancelled;
  if (absl::IsUnavailable(status)) return kExitBusy;
  return kExitFailed;
}

// What the finished model is like, for a person.
void PrintResult(const v1::TrainerResult& result) {
  const auto manifest = ReadManifest(FileSystem::Real(), result.staged_folder());
  if (!manifest.ok()) return;
  const char* split = manifest->report().split() == v1::SPLIT_TEST ? "test" : "validation";
  std::fprintf(stderr, "%s of epoch %u: %s\nmodel: %s\n", split, manifest->training().epoch(),
               MeasuresText(manifest->report().measures()).c_str(), result.staged_folder().c_str());
}

absl::StatusOr<v1::TrainerResult> Train(const v1::TrainerJob& job, const TrainerOptions& options,
                                        absl::Duration interval, EventSink* events,
                                        const CancelToken* cancel) {
  if (options.losses.empty()) return RunJob(job, interval, events, cancel);
  ASSIGN_OR_RETURN(const std::unique_ptr<LossesSink> losses,
                   LossesSink::Open(options.losses, events));
  return RunJob(job, interval, losses.get(), cancel);
}

absl::StatusOr<v1::TrainerResult> TrainAsChild(const TrainerOptions& options, EventSink* events,
                                               const CancelToken* cancel) {
  ASSIGN_OR_RETURN(v1::TrainerJob job, ReadJob(options));
  ASSIGN_OR_RETURN(const auto lock, FolderLock::Take(job.output_folder(), kLockPatience, cancel));
  RETURN_IF_ERROR(CompleteJob(job));
  return Train(job, options, kPipeInterval, events, cancel);
}

absl::StatusOr<v1::TrainerResult> TrainByHand(const TrainerOptions& options,
                                              const CancelToken* cancel) {
  ASSIGN_OR_RETURN(v1::TrainerJob job, ReadJob(options));
  ASSIGN_OR_RETURN(const auto lock,
                   FolderLock::Take(job.output_folder(), absl::ZeroDuration(), cancel));
  RETURN_IF_ERROR(CompleteJob(job));
  for (const v1::Choice& choice : job.choices()) {
    std::fprintf(stderr, "%s = %s (%s)\n", choice.name().c_str(), choice.value().c_str(),
                 choice.reason().c_str());
  }
  RETURN_IF_ERROR(KeepJob(job));
  ConsoleSink console;
  return Train(job, options, kConsoleInterval, &console, cancel);
}

int RunAsChild(const TrainerOptions& options, const CancelToken* cancel) {
  PipeSink events(options.events_fd);
  const absl::StatusOr<v1::TrainerResult> result = TrainAsChild(options, &events, cancel);
  // A pipe that nobody reads takes no message; then the log is all there is.
  if (const absl::Status told = events.Finish(result); !told.ok()) {
    LogError("the end was not told", {{"status", told}, {"result", result.status()}});
  }
  return ExitCodeOf(result.status());
}

int RunByHand(const TrainerOptions& options, const CancelToken* cancel) {
  const absl::StatusOr<v1::TrainerResult> result = TrainByHand(options, cancel);
  if (result.ok()) {
    PrintResult(*result);
  } else {
    std::fprintf(stderr, "error: %s\n", std::string(result.status().message()).c_str());
  }
  return ExitCodeOf(result.status());
}

int Main(int argc, char** argv) {
  ReexecuteWithSpinCount(argv);
  const ParsedOptions parsed = ParseTrainerOptions(argc, argv);
  if (!parsed.options.has_value()) return parsed.exit_code;
  const TrainerOptions& options = *parsed.options;
  if (const absl::Status level = SetLogLevel(options.log_level); !level.ok()) {
    std::fprintf(stderr, "--log-level: %s\n", std::string(level.message()).c_str());
    return kExitUsage;
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (options.background) UseIdleTimeOnly();
  CancelToken cancel;
  const ExitWatcher watcher(options.events_fd, &cancel);
  return options.events_fd >= 0 ? RunAsChild(options, &cancel) : RunByHand(options, &cancel);
}

}  // namespace
}  // namespace fovea

int main(int argc, char** argv) { return fovea::Main(argc, argv); }
