// fovea evaluate MODEL DATASET
#include <memory>

#include "absl/strings/str_format.h"
#include "client/commands.h"
#include "client/describe.h"
#include "client/image_source.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct EvaluateOptions {
  std::string model;
  std::string dataset;
  std::string split = "test";
  std::string version;
};

absl::StatusOr<int> Evaluate(const EvaluateOptions& options, Session& session) {
  v1::EvaluateRequest request;
  request.set_model(options.model);
  SetVersion(options.version, &request);
  request.set_dataset(options.dataset);
  ASSIGN_OR_RETURN(const v1::Split split, ParseSplit(options.split));
  request.set_split(split);
  ASSIGN_OR_RETURN(const v1::Report report, session.client().Evaluate(request));
  session.Print(report, absl::StrFormat("%s on %s revision %d (%s)\n%s", options.model,
                                        report.dataset(), report.dataset_revision(),
                                        SplitName(report.split()), DescribeReport(report)));
  return kExitOk;
}

}  // namespace

void AddEvaluate(CLI::App* app, Action* action) {
  CLI::App* evaluate = app->add_subcommand("evaluate", "Measure a model on a data set");
  const auto options = std::make_shared<EvaluateOptions>();
  evaluate->add_option("MODEL", options->model, "Name of the model")->required();
  evaluate->add_option("DATASET", options->dataset, "Name of the data set")->required();
  evaluate->add_option("--split", options->split, "train, validation or test")
      ->check(CLI::IsMember({"train", "validation", "test"}))
      ->capture_default_str();
  evaluate->add_option("--version", options->version,
                       "Version of the model, or an alias; default: the newest");
  evaluate->callback(
      [=] { *action = [=](Session& session) { return Evaluate(*options, session); }; });
}

}  // namespace fovea::cli
