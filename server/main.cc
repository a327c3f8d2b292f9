// fovea-server: flags, signals and the exit code around App.
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/base/status.h"
#include "server/app.h"
#include "server/config.h"

namespace {

using fovea::App;
using fovea::Config;

// libgomp reads its settings before main: they are set for a second start of this program. A short
// spin keeps parallel regions fast (a passive wait costs five times as much) and idle cores idle.
void ReexecuteWithSpinCount(char** argv) {
  if (getenv("GOMP_SPINCOUNT") != nullptr) return;
  setenv("GOMP_SPINCOUNT", "1000", 1);
  std::error_code error;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", error).string();
  execv(self.c_str(), argv);
  // Still here: it could not be started again; slower regions are no reason not to serve.
}

// Distributions build Abseil with its checker of lock order, which costs every lock of gRPC and of
// Fovea a search under a lock of the whole process. Tests run with it.
void LockUnchecked() { absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore); }

// glibc gives threads up to eight heaps a core by default. What one thread allocates another frees
// here, and each heap grows to the most that it ever held: one a core is enough, and keeps the
// memory of a busy server where it is.
void ShareHeaps() {
  mallopt(M_ARENA_MAX, static_cast<int>(std::max(1u, std::thread::hardware_concurrency())));
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

void WaitForStopSignal() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  while (sigwait(&signals, &signal) != 0) {
  }
}

// The file first: who reads the line finds it.
absl::Status TellPorts(const Config& config, const App& app) {
  if (!config.port_file.empty()) {
    RETURN_IF_ERROR(fovea::FileSystem::Real()->WriteAtomically(
        config.port_file,
        absl::StrCat("grpc=", app.grpc_port(), "\nmetrics=", app.metrics_port(), "\n")));
  }
  std::printf("fovea-server grpc=%d metrics=%d\n", app.grpc_port(), app.metrics_port());
  std::fflush(stdout);
  return absl::OkStatus();
}

int Run(const Config& config) {
  absl::Status status = fovea::SetLogLevel(config.log_level);
  absl::StatusOr<std::unique_ptr<App>> app = absl::UnknownError("not started");
  if (status.ok()) {
    app = App::Start(config);
    status = app.status();
  }
  if (status.ok()) status = TellPorts(config, **app);
  if (!status.ok()) {
    std::fprintf(stderr, "fovea-server: %s\n", status.ToString().c_str());
    return 1;
  }
  WaitForStopSignal();
  std::thread([] {
    WaitForStopSignal();
    _exit(1);  // the second signal: at once
  }).detach();
  (*app)->Drain();
  app->reset();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const fovea::ConfigOrExit parsed = fovea::ParseFlags(argc, argv);
  if (!parsed.config.has_value()) {
    std::fputs(parsed.exit.text.c_str(), parsed.exit.code == 0 ? stdout : stderr);
    return parsed.exit.code;
  }
  ReexecuteWithSpinCount(argv);
  LockUnchecked();
  ShareHeaps();
  // Before any thread exists, so that all of them leave the signals to sigwait.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  return Run(*parsed.config);
}
