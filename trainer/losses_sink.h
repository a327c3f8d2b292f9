// LossesSink: passes everything on, and writes every step's loss into a file as well.
#pragma once

#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "core/train/events.h"

namespace fovea {

// One line a step, "step loss learning_rate accuracy", with all the digits of a double. A resumed
// run appends: a later line of the same step supersedes the earlier one.
class LossesSink : public EventSink {
 public:
  // `next` outlives this.
  static absl::StatusOr<std::unique_ptr<LossesSink>> Open(const std::string& path, EventSink* next);

  absl::Status Started(const v1::TrainerStarted& started) override {
    return next_->Started(started);
  }
  absl::Status Event(const v1::JobEvent& event) override { return next_->Event(event); }
  absl::Status Step(const StepRecord& record) override;

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  LossesSink(std::FILE* file, std::string path, EventSink* next)
      : file_(file), path_(std::move(path)), next_(next) {}

  const std::unique_ptr<std::FILE, Close> file_;
  const std::string path_;
  EventSink* const next_;
};

}  // namespace fovea
