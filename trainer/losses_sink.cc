#include "trainer/losses_sink.h"

#include <cerrno>
#include <limits>

#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea {

absl::StatusOr<std::unique_ptr<LossesSink>> LossesSink::Open(const std::string& path,
                                                             EventSink* next) {
  std::FILE* file = std::fopen(path.c_str(), "ae");
  if (file == nullptr) return ErrnoToStatus(errno, "open", path);
  return std::unique_ptr<LossesSink>(new LossesSink(file, path, next));
}

absl::Status LossesSink::Step(const StepRecord& record) {
  const int written = std::fprintf(
      file_.get(), "%lld %.17g %.17g %.17g\n", static_cast<long long>(record.step), record.loss,
      record.learning_rate, record.accuracy.value_or(std::numeric_limits<double>::quiet_NaN()));
  if (written < 0 || std::fflush(file_.get()) != 0) return ErrnoToStatus(errno, "write", path_);
  return next_->Step(record);
}

}  // namespace fovea
