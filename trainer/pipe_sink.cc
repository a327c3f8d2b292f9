#include "trainer/pipe_sink.h"

#include <unistd.h>

#include <cerrno>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/file_system.h"
#include "google/protobuf/io/zero_copy_stream_impl_lite.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace fovea {

absl::Status PipeSink::Started(const v1::TrainerStarted& started) {
  v1::TrainerMessage message;
  *message.mutable_started() = started;
  return Write(message);
}

absl::Status PipeSink::Event(const v1::JobEvent& event) {
  v1::TrainerMessage message;
  *message.mutable_event() = event;
  return Write(message);
}

absl::Status PipeSink::Finish(const absl::StatusOr<v1::TrainerResult>& result) {
  v1::TrainerMessage message;
  if (result.ok()) {
    *message.mutable_result() = *result;
  } else {
    message.mutable_error()->set_code(static_cast<uint32_t>(result.status().code()));
    message.mutable_error()->set_message(std::string(result.status().message()));
  }
  return Write(message);
}

absl::Status PipeSink::Write(const v1::TrainerMessage& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::util::SerializeDelimitedToZeroCopyStream(message, &stream);
  }
  absl::string_view left = bytes;
  while (!left.empty()) {
    const ssize_t written = write(fd_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) {
      return absl::UnavailableError("nobody reads the events any more");
    }
    if (written < 0) return ErrnoToStatus(errno, "write", "the events");
    left.remove_prefix(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

}  // namespace fovea
