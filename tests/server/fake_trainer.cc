// Stands for fovea-trainer in the tests of JobRunner: what it does follows from the job's model.
//
//   good     one epoch, then a result
//   bad      an error of its own
//   exit     words on stderr, then exit code 7
//   killed   attempt 1: SIGKILL after an epoch; later attempts: as good, from step 10
//   patient  attempt 1: waits for SIGTERM, saves a checkpoint, is cancelled; later: as good
//   torn     half a message, then the end
#include <signal.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

#include "core/base/check.h"
#include "core/base/file_system.h"
#include "core/model/format.h"
#include "core/model/text_proto.h"
#include "fovea/v1/manifest.pb.h"
#include "fovea/v1/trainer.pb.h"
#include "google/protobuf/util/delimited_message_util.h"

namespace {

using namespace fovea;  // NOLINT

int events_fd = -1;
v1::TrainerJob job;

void Send(const v1::TrainerMessage& message) {
  CHECK(google::protobuf::util::SerializeDelimitedToFileDescriptor(message, events_fd));
}

void SendStarted(uint64_t step) {
  v1::TrainerMessage message;
  message.mutable_started()->set_step(step);
  message.mutable_started()->mutable_execution()->set_width(2);
  Send(message);
}

void SendProgress(uint64_t images) {
  v1::TrainerMessage message;
  message.mutable_event()->set_step(5);
  message.mutable_event()->mutable_progress()->set_step(5);
  message.mutable_event()->mutable_progress()->set_attempt_images(images);
  message.mutable_event()->mutable_progress()->set_loss(0.5);
  Send(message);
}

void SendEpoch() {
  v1::TrainerMessage message;
  message.mutable_event()->set_step(10);
  message.mutable_event()->mutable_epoch()->set_epoch(1);
  Send(message);
}

void SendError(absl::StatusCode code, const char* text) {
  v1::TrainerMessage message;
  message.mutable_error()->set_code(static_cast<uint32_t>(code));
  message.mutable_error()->set_message(text);
  Send(message);
}

int Succeed(uint64_t from_step) {
  SendStarted(from_step);
  SendProgress(320);
  SendEpoch();
  const std::string staged = JoinPath(job.output_folder(), "model");
  CHECK(FileSystem::Real()->MakeDirs(staged).ok());
  v1::ModelManifest manifest;
  manifest.set_format_version(1);
  manifest.set_name(job.model());
  manifest.mutable_training()->set_job_id(job.job_id());
  manifest.mutable_report()->mutable_measures()->set_examples(9);
  CHECK(WriteManifest(FileSystem::Real(), staged, manifest).ok());
  v1::TrainerMessage message;
  message.mutable_result()->set_staged_folder(staged);
  Send(message);
  return 0;
}

int WaitForStop() {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  SendStarted(0);
  int signal = 0;
  sigwait(&stop, &signal);
  v1::TrainerMessage message;
  message.mutable_event()->set_step(4);
  message.mutable_event()->mutable_checkpoint()->set_epoch(0);
  Send(message);
  SendError(absl::StatusCode::kCancelled, "cancelled");
  return 3;
}

}  // namespace

int main(int argc, char** argv) {
  CHECK(argc >= 5 && std::string(argv[1]) == "--job" && std::string(argv[3]) == "--events-fd");
  const auto text = FileSystem::Real()->Read(argv[2]);
  CHECK(text.ok() && FromTextProto(*text, job).ok());
  events_fd = std::atoi(argv[4]);
  const bool first = job.attempt() == 1;
  CHECK(job.resume() == !first);
  const std::string& model = job.model();
  if (model == "bad") {
    SendStarted(0);
    SendError(absl::StatusCode::kFailedPrecondition, "found one class, expected two");
    return 1;
  }
  if (model == "exit") {
    std::fprintf(stderr, "first line\nthe disk is on fire\n");
    return 7;
  }
  if (model == "killed" && first) {
    SendStarted(0);
    SendEpoch();
    raise(SIGKILL);
  }
  if (model == "patient" && first) return WaitForStop();
  if (model == "torn") {
    SendStarted(0);
    CHECK(write(events_fd, "\x7fhalf", 5) == 5);
    return 0;
  }
  return Succeed(first ? 0 : 10);
}
