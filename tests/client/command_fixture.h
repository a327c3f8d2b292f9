// Runs `fovea` command lines against a FakeServer and keeps what they printed.
#pragma once

#include <sstream>
#include <string>
#include <vector>

#include "client/command.h"
#include "client/interrupt.h"
#include "gtest/gtest.h"
#include "tests/client/fake_server.h"

namespace fovea::cli::testing {

class CommandTest : public ::testing::Test {
 protected:
  // Returns the exit code.
  int Run(std::vector<std::string> arguments, bool terminal = false) {
    arguments.insert(arguments.begin(), {"--server", server_.address()});
    return RunAlone(std::move(arguments), terminal);
  }
  // Without naming the fake server.
  int RunAlone(std::vector<std::string> arguments, bool terminal = false) {
    out_.str("");
    err_.str("");
    Io io{.out = out_, .err = err_, .out_is_terminal = terminal, .interrupt = &interrupt_};
    return RunFovea(arguments, &io);
  }
  std::string out() const { return out_.str(); }
  std::string err() const { return err_.str(); }

  FakeServer server_;
  Interrupt interrupt_;

 private:
  std::ostringstream out_;
  std::ostringstream err_;
};

}  // namespace fovea::cli::testing
