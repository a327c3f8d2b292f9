// ConsoleSink: tells a person what happens, a plain line each, on stderr.
#pragma once

#include <string>

#include "core/train/events.h"
#include "fovea/v1/report.pb.h"

namespace fovea {

class ConsoleSink : public EventSink {
 public:
  absl::Status Started(const v1::TrainerStarted& started) override;
  absl::Status Event(const v1::JobEvent& event) override;
};

// "accuracy 0.9812, log loss 0.0712", or the multi-label ones.
std::string MeasuresText(const v1::Measures& measures);

}  // namespace fovea
