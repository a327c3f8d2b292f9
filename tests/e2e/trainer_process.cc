#include "tests/e2e/trainer_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "google/protobuf/io/zero_copy_stream_impl.h"
#include "google/protobuf/util/delimited_message_util.h"

extern char** environ;

namespace fovea::testing {
namespace {

constexpr int kLossesFd = 10, kEventsFd = 11;  // in the child

struct Pipe {
  Pipe() {
    int ends[2];
    CHECK(pipe2(ends, O_CLOEXEC) == 0);
    read_end = ends[0];
    // Far from the numbers that dup2 targets.
    write_end = fcntl(ends[1], F_DUPFD_CLOEXEC, 100);
    CHECK(write_end >= 0);
    close(ends[1]);
  }
  int read_end, write_end;
};

}  // namespace

TrainerUnderTest::TrainerUnderTest(std::vector<std::string> arguments, const std::string& log,
                                   bool events) {
  const Pipe losses, messages;
  CHECK(fcntl(losses.write_end, F_SETPIPE_SZ, 4096) > 0);
  losses_fd_ = losses.read_end;
  events_fd_ = messages.read_end;
  arguments.insert(arguments.begin(), FOVEA_TRAINER);
  arguments.push_back("--losses");
  arguments.push_back(absl::StrCat("/dev/fd/", kLossesFd));
  if (events) {
    arguments.push_back("--events-fd");
    arguments.push_back(absl::StrCat(kEventsFd));
  }
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, losses.write_end, kLossesFd);
  if (events) posix_spawn_file_actions_adddup2(&actions, messages.write_end, kEventsFd);
  posix_spawn_file_actions_addopen(&actions, 2, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  CHECK(posix_spawn(&pid_, FOVEA_TRAINER, &actions, nullptr, argv.data(), environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  close(losses.write_end);
  close(messages.write_end);
}

TrainerUnderTest::~TrainerUnderTest() {
  if (pid_ > 0) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(losses_fd_);
  CloseEvents();
}

void TrainerUnderTest::ReadLossesUntil(int64_t step) {
  while (losses_.count(step) == 0 && ReadLoss()) {
  }
}

bool TrainerUnderTest::ReadLoss() {
  size_t end;
  while ((end = buffer_.find('\n')) == std::string::npos) {
    char bytes[512];
    const ssize_t count = read(losses_fd_, bytes, sizeof(bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;  // a line that was cut off is no loss
    buffer_.append(bytes, static_cast<size_t>(count));
  }
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  losses_[std::atoll(line.c_str())] = line;
  return true;
}

void TrainerUnderTest::Signal(int number) { CHECK(kill(pid_, number) == 0); }

void TrainerUnderTest::CloseEvents() {
  if (events_fd_ >= 0) close(std::exchange(events_fd_, -1));
}

void TrainerUnderTest::ReadEvents() {
  if (events_fd_ < 0) return;
  google::protobuf::io::FileInputStream stream(events_fd_);
  v1::TrainerMessage message;
  bool clean = false;
  while (google::protobuf::util::ParseDelimitedFromZeroCopyStream(&message, &stream, &clean)) {
    messages_.push_back(message);
    message.Clear();
  }
}

TrainerUnderTest::Exit TrainerUnderTest::Finish() {
  while (ReadLoss()) {
  }
  ReadEvents();
  int status = 0;
  CHECK(waitpid(std::exchange(pid_, -1), &status, 0) > 0);
  if (WIFSIGNALED(status)) return {-1, WTERMSIG(status)};
  return {WEXITSTATUS(status), 0};
}

}  // namespace fovea::testing
