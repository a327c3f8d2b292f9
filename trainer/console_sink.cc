#include "trainer/console_sink.h"

#include <cstdio>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace fovea {
namespace {

void Line(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

// The epoch that the last step belongs to, from 1.
uint64_t EpochOf(const v1::Progress& progress) {
  const uint64_t steps_per_epoch = progress.total_steps() / progress.total_epochs();
  return (progress.step() + steps_per_epoch - 1) / steps_per_epoch;
}

std::string ProgressText(const v1::Progress& progress) {
  std::string text = absl::StrFormat("epoch %d/%d  step %d/%d  loss %.4f  rate %.3g  %.0f images/s",
                                     EpochOf(progress), progress.total_epochs(), progress.step(),
                                     progress.total_steps(), progress.loss(),
                                     progress.learning_rate(), progress.images_per_second());
  if (progress.has_share_of_peak()) {
    absl::StrAppendFormat(&text, "  %.0f%% of peak", 100 * progress.share_of_peak());
  }
  if (progress.has_eta()) absl::StrAppendFormat(&text, "  eta %d s", progress.eta().seconds());
  return text;
}

std::string EpochText(const v1::EpochReport& epoch) {
  std::string text = absl::StrFormat(
      "epoch %d done in %.1f s: train loss %.4f", epoch.epoch(),
      static_cast<double>(epoch.duration().seconds()) + epoch.duration().nanos() * 1e-9,
      epoch.train_loss());
  if (epoch.data_wait_share() >= 0.005) {
    absl::StrAppendFormat(&text, ", %.0f%% of the time waiting for data",
                          100 * epoch.data_wait_share());
  }
  if (epoch.has_validation()) {
    absl::StrAppend(&text, ", validation ", MeasuresText(epoch.validation()));
  }
  return text;
}

}  // namespace

std::string MeasuresText(const v1::Measures& measures) {
  if (measures.has_regression()) {
    return absl::StrFormat("MSE %.6g, MAE %.6g, R2 %.4f", measures.regression().mse(),
                           measures.regression().mae(), measures.regression().r2());
  }
  if (measures.has_binary()) {
    return absl::StrFormat("ROC AUC %.4f, F1 %.4f, accuracy %.4f, log loss %.4f",
                           measures.binary().roc_auc(), measures.binary().f1(),
                           measures.binary().accuracy(), measures.log_loss());
  }
  if (!measures.has_multi_label()) {
    return absl::StrFormat("accuracy %.4f, log loss %.4f", measures.single_label().accuracy(),
                           measures.log_loss());
  }
  const v1::MultiLabelMeasures& multi = measures.multi_label();
  return absl::StrFormat("Hamming loss %.4f, micro F1 %.4f, macro F1 %.4f, log loss %.4f",
                         multi.hamming_loss(), multi.micro().f1(), multi.macro().f1(),
                         measures.log_loss());
}

absl::Status ConsoleSink::Started(const v1::TrainerStarted& started) {
  const v1::Execution& execution = started.execution();
  Line(absl::StrFormat("step %d of %d, %s on %s, %d threads", started.step(), started.total_steps(),
                       v1::Backend_Name(execution.backend()), execution.cpu_model(),
                       execution.width()));
  return absl::OkStatus();
}

absl::Status ConsoleSink::Event(const v1::JobEvent& event) {
  if (event.has_progress()) Line(ProgressText(event.progress()));
  if (event.has_epoch()) Line(EpochText(event.epoch()));
  if (event.has_note()) Line(absl::StrCat("note: ", event.note().text()));
  return absl::OkStatus();
}

}  // namespace fovea
