// The `fovea` command: what tests cannot share, which is the terminal and the signals.
#include <pthread.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "client/command.h"
#include "client/interrupt.h"
#include "client/session.h"

namespace fovea::cli {
namespace {

int TerminalColumns() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  return signals;
}

// The first signal asks the command to stop, the second ends the process.
void WaitForSignals(Interrupt* interrupt) {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  interrupt->Trigger();
  sigwait(&signals, &signal);
  _exit(kExitInterrupted);
}

int Main(const std::vector<std::string>& arguments) {
  // Blocked before any thread starts, so that only sigwait takes them.
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  static Interrupt interrupt;  // outlives the detached thread
  std::thread(WaitForSignals, &interrupt).detach();
  Io io{.out = std::cout,
        .err = std::cerr,
        .out_is_terminal = isatty(STDOUT_FILENO) == 1,
        .columns = TerminalColumns,
        .interrupt = &interrupt};
  return RunFovea(arguments, &io);
}

}  // namespace
}  // namespace fovea::cli

int main(int argc, char** argv) {
  std::cout.sync_with_stdio(false);
  return fovea::cli::Main(std::vector<std::string>(argv + 1, argv + argc));
}
