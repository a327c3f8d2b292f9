// Session: what every subcommand is given: the server, where output goes and in which form.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "client/client.h"
#include "client/interrupt.h"
#include "google/protobuf/message.h"

namespace fovea::cli {

// The surroundings of a command, so that a test can be them.
struct Io {
  std::ostream& out;                                 // results
  std::ostream& err;                                 // errors and hints
  bool out_is_terminal = false;                      // progress is drawn in place
  std::function<int()> columns = [] { return 80; };  // width of the terminal, asked anew each time
  Interrupt* interrupt = nullptr;                    // never null when a command runs
};

// The command's exit codes; documented in --help.
enum ExitCode {
  kExitOk = 0,
  kExitUsage = 1,        // the command line or a local file is wrong
  kExitRefused = 2,      // the server said no
  kExitUnavailable = 3,  // no server, or too busy: try again later
  kExitJobFailed = 4,    // the job failed or was cancelled
  kExitInterrupted = 130,
};

// Marks an error as found here, before asking the server: exit code 1.
absl::Status UsageError(absl::string_view message);
absl::Status UsageError(const absl::Status& status);

// The exit code that an error stands for.
int ExitCodeOf(const absl::Status& status);

// An error for people: message, then one line for each field violation that it does not name.
std::string DescribeError(const absl::Status& status);

class Session {
 public:
  Session(Io* io, std::string server, bool json);
  ~Session();

  // Ctrl-C cancels its calls.
  Client& client() { return *client_; }
  Io& io() { return *io_; }
  std::ostream& out() { return io_->out; }
  const std::string& server() const { return server_; }
  bool json() const { return json_; }
  bool interrupted() const { return io_->interrupt->triggered(); }

  // With --json the message as one line, else `text`.
  void Print(const google::protobuf::Message& message, absl::string_view text);

 private:
  Io* const io_;
  const std::string server_;
  const bool json_;
  const std::unique_ptr<Client> client_;
};

// 128 random bits in hexadecimal: makes Train and Import safe to retry.
std::string NewRequestId();

}  // namespace fovea::cli
