// The measures' part of describe.h.
#include <map>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/describe.h"
#include "client/table.h"

namespace fovea::cli {
namespace {

constexpr int kLargestMatrix = 20;  // labels

using Rows = std::vector<std::pair<std::string, double>>;

std::string Share(double value) { return absl::StrFormat("%.4f", value); }

void AddAverage(const std::string& name, const v1::Average& average, Rows* rows) {
  rows->emplace_back(absl::StrCat(name, "_precision"), average.precision());
  rows->emplace_back(absl::StrCat(name, "_recall"), average.recall());
  rows->emplace_back(absl::StrCat(name, "_f1"), average.f1());
}

Rows SingleLabelRows(const v1::SingleLabelMeasures& measures) {
  Rows rows = {{"accuracy", measures.accuracy()}};
  for (const v1::TopKAccuracy& top : measures.top_k()) {
    if (top.k() > 1) rows.emplace_back(absl::StrCat("top_", top.k(), "_accuracy"), top.accuracy());
  }
  rows.emplace_back("balanced_accuracy", measures.balanced_accuracy());
  AddAverage("macro", measures.macro(), &rows);
  AddAverage("weighted", measures.weighted(), &rows);
  if (measures.has_macro_roc_auc()) rows.emplace_back("macro_roc_auc", measures.macro_roc_auc());
  if (measures.has_open_set()) {
    const v1::OpenSetMeasures& open_set = measures.open_set();
    rows.emplace_back("open_set_coverage", open_set.coverage());
    if (open_set.has_accepted_accuracy()) {
      rows.emplace_back("open_set_accuracy", open_set.accepted_accuracy());
    }
    rows.emplace_back("open_set_threshold", open_set.threshold());
  }
  return rows;
}

Rows MultiLabelRows(const v1::MultiLabelMeasures& measures) {
  Rows rows = {{"hamming_loss", measures.hamming_loss()},
               {"subset_accuracy", measures.subset_accuracy()}};
  AddAverage("micro", measures.micro(), &rows);
  AddAverage("macro", measures.macro(), &rows);
  AddAverage("weighted", measures.weighted(), &rows);
  AddAverage("example", measures.example(), &rows);
  rows.emplace_back("jaccard", measures.jaccard());
  if (measures.has_mean_average_precision()) {
    rows.emplace_back("mean_average_precision", measures.mean_average_precision());
  }
  if (measures.has_macro_roc_auc()) rows.emplace_back("macro_roc_auc", measures.macro_roc_auc());
  return rows;
}

Rows BinaryRows(const v1::BinaryMeasures& measures) {
  Rows rows = {{"accuracy", measures.accuracy()},
               {"balanced_accuracy", measures.balanced_accuracy()},
               {"precision", measures.precision()},
               {"recall", measures.recall()},
               {"f1", measures.f1()}};
  if (measures.has_roc_auc()) rows.emplace_back("roc_auc", measures.roc_auc());
  if (measures.has_average_precision()) {
    rows.emplace_back("average_precision", measures.average_precision());
  }
  rows.emplace_back("brier_score", measures.brier_score());
  rows.emplace_back("threshold", measures.threshold());
  return rows;
}

// Errors have the units of the targets, so they keep their digits.
std::string DescribeRegression(const v1::Measures& measures) {
  const v1::RegressionMeasures& regression = measures.regression();
  std::string text = absl::StrFormat("%-24s %d\n", "examples", measures.examples());
  absl::StrAppendFormat(&text, "%-24s %.6g\n", "mse", regression.mse());
  absl::StrAppendFormat(&text, "%-24s %.6g\n", "rmse", regression.rmse());
  absl::StrAppendFormat(&text, "%-24s %.6g\n", "mae", regression.mae());
  if (regression.has_r2()) absl::StrAppendFormat(&text, "%-24s %.4f\n", "r2", regression.r2());
  absl::StrAppendFormat(&text, "%-24s %.6g\n", "max_error", regression.max_error());
  return text;
}

std::string TargetTable(const v1::Report& report) {
  Table table({"target", "mse", "rmse", "mae", "r2", "max_error"});
  for (const v1::TargetReport& target : report.targets()) {
    table.AddRow({target.name(), absl::StrFormat("%.6g", target.mse()),
                  absl::StrFormat("%.6g", target.rmse()), absl::StrFormat("%.6g", target.mae()),
                  target.has_r2() ? Share(target.r2()) : "-",
                  absl::StrFormat("%.6g", target.max_error())});
  }
  return table.ToString();
}

std::string LabelTable(const v1::Report& report) {
  const bool multi_label =
      report.task() == v1::TASK_MULTI_LABEL || report.task() == v1::TASK_BINARY;
  std::vector<std::string> heading = {"label", "support", "precision", "recall", "f1", "roc_auc"};
  if (multi_label) heading.insert(heading.end(), {"ap", "threshold"});
  Table table(std::move(heading));
  for (const v1::LabelReport& label : report.labels()) {
    std::vector<std::string> row = {label.label(),
                                    absl::StrCat(label.support()),
                                    Share(label.precision()),
                                    Share(label.recall()),
                                    Share(label.f1()),
                                    label.has_roc_auc() ? Share(label.roc_auc()) : "-"};
    if (multi_label) {
      row.push_back(label.has_average_precision() ? Share(label.average_precision()) : "-");
      row.push_back(label.has_threshold() ? Share(label.threshold()) : "-");
    }
    table.AddRow(std::move(row));
  }
  return table.ToString();
}

std::string MatrixTable(const v1::Report& report) {
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> counts;
  for (const v1::ConfusionCell& cell : report.confusion_matrix().cells()) {
    counts[{cell.truth(), cell.predicted()}] = cell.count();
  }
  std::vector<std::string> heading = {"truth \\ predicted"};
  for (const v1::LabelReport& label : report.labels()) heading.push_back(label.label());
  Table table(std::move(heading));
  const uint32_t size = static_cast<uint32_t>(report.labels_size());
  for (uint32_t truth = 0; truth < size; ++truth) {
    std::vector<std::string> row = {report.labels(static_cast<int>(truth)).label()};
    for (uint32_t predicted = 0; predicted < size; ++predicted) {
      const auto count = counts.find({truth, predicted});
      row.push_back(count == counts.end() ? "." : absl::StrCat(count->second));
    }
    table.AddRow(std::move(row));
  }
  return table.ToString();
}

}  // namespace

std::string DescribeMeasuresShort(const v1::Measures& measures) {
  std::string text;
  if (measures.has_single_label()) {
    text = absl::StrCat("accuracy ", Share(measures.single_label().accuracy()), ", ");
  } else if (measures.has_multi_label()) {
    text = absl::StrCat("hamming_loss ", Share(measures.multi_label().hamming_loss()),
                        ", micro_f1 ", Share(measures.multi_label().micro().f1()), ", ");
  }
  if (measures.has_binary()) {
    text = absl::StrCat("roc_auc ", Share(measures.binary().roc_auc()), ", f1 ",
                        Share(measures.binary().f1()), ", ");
  } else if (measures.has_regression()) {
    return absl::StrFormat("mse %.6g, r2 %.4f", measures.regression().mse(),
                           measures.regression().r2());
  }
  return absl::StrCat(text, "log_loss ", Share(measures.log_loss()));
}

std::string DescribeMeasures(const v1::Measures& measures) {
  if (measures.has_regression()) return DescribeRegression(measures);
  Rows rows;
  if (measures.has_binary()) rows = BinaryRows(measures.binary());
  if (measures.has_single_label()) rows = SingleLabelRows(measures.single_label());
  if (measures.has_multi_label()) rows = MultiLabelRows(measures.multi_label());
  rows.emplace_back("log_loss", measures.log_loss());
  std::string text = absl::StrFormat("%-24s %d\n", "examples", measures.examples());
  for (const auto& [name, value] : rows) {
    absl::StrAppendFormat(&text, "%-24s %s\n", name, Share(value));
  }
  return text;
}

std::string DescribeReport(const v1::Report& report) {
  std::string text = DescribeMeasures(report.measures());
  if (report.images_per_second() > 0) {
    absl::StrAppendFormat(&text, "%-24s %.1f\n", "images_per_second", report.images_per_second());
  }
  if (report.targets_size() > 0) absl::StrAppend(&text, "\n", TargetTable(report));
  if (report.labels_size() > 0) absl::StrAppend(&text, "\n", LabelTable(report));
  if (report.has_confusion_matrix() && report.labels_size() <= kLargestMatrix) {
    absl::StrAppend(&text, "\n", MatrixTable(report));
  }
  return text;
}

}  // namespace fovea::cli
