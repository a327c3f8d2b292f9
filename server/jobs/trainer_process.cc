#include "server/jobs/trainer_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "google/protobuf/io/coded_stream.h"

extern char** environ;

namespace fovea {
namespace {

constexpr int kChildEventsFd = 3;
constexpr size_t kReadBytes = 1 << 16;
constexpr uint32_t kMaxMessageBytes = 256u << 20;
constexpr size_t kTailBytes = 4096;
constexpr size_t kTailLines = 8;
// A Stop from another thread is noticed after at most this long.
constexpr int kPollMs = 200;

// The child starts with default signals: the server blocks and handles some.
void SetAttributes(posix_spawnattr_t* attributes) {
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(attributes, &none);
  posix_spawnattr_setsigdefault(attributes, &all);
  posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

absl::StatusOr<pid_t> Spawn(const TrainerProcess::Options& options, int events_fd) {
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  const auto cleanup = absl::MakeCleanup([&] {
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
  });
  SetAttributes(&attributes);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&actions, 1, options.log_file.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
  posix_spawn_file_actions_adddup2(&actions, 1, 2);
  posix_spawn_file_actions_adddup2(&actions, events_fd, kChildEventsFd);
  const std::string fd = absl::StrCat(kChildEventsFd);
  std::vector<std::string> arguments = {options.executable, "--job", options.job_file,
                                        "--events-fd", fd};
  if (options.background) arguments.push_back("--background");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = -1;
  const int error =
      posix_spawn(&pid, options.executable.c_str(), &actions, &attributes, argv.data(), environ);
  if (error != 0) return ErrnoToStatus(error, "start the trainer", options.executable);
  return pid;
}

// The last lines of a log, without control characters.
std::string LogTail(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return "";
  const std::streamoff size = file.tellg();
  const std::streamoff begin = std::max<std::streamoff>(0, size - std::streamoff(kTailBytes));
  file.seekg(begin);
  std::string text(static_cast<size_t>(size - begin), '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  for (char& c : text) {
    if (c != '\n' && (c < ' ' || c == '\x7f')) c = '?';
  }
  std::vector<std::string> lines = absl::StrSplit(text, '\n', absl::SkipWhitespace());
  if (lines.size() > kTailLines) lines.erase(lines.begin(), lines.end() - kTailLines);
  return absl::StrJoin(lines, "\n");
}

}  // namespace

absl::Status DescribeExit(int wait_status, const std::string& log_tail) {
  std::string message;
  if (WIFSIGNALED(wait_status)) {
    const int number = WTERMSIG(wait_status);
    message = absl::StrCat("the trainer was killed by signal ", number, " (", strsignal(number),
                           ")", number == SIGKILL ? "; perhaps memory ran out" : "");
  } else if (WEXITSTATUS(wait_status) != 0) {
    message = absl::StrCat("the trainer ended with exit code ", WEXITSTATUS(wait_status));
  } else {
    return absl::OkStatus();
  }
  if (!log_tail.empty()) absl::StrAppend(&message, "; its last words:\n", log_tail);
  return absl::InternalError(message);
}

absl::StatusOr<std::unique_ptr<TrainerProcess>> TrainerProcess::Start(Options options) {
  int pipe[2];
  // O_CLOEXEC: neither end leaks into other children; the child's copy is made by dup2. Moved away
  // from the number that dup2 targets, since dup2 onto itself would keep O_CLOEXEC.
  if (pipe2(pipe, O_CLOEXEC) != 0) return ErrnoToStatus(errno, "make a pipe", "");
  const int write_end = fcntl(pipe[1], F_DUPFD_CLOEXEC, kChildEventsFd + 1);
  close(pipe[1]);
  if (write_end < 0) {
    close(pipe[0]);
    return ErrnoToStatus(errno, "make a pipe", "");
  }
  const absl::StatusOr<pid_t> pid = Spawn(options, write_end);
  close(write_end);
  if (!pid.ok()) {
    close(pipe[0]);
    return pid.status();
  }
  return std::unique_ptr<TrainerProcess>(new TrainerProcess(std::move(options), *pid, pipe[0]));
}

TrainerProcess::~TrainerProcess() {
  Kill();
  Wait().IgnoreError();
  close(fd_);
}

absl::StatusOr<std::optional<v1::TrainerMessage>> TrainerProcess::Read() {
  while (true) {
    google::protobuf::io::CodedInputStream input(reinterpret_cast<const uint8_t*>(buffer_.data()),
                                                 static_cast<int>(buffer_.size()));
    uint32_t size = 0;
    if (input.ReadVarint32(&size)) {
      const size_t header = static_cast<size_t>(input.CurrentPosition());
      if (size > kMaxMessageBytes) {
        return absl::DataLossError(absl::StrCat("found a trainer message of ", size,
                                                " bytes, expected at most ", kMaxMessageBytes));
      }
      if (buffer_.size() >= header + size) {
        v1::TrainerMessage message;
        if (!message.ParseFromArray(buffer_.data() + header, static_cast<int>(size))) {
          return absl::DataLossError("found bytes that are no trainer message");
        }
        buffer_.erase(0, header + size);
        return message;
      }
    } else if (buffer_.size() >= 10) {
      return absl::DataLossError("found bytes that are no trainer message");
    }
    ASSIGN_OR_RETURN(const bool more, Fill());
    if (more) continue;
    if (buffer_.empty()) return std::nullopt;
    return absl::DataLossError("the trainer's last message is incomplete");
  }
}

absl::StatusOr<bool> TrainerProcess::Fill() {
  while (true) {
    pollfd entry = {fd_, POLLIN, 0};
    const int ready = poll(&entry, 1, kPollMs);
    if (ready < 0 && errno != EINTR) return ErrnoToStatus(errno, "wait for the trainer", "");
    {
      absl::MutexLock lock(&mutex_);
      if (kill_at_.has_value() && absl::Now() >= *kill_at_) Signal(SIGKILL);
    }
    if (ready <= 0) continue;
    const size_t before = buffer_.size();
    buffer_.resize(before + kReadBytes);
    const ssize_t count = read(fd_, buffer_.data() + before, kReadBytes);
    buffer_.resize(before + static_cast<size_t>(std::max<ssize_t>(count, 0)));
    if (count >= 0) return count > 0;
    if (errno != EINTR) return ErrnoToStatus(errno, "read from the trainer", "");
  }
}

void TrainerProcess::Signal(int signal) {
  if (!reaped_) kill(pid_, signal);
}

void TrainerProcess::Stop() {
  absl::MutexLock lock(&mutex_);
  if (kill_at_.has_value()) return;
  kill_at_ = absl::Now() + options_.grace;
  Signal(SIGTERM);
}

void TrainerProcess::Kill() {
  absl::MutexLock lock(&mutex_);
  kill_at_ = absl::Now();
  Signal(SIGKILL);
}

bool TrainerProcess::stopping() const {
  absl::MutexLock lock(&mutex_);
  return kill_at_.has_value();
}

absl::Status TrainerProcess::Wait() {
  {
    absl::MutexLock lock(&mutex_);
    if (reaped_) return absl::OkStatus();
  }
  // The pipe has closed, so the child is about to end; a child that hangs there is killed.
  const int handle = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  if (handle >= 0) {
    pollfd entry = {handle, POLLIN, 0};
    const int timeout_ms = static_cast<int>(absl::ToInt64Milliseconds(options_.grace));
    while (poll(&entry, 1, timeout_ms) < 0 && errno == EINTR) {
    }
    close(handle);
    if ((entry.revents & POLLIN) == 0) Kill();
  }
  siginfo_t info;
  // WNOWAIT: the child stays a zombie, and its pid its own, until reaped_ is set under the lock.
  while (waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  int status = 0;
  {
    absl::MutexLock lock(&mutex_);
    reaped_ = true;
    while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  return DescribeExit(status, LogTail(options_.log_file));
}

}  // namespace fovea
