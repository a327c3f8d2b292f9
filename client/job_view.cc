#include "client/job_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/describe.h"
#include "client/json.h"

namespace fovea::cli {
namespace {

// Between plain progress lines within an epoch; epochs themselves always have theirs.
constexpr absl::Duration kLineInterval = absl::Seconds(10);

}  // namespace

void JobView::Show(const v1::JobEvent& event) {
  job_id_ = event.job_id();
  last_event_ = event.number();
  if (session_.json()) {
    session_.out() << ToJsonLine(event) << std::flush;
    return;
  }
  if (lost_) {
    lost_ = false;
    PrintLine("connected again");
  }
  ShowText(event);
}

void JobView::ShowText(const v1::JobEvent& event) {
  PrintHeldLine();
  progress_.step = event.step();
  switch (event.event_case()) {
    case v1::JobEvent::kStateChange:
      return ShowStateChange(event.state_change());
    case v1::JobEvent::kProgress:
      return ShowProgress(event.progress(), FromProto(event.time()));
    case v1::JobEvent::kEpoch:
      return ShowEpoch(event.epoch());
    case v1::JobEvent::kNote:
      return PrintLine(absl::StrCat("note: ", event.note().text()));
    case v1::JobEvent::kPublished:
      return PrintLine(absl::StrCat("published ", event.published().model(), " version ",
                                    event.published().version(), ": ",
                                    DescribeMeasuresShort(event.published().measures())));
    default:  // checkpoints, and what a newer server may add
      return;
  }
}

void JobView::ShowStateChange(const v1::StateChange& change) {
  const std::string line = absl::StrCat("job ", job_id_, " ", StateName(change.state()),
                                        change.has_error() ? ": " : "", change.error().message());
  if (change.state() != v1::JOB_STATE_PENDING && change.state() != v1::JOB_STATE_RUNNING) {
    held_line_ = line;
    return;
  }
  PrintLine(line);
  if (change.state() == v1::JOB_STATE_RUNNING) progress_ = TrainingProgress();
}

void JobView::ShowProgress(const v1::Progress& progress, absl::Time time) {
  progress_.epoch = progress.epoch();
  progress_.total_epochs = progress.total_epochs();
  progress_.step = progress.step();
  progress_.total_steps = progress.total_steps();
  progress_.loss = progress.loss();
  progress_.images_per_second = progress.images_per_second();
  const bool validated = !progress_.measure.empty() && progress_.measure != "train_accuracy";
  if (progress.has_accuracy() && !validated) {
    progress_.measure = "train_accuracy";
    progress_.measure_value = progress.accuracy();
  }
  progress_.eta.reset();
  if (progress.has_eta()) progress_.eta = FromProto(progress.eta());
  if (session_.io().out_is_terminal) return DrawBar();
  if (!last_line_.has_value()) last_line_ = time;
  if (time - *last_line_ < kLineInterval) return;
  last_line_ = time;
  PrintLine(FormatTrainingLine(progress_));
}

void JobView::ShowEpoch(const v1::EpochReport& epoch) {
  progress_.epoch = epoch.epoch();
  progress_.loss = epoch.train_loss();
  if (epoch.validation().has_single_label()) {
    progress_.measure = "accuracy";
    progress_.measure_value = epoch.validation().single_label().accuracy();
  } else if (epoch.validation().has_multi_label()) {
    progress_.measure = "hamming_loss";
    progress_.measure_value = epoch.validation().multi_label().hamming_loss();
  } else if (epoch.validation().has_binary()) {
    progress_.measure = "roc_auc";
    progress_.measure_value = epoch.validation().binary().roc_auc();
  } else if (epoch.validation().has_regression()) {
    progress_.measure = "mse";
    progress_.measure_value = epoch.validation().regression().mse();
  }
  if (session_.io().out_is_terminal) return DrawBar();
  last_line_.reset();
  PrintLine(FormatTrainingLine(progress_));
}

void JobView::ShowLost(const absl::Status& status) {
  if (lost_ || session_.json()) return;
  lost_ = true;
  PrintLine(absl::StrCat("connection lost, trying again: ", status.message()));
}

void JobView::ShowEnd(const v1::Job& job) {
  status_line_.Clear();
  held_line_.clear();
  if (session_.json()) return;
  session_.out() << DescribeEnd(job) << "\n" << std::flush;
}

void JobView::PrintLine(absl::string_view line) {
  status_line_.Clear();
  session_.out() << line << "\n" << std::flush;
}

void JobView::PrintHeldLine() {
  if (held_line_.empty()) return;
  PrintLine(held_line_);
  held_line_.clear();
}

void JobView::DrawBar() {
  // The last column stays free: some terminals wrap as soon as it is written.
  const int columns = std::min(session_.io().columns(), 80) - 1;
  status_line_.Draw(FormatTrainingBar(progress_, columns));
}

std::string DescribeEnd(const v1::Job& job) {
  std::string line = absl::StrCat("job ", job.id(), " ", StateName(job.state()));
  if (job.has_published_version()) {
    absl::StrAppend(&line, ": ", job.model(), " version ", job.published_version());
  }
  if (job.has_error()) absl::StrAppend(&line, ": ", job.error().message());
  if (job.has_start_time() && job.has_end_time()) {
    const absl::Duration time = FromProto(job.end_time()) - FromProto(job.start_time());
    absl::StrAppend(&line, " in ", FormatClock(time));
    const double seconds = absl::ToDoubleSeconds(time);
    // The rate is that of one attempt; over several the times in between would count.
    if (job.attempt() == 1 && seconds > 0) {
      absl::StrAppendFormat(&line, ", %.1f images/s",
                            static_cast<double>(job.progress().attempt_images()) / seconds);
    }
  }
  return line;
}

int ExitCodeOf(const v1::Job& job) {
  return job.state() == v1::JOB_STATE_SUCCEEDED ? kExitOk : kExitJobFailed;
}

}  // namespace fovea::cli
