// fovea-server as a program: ports, signals, exit codes.
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"
#include "core/base/file_system.h"
#include "gmock/gmock.h"
#include "tests/e2e/server_fixture.h"

extern char** environ;

namespace fovea {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;

// A child with its stdout and stderr in pipes of their own.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    int out[2], err[2];
    CHECK(pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err[1], 2);
    arguments.insert(arguments.begin(), FOVEA_SERVER);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    CHECK(posix_spawn(&pid_, FOVEA_SERVER, &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    close(out[1]);
    close(err[1]);
    out_ = out[0];
    err_ = err[0];
  }
  ~Program() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    close(out_);
    close(err_);
  }

  std::string ReadLine() {
    std::string line;
    for (char c; read(out_, &c, 1) == 1 && c != '\n';) line.push_back(c);
    return line;
  }
  std::string ReadErrors() {
    std::string text;
    char buffer[1024];
    for (ssize_t n; (n = read(err_, buffer, sizeof(buffer))) > 0;) text.append(buffer, n);
    return text;
  }
  void Signal(int signal) { kill(pid_, signal); }
  // The exit code; 128 + signal when killed.
  int Wait() {
    int status = 0;
    CHECK(waitpid(pid_, &status, 0) == pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int out_ = -1, err_ = -1;
};

class ServerBinaryTest : public ::testing::Test {
 protected:
  std::vector<std::string> Flags() const {
    return {"--data-dir",  folder_.File("data"),
            "--listen",    "127.0.0.1:0",
            "--metrics",   "127.0.0.1:0",
            "--port-file", folder_.File("ports"),
            "--backend",   "reference",
            "--trainer",   FOVEA_TRAINER,
            "--log-level", "warning"};
  }
  testing::TempDir folder_;
};

TEST_F(ServerBinaryTest, TellsItsPortsServesAndDrainsOnSigterm) {
  Program server(Flags());
  const std::string line = server.ReadLine();
  EXPECT_THAT(line, MatchesRegex("fovea-server grpc=[0-9]+ metrics=[0-9]+"));
  const auto ports = FileSystem::Real()->Read(folder_.File("ports"));
  ASSERT_TRUE(ports.ok());
  EXPECT_THAT(*ports, MatchesRegex("grpc=[0-9]+\nmetrics=[0-9]+\n"));
  const int metrics_port = std::stoi(line.substr(line.rfind('=') + 1));
  EXPECT_THAT(HttpGet(metrics_port, "/metrics"), HasSubstr("process_open_fds"));
  const auto environment =
      FileSystem::Real()->Read(absl::StrCat("/proc/", server.pid(), "/environ"));
  ASSERT_TRUE(environment.ok());
  EXPECT_THAT(*environment, HasSubstr("GOMP_SPINCOUNT="));
  server.Signal(SIGTERM);
  EXPECT_EQ(server.Wait(), 0);
}

TEST_F(ServerBinaryTest, ASecondServerOnTheFolderEndsWithAMessage) {
  Program first(Flags());
  first.ReadLine();
  Program second(Flags());
  EXPECT_THAT(second.ReadErrors(), HasSubstr("in use by another fovea-server"));
  EXPECT_EQ(second.Wait(), 1);
  first.Signal(SIGINT);
  EXPECT_EQ(first.Wait(), 0);
}

TEST_F(ServerBinaryTest, NonsenseOnTheCommandLineIsRefused) {
  Program server({"--listen", "nowhere"});
  EXPECT_THAT(server.ReadErrors(), HasSubstr("--listen: found \"nowhere\", expected HOST:PORT"));
  EXPECT_EQ(server.Wait(), 2);
}

}  // namespace
}  // namespace fovea
