// PipeSink: writes what happens as TrainerMessages into a file descriptor, each preceded by its
// length as a varint.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/train/events.h"
#include "fovea/v1/trainer.pb.h"

namespace fovea {

class PipeSink : public EventSink {
 public:
  // The descriptor is the caller's and must be open for writing. SIGPIPE must be ignored.
  explicit PipeSink(int fd) : fd_(fd) {}

  // Unavailable when nobody reads any more. Waits while the pipe is full.
  absl::Status Started(const v1::TrainerStarted& started) override;
  absl::Status Event(const v1::JobEvent& event) override;

  // The last message.
  absl::Status Finish(const absl::StatusOr<v1::TrainerResult>& result);

 private:
  absl::Status Write(const v1::TrainerMessage& message);
  const int fd_;
};

}  // namespace fovea
