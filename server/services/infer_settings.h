// What TraceSetting and LogSettings of the Open Inference Protocol answer, and change.
//
// Private to server/services.
#pragma once

#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "core/base/log.h"
#include "inference/inference.pb.h"

namespace fovea {

// That no request is traced. Unimplemented for settings that would change that, InvalidArgument for
// unknown ones.
absl::Status AnswerTraceSettings(const inference::TraceSettingRequest& request,
                                 inference::TraceSettingResponse* response);

// The process's log level, as a setting for each kind of message. Thread-safe.
class LogLevelSettings {
 public:
  // A setting that is cleared goes back to what it is now.
  LogLevelSettings() : start_(GetLogLevel()) {}

  // Changes what the request says, and answers what is then. InvalidArgument for what no level
  // means, Unimplemented for another file or format; then nothing is changed.
  absl::Status Answer(const inference::LogSettingsRequest& request,
                      inference::LogSettingsResponse* response);

 private:
  const LogLevel start_;
  absl::Mutex mutex_;  // held from reading the level to setting it
};

}  // namespace fovea
