// How a model version is served, for people: its precision, those that were tried, and what runs.
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "client/describe.h"
#include "client/table.h"

namespace fovea::cli {
namespace {

std::string TriedTable(const v1::Report& report) {
  Table table({"precision", "outcome", "measure", "value", "loss", "images/s"});
  table.set_left_columns(3);
  for (const v1::PrecisionReport& tried : report.precisions()) {
    table.AddRow({PrecisionName(tried.precision()), tried.refused().empty() ? "allowed" : "refused",
                  tried.measure(), tried.has_value() ? absl::StrFormat("%.4f", tried.value()) : "-",
                  tried.has_value() ? absl::StrFormat("%.4f", tried.loss()) : "-",
                  absl::StrFormat("%.1f", tried.images_per_second())});
  }
  std::string text = table.ToString();
  for (const v1::PrecisionReport& tried : report.precisions()) {
    if (tried.refused().empty()) continue;
    absl::StrAppend(&text, PrecisionName(tried.precision()), ": ", tried.refused(), "\n");
  }
  return text;
}

std::string ProgramTable(const v1::Model& model) {
  Table table({"layout_plan", "batch", "milliseconds", "reorders"});
  table.set_left_columns(1);
  for (const v1::ServedProgram& program : model.programs()) {
    table.AddRow({program.layout_plan(), absl::StrCat(program.batch()),
                  program.seconds() > 0 ? absl::StrFormat("%.2f", program.seconds() * 1e3) : "-",
                  absl::StrCat(program.reorders())});
  }
  return table.ToString();
}

}  // namespace

std::string PrecisionName(v1::ServedPrecision precision) {
  const std::string name = v1::ServedPrecision_Name(precision);
  if (name.empty()) return absl::StrCat(static_cast<int>(precision));
  return absl::AsciiStrToLower(absl::StripPrefix(name, "SERVED_PRECISION_"));
}

std::string DescribeServed(const v1::Model& model) {
  std::string text;
  if (model.report().precisions_size() > 0) {
    absl::StrAppend(&text, "\n", TriedTable(model.report()));
  }
  if (model.programs_size() > 0) absl::StrAppend(&text, "\n", ProgramTable(model));
  return text;
}

}  // namespace fovea::cli
