#include "client/describe.h"

#include <algorithm>
#include <map>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "client/job_view.h"
#include "client/table.h"

namespace fovea::cli {
namespace {

constexpr int kMostErrors = 20;

// JOB_STATE_RUNNING -> "running"; for a number that this client does not know: the number.
std::string EnumText(absl::string_view name, absl::string_view prefix, int value) {
  if (name.empty()) return absl::StrCat(value);
  absl::ConsumePrefix(&name, prefix);
  return absl::StrReplaceAll(absl::AsciiStrToLower(name), {{"_", "-"}});
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d %H:%M:%S", FromProto(time), absl::LocalTimeZone());
}

// "name                     value" lines.
void AddLine(std::string* text, absl::string_view name, absl::string_view value) {
  absl::StrAppendFormat(text, "%-24s %s\n", name, value);
}

uint64_t Total(const v1::SplitCounts& counts) {
  return counts.train() + counts.validation() + counts.test();
}

std::string SplitText(const v1::SplitCounts& counts) {
  return absl::StrFormat("%d (train %d, validation %d, test %d)", Total(counts), counts.train(),
                         counts.validation(), counts.test());
}

std::string SizeText(const v1::SizeStatistics& size) {
  return absl::StrFormat("%d to %d, median %d", size.min(), size.max(), size.median());
}

std::string ShapeText(const v1::Layer& layer) {
  return absl::StrCat("[", absl::StrJoin(layer.output_shape(), ","), "]");
}

std::string TargetTable(const v1::Dataset& dataset) {
  Table table({"target", "mean", "stddev", "min", "max"});
  for (const v1::TargetStatistics& target : dataset.targets()) {
    table.AddRow({target.name(), absl::StrFormat("%.6g", target.mean()),
                  absl::StrFormat("%.6g", target.stddev()), absl::StrFormat("%.6g", target.min()),
                  absl::StrFormat("%.6g", target.max())});
  }
  return table.ToString();
}

std::string ThresholdsText(const v1::Model& model) {
  return absl::StrJoin(model.thresholds(), ", ", [](std::string* out, double threshold) {
    absl::StrAppendFormat(out, "%.4g", threshold);
  });
}

std::string OpenSetText(const v1::OpenSetRule& rule) {
  return absl::StrFormat("accepts from %s %.4f on (%.4f of the validation images)",
                         rule.has_energy() ? "negative energy" : "maximum probability",
                         rule.threshold(), rule.accepted_share());
}

std::string InputText(const v1::Preprocessing& input) {
  return absl::StrFormat("%d x %d, %s", input.width(), input.height(),
                         input.channels() == 1 ? "grey" : "RGB");
}

}  // namespace

absl::Time FromProto(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

std::string TaskName(v1::Task task) { return EnumText(v1::Task_Name(task), "TASK_", task); }
std::string SplitName(v1::Split split) { return EnumText(v1::Split_Name(split), "SPLIT_", split); }
std::string StateName(v1::JobState state) {
  return EnumText(v1::JobState_Name(state), "JOB_STATE_", state);
}
std::string StateName(v1::ModelState state) {
  return EnumText(v1::ModelState_Name(state), "MODEL_STATE_", state);
}

std::string ShortNumber(uint64_t value) {
  if (value < 1000) return absl::StrCat(value);
  double scaled = static_cast<double>(value);
  for (const char* unit : {"k", "M", "G", "T"}) {
    scaled /= 1000;
    if (scaled < 999.5) return absl::StrFormat("%.3g %s", scaled, unit);
  }
  return absl::StrFormat("%.4g T", scaled);
}

std::string ShortBytes(uint64_t bytes) {
  if (bytes < 1024) return absl::StrCat(bytes, " B");
  double scaled = static_cast<double>(bytes);
  for (const char* unit : {"KiB", "MiB", "GiB"}) {
    scaled /= 1024;
    if (scaled < 1023.95) return absl::StrFormat("%.1f %s", scaled, unit);
  }
  return absl::StrFormat("%.1f TiB", scaled / 1024);
}

std::string DescribeDataset(const v1::Dataset& dataset) {
  std::string text;
  AddLine(&text, "name", dataset.name());
  AddLine(&text, "task", TaskName(dataset.task()));
  AddLine(&text, "revision", absl::StrCat(dataset.revision()));
  AddLine(&text, "images", SplitText(dataset.images()));
  AddLine(&text, "size", ShortBytes(dataset.bytes()));
  if (dataset.has_statistics()) {
    AddLine(&text, "width", SizeText(dataset.statistics().width()));
    AddLine(&text, "height", SizeText(dataset.statistics().height()));
  }
  if (dataset.has_imbalance_ratio()) {
    AddLine(&text, "imbalance_ratio", absl::StrFormat("%.2f", dataset.imbalance_ratio()));
  }
  if (dataset.targets_size() > 0) return absl::StrCat(text, "\n", TargetTable(dataset));
  Table table({"label", "train", "validation", "test"});
  for (const v1::LabelCounts& label : dataset.labels()) {
    table.AddRow({label.label(), absl::StrCat(label.images().train()),
                  absl::StrCat(label.images().validation()), absl::StrCat(label.images().test())});
  }
  return table.empty() ? text : absl::StrCat(text, "\n", table.ToString());
}

std::string DescribeDatasets(const std::vector<v1::Dataset>& datasets) {
  Table table({"name", "task", "revision", "train", "validation", "test", "size"});
  table.set_left_columns(2);
  for (const v1::Dataset& dataset : datasets) {
    table.AddRow({dataset.name(), TaskName(dataset.task()), absl::StrCat(dataset.revision()),
                  absl::StrCat(dataset.images().train()),
                  absl::StrCat(dataset.images().validation()),
                  absl::StrCat(dataset.images().test()), ShortBytes(dataset.bytes())});
  }
  return table.ToString();
}

std::string DescribeImport(const v1::ImportSummary& summary) {
  std::string text = absl::StrFormat(
      "%s revision %d: %d images received, %d imported, %d rejected\n", summary.dataset(),
      summary.revision(), summary.received(), summary.imported(), summary.rejected());
  const int shown = std::min(summary.errors_size(), kMostErrors);
  for (int i = 0; i < shown; ++i) {
    const v1::ImportError& error = summary.errors(i);
    const std::string reason = EnumText(v1::ImportErrorReason_Name(error.reason()),
                                        "IMPORT_ERROR_REASON_", error.reason());
    absl::StrAppendFormat(&text, "  item %d %s: %s: %s\n", error.index(), error.name(), reason,
                          error.message());
  }
  if (summary.rejected() > static_cast<uint64_t>(shown)) {
    absl::StrAppendFormat(&text, "  and %d more\n", summary.rejected() - shown);
  }
  return text;
}

std::string DescribeJob(const v1::Job& job) {
  std::string text;
  AddLine(&text, "id", job.id());
  AddLine(&text, "state", StateName(job.state()));
  if (job.has_error()) AddLine(&text, "error", job.error().message());
  AddLine(&text, "model", job.model());
  if (job.has_published_version()) AddLine(&text, "version", absl::StrCat(job.published_version()));
  AddLine(&text, "dataset", absl::StrCat(job.dataset(), " revision ", job.dataset_revision()));
  AddLine(&text, "attempt", absl::StrCat(job.attempt()));
  AddLine(&text, "created", TimeText(job.create_time()));
  if (job.has_start_time()) AddLine(&text, "started", TimeText(job.start_time()));
  if (job.has_end_time()) AddLine(&text, "ended", TimeText(job.end_time()));
  if (job.has_progress()) {
    const v1::Progress& progress = job.progress();
    AddLine(&text, "epoch", absl::StrCat(progress.epoch(), "/", progress.total_epochs()));
    AddLine(&text, "step", absl::StrCat(progress.step(), "/", progress.total_steps()));
    AddLine(&text, "loss", absl::StrFormat("%.4f", progress.loss()));
    AddLine(&text, "images_per_second", absl::StrFormat("%.1f", progress.images_per_second()));
    if (progress.has_share_of_peak()) {
      AddLine(&text, "share_of_peak", absl::StrFormat("%.3f", progress.share_of_peak()));
    }
  }
  AddLine(&text, "last_event", absl::StrCat(job.last_event()));
  absl::StrAppend(&text, "\n", DescribeEnd(job), "\n\nconfiguration\n", job.config().DebugString());
  if (job.choices_size() == 0) return text;
  Table table({"chosen by Fovea", "value", "why"});
  table.set_left_columns(3);
  for (const v1::Choice& choice : job.choices()) {
    table.AddRow({choice.name(), choice.value(), choice.reason()});
  }
  return absl::StrCat(text, "\n", table.ToString());
}

std::string DescribeJobs(const std::vector<v1::Job>& jobs) {
  Table table({"id", "state", "model", "dataset", "version", "epoch", "created"});
  table.set_left_columns(4);
  for (const v1::Job& job : jobs) {
    const v1::Progress& progress = job.progress();
    table.AddRow(
        {job.id(), StateName(job.state()), job.model(), job.dataset(),
         job.has_published_version() ? absl::StrCat(job.published_version()) : "-",
         job.has_progress() ? absl::StrCat(progress.epoch(), "/", progress.total_epochs()) : "-",
         TimeText(job.create_time())});
  }
  return table.ToString();
}

std::string DescribeModel(const v1::Model& model) {
  std::string text;
  AddLine(&text, "name", model.name());
  AddLine(&text, "version", absl::StrCat(model.version()));
  AddLine(&text, "state", StateName(model.state()));
  if (!model.state_message().empty()) AddLine(&text, "state_message", model.state_message());
  if (!model.aliases().empty()) AddLine(&text, "aliases", absl::StrJoin(model.aliases(), ", "));
  AddLine(&text, "task", TaskName(model.task()));
  AddLine(&text, "labels", absl::StrJoin(model.labels(), ", "));
  if (model.thresholds_size() > 0) AddLine(&text, "thresholds", ThresholdsText(model));
  if (model.has_open_set()) AddLine(&text, "open_set", OpenSetText(model.open_set()));
  AddLine(&text, "input", InputText(model.preprocessing()));
  AddLine(&text, "precision", PrecisionName(model.precision()));
  AddLine(&text, "parameters", ShortNumber(model.total_parameters()));
  AddLine(&text, "flops", ShortNumber(model.total_flops()));
  AddLine(&text, "size", ShortBytes(model.bytes()));
  if (model.has_training()) {
    AddLine(&text, "dataset",
            absl::StrCat(model.training().dataset(), " revision ",
                         model.training().dataset_revision()));
    AddLine(&text, "job", model.training().job_id());
    AddLine(&text, "epoch", absl::StrCat(model.training().epoch()));
  }
  AddLine(&text, "created", TimeText(model.create_time()));
  Table table({"layer", "op", "output", "parameters", "flops"});
  table.set_left_columns(3);
  for (const v1::Layer& layer : model.layers()) {
    table.AddRow({layer.name(), layer.op(), ShapeText(layer), absl::StrCat(layer.parameters()),
                  ShortNumber(layer.flops())});
  }
  table.AddRow(
      {"total", "", "", absl::StrCat(model.total_parameters()), ShortNumber(model.total_flops())});
  absl::StrAppend(&text, "\n", table.ToString());
  if (model.has_report()) {
    absl::StrAppend(&text, "\non ", model.report().dataset(), " (",
                    SplitName(model.report().split()), ")\n",
                    DescribeMeasures(model.report().measures()));
  }
  return text + DescribeServed(model);
}

std::string DescribeModels(const std::vector<v1::Model>& models) {
  Table table({"name", "version", "aliases", "state", "task", "labels", "parameters", "measures"});
  for (const v1::Model& model : models) {
    table.AddRow({model.name(), absl::StrCat(model.version()),
                  model.aliases().empty() ? "-" : absl::StrJoin(model.aliases(), ","),
                  StateName(model.state()), TaskName(model.task()),
                  absl::StrCat(model.labels_size()), ShortNumber(model.total_parameters()),
                  model.has_report() ? DescribeMeasuresShort(model.report().measures()) : "-"});
  }
  return table.ToString();
}

std::string DescribeServing(const v1::Serving& serving) {
  const v1::VersionPolicy& policy = serving.policy();
  std::string kept = absl::StrCat("the newest ", policy.has_latest() ? policy.latest() : 1);
  if (policy.has_all()) kept = "all";
  if (policy.has_versions()) kept = absl::StrJoin(policy.versions().versions(), ", ");
  std::string text;
  AddLine(&text, "versions", kept);
  const std::map<std::string, uint64_t> aliases(serving.aliases().begin(), serving.aliases().end());
  for (const auto& [alias, version] : aliases) AddLine(&text, alias, absl::StrCat(version));
  return text;
}

std::string DescribePrediction(const std::string& file, const v1::Prediction& prediction,
                               bool mark) {
  std::vector<std::string> labels;
  for (const v1::ScoredLabel& label : prediction.labels()) {
    labels.push_back(absl::StrFormat("%s%s %.4f", mark && label.applies() ? "*" : "", label.label(),
                                     label.probability()));
  }
  for (const v1::PredictedValue& value : prediction.values()) {
    labels.push_back(absl::StrFormat("%s %.6g", value.name(), value.value()));
  }
  const v1::OpenSetVerdict& verdict = prediction.open_set();
  const std::string unknown =
      verdict.rejected() ? absl::StrFormat("rejected (score %.4f, expected at least %.4f), ",
                                           verdict.score(), verdict.threshold())
                         : "";
  return absl::StrCat(file, ": ", unknown, absl::StrJoin(labels, ", "), "\n");
}

}  // namespace fovea::cli
