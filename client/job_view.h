// JobView: shows a job's events as they come, in place on a terminal, as plain lines elsewhere, or
// as JSON.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "client/progress.h"
#include "client/session.h"
#include "fovea/v1/jobs.pb.h"

namespace fovea::cli {

class JobView {
 public:
  explicit JobView(Session* session) : session_(*session), status_line_(&session->out()) {}

  void Show(const v1::JobEvent& event);
  // The connection broke; the client tries again.
  void ShowLost(const absl::Status& status);
  // Takes the progress bar away, if there is one, so that other text can follow.
  void Clear() { status_line_.Clear(); }
  // The job as it ended, after its last event.
  void ShowEnd(const v1::Job& job);

  // Of the last event; empty before the first.
  const std::string& job_id() const { return job_id_; }
  uint64_t last_event() const { return last_event_; }

 private:
  void ShowText(const v1::JobEvent& event);
  void ShowStateChange(const v1::StateChange& change);
  void ShowEpoch(const v1::EpochReport& epoch);
  void ShowProgress(const v1::Progress& progress, absl::Time time);
  // A line that stays, above the progress bar if there is one.
  void PrintLine(absl::string_view line);
  void PrintHeldLine();
  void DrawBar();

  Session& session_;
  StatusLine status_line_;
  TrainingProgress progress_;
  std::string job_id_;
  uint64_t last_event_ = 0;
  bool lost_ = false;
  std::string held_line_;  // how an attempt ended: ShowEnd says it better, if it is the last one
  std::optional<absl::Time> last_line_;  // time of the last plain progress line
};

// One line on how the job ended and how fast it was.
std::string DescribeEnd(const v1::Job& job);

// The exit code for a job that has finished.
int ExitCodeOf(const v1::Job& job);

}  // namespace fovea::cli
