// A fovea-trainer under a test's control.
//
// Its --losses go into a pipe of one page, so that it waits for the test to read them: the test
// knows, without sleeping, that it is still in the midst of training.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fovea/v1/trainer.pb.h"

namespace fovea::testing {

class TrainerUnderTest {
 public:
  struct Exit {
    int code = -1;   // of exit; −1 when a signal ended it
    int signal = 0;  // that ended it; 0 for none
  };

  // Starts `fovea-trainer arguments… --losses <a pipe>`. With `events`, another pipe is given as
  // --events-fd. stderr goes to `log`.
  TrainerUnderTest(std::vector<std::string> arguments, const std::string& log, bool events = false);
  // Kills it if it runs.
  ~TrainerUnderTest();
  TrainerUnderTest(const TrainerUnderTest&) = delete;
  TrainerUnderTest& operator=(const TrainerUnderTest&) = delete;

  // Reads losses until that of `step` has come, or to the end.
  void ReadLossesUntil(int64_t step);
  void Signal(int number);
  // Stops reading events.
  void CloseEvents();
  // Reads losses and then events to the end, and waits.
  Exit Finish();

  // By step, as text: equal text is equal to the last bit.
  const std::map<int64_t, std::string>& losses() const { return losses_; }
  const std::vector<v1::TrainerMessage>& messages() const { return messages_; }

 private:
  bool ReadLoss();
  void ReadEvents();

  pid_t pid_ = -1;
  int losses_fd_ = -1, events_fd_ = -1;
  std::string buffer_;
  std::map<int64_t, std::string> losses_;
  std::vector<v1::TrainerMessage> messages_;
};

}  // namespace fovea::testing
