// fovea train DATASET --model NAME …
#include <memory>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/commands.h"
#include "client/config_override.h"
#include "client/job_view.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct TrainOptions {
  std::string dataset;
  std::string model;
  std::string config_path;
  std::string net;
  std::string fine_tune;
  std::vector<std::string> freeze;
  std::string net_path;
  std::optional<uint32_t> epochs;
  std::optional<uint32_t> batch;
  std::optional<double> learning_rate;
  std::optional<uint64_t> seed;
  std::vector<std::string> overrides;
  std::string request_id;
  bool detach = false;
};

// "pets" or "pets:3".
absl::Status SetFineTune(const std::string& start, v1::FineTune* tune) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(start, absl::MaxSplits(':', 1));
  tune->set_model(std::string(parts.first));
  tune->clear_version();
  if (!absl::StrContains(start, ':')) return absl::OkStatus();
  uint64_t version = 0;
  if (!absl::SimpleAtoi(parts.second, &version) || version == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--fine-tune: found \"", start, "\", expected MODEL or MODEL:VERSION, version a number"));
  }
  tune->set_version(version);
  return absl::OkStatus();
}

absl::StatusOr<v1::TrainingConfig> MakeConfig(const TrainOptions& options) {
  v1::TrainingConfig config;
  if (!options.config_path.empty()) {
    RETURN_IF_ERROR(ReadTextConfig(options.config_path, &config));
  }
  if (!options.net.empty()) config.set_net(options.net);
  if (!options.net_path.empty()) {
    ASSIGN_OR_RETURN(*config.mutable_net_text(), FileSystem::Real()->Read(options.net_path));
  }
  if (options.epochs.has_value()) config.set_epochs(*options.epochs);
  if (options.batch.has_value()) config.set_batch_size(*options.batch);
  if (options.learning_rate.has_value()) config.set_learning_rate(*options.learning_rate);
  if (options.seed.has_value()) config.set_seed(*options.seed);
  if (!options.fine_tune.empty()) {
    RETURN_IF_ERROR(SetFineTune(options.fine_tune, config.mutable_fine_tune()));
  }
  if (!options.freeze.empty() && !config.has_fine_tune()) {
    return absl::InvalidArgumentError(
        "--freeze: found no model to begin with, expected --fine-tune");
  }
  for (const std::string& prefix : options.freeze) {
    config.mutable_fine_tune()->add_freeze(prefix);
  }
  for (const std::string& assignment : options.overrides) {
    RETURN_IF_ERROR(ApplyOverride(assignment, &config));
  }
  return config;
}

// How to go on with a job that is left alone.
std::string GoOnHint(const Session& session, const std::string& id) {
  const std::string jobs = absl::StrCat("fovea --server ", session.server(), " jobs ");
  return absl::StrCat("the job goes on\n  follow it:  ", jobs, "watch ", id,
                      "\n  stop it:    ", jobs, "cancel ", id, "\n");
}

absl::StatusOr<int> Train(const TrainOptions& options, Session& session) {
  const absl::StatusOr<v1::TrainingConfig> config = MakeConfig(options);
  if (!config.ok()) return UsageError(config.status());
  v1::TrainRequest request;
  request.set_request_id(options.request_id.empty() ? NewRequestId() : options.request_id);
  request.set_dataset(options.dataset);
  request.set_model(options.model);
  *request.mutable_config() = *config;

  JobView view(&session);
  const JobObserver observer = {
      .on_event =
          [&](const v1::JobEvent& event) {
            view.Show(event);
            return !options.detach;
          },
      .on_lost = [&](const absl::Status& status) { view.ShowLost(status); }};
  const absl::StatusOr<v1::Job> job = session.client().Train(request, observer);
  if (!job.ok()) {
    view.Clear();
    if (!view.job_id().empty()) session.io().err << GoOnHint(session, view.job_id());
    return job.status();
  }
  if (options.detach) {
    if (!session.json()) session.out() << GoOnHint(session, job->id());
    return kExitOk;
  }
  view.ShowEnd(*job);
  return ExitCodeOf(*job);
}

}  // namespace

void AddTrain(CLI::App* app, Action* action) {
  CLI::App* train = app->add_subcommand("train", "Train a model and watch it (Ctrl-C detaches)");
  const auto options = std::make_shared<TrainOptions>();
  train->add_option("DATASET", options->dataset, "Name of the data set")->required();
  train->add_option("--model", options->model, "Name of the model; default: the data set's name");
  train
      ->add_option("--config", options->config_path,
                   "TrainingConfig in protobuf's text format; options below win over it")
      ->check(CLI::ExistingFile);
  CLI::Option* net = train->add_option(
      "--net", options->net,
      "mlp, lenet, resnet8, resnet20, resnet56, resnet18, resnet34, resnet50, vgg11, vgg11_bn, "
      "mobilenet_v2, mobilenet_v3_small");
  train
      ->add_option("--net-file", options->net_path,
                   "A net of your own as text, one layer a line (TrainingConfig.net_text)")
      ->check(CLI::ExistingFile)
      ->excludes(net);
  train->add_option("--fine-tune", options->fine_tune,
                    "MODEL or MODEL:VERSION whose weights, net and input the training begins with");
  train
      ->add_option(
          "--freeze", options->freeze,
          "Layers that stay as --fine-tune has them, e.g. layer1 for all whose name begins "
          "with layer1.; may repeat")
      ->allow_extra_args(false);
  train->add_option("--epochs", options->epochs, "Passes over the training split");
  train->add_option("--batch", options->batch, "Examples a step");
  train->add_option("--learning-rate", options->learning_rate, "The highest rate of the schedule");
  train->add_option("--seed", options->seed, "Fixes weights, shuffles and augmentation");
  train
      ->add_option("--set", options->overrides,
                   "path=value, any field of TrainingConfig, e.g. sgd.momentum=0.8; may repeat")
      ->allow_extra_args(false);
  train->add_option("--request-id", options->request_id,
                    "Makes a retry safe: the same id never starts a second job");
  train->add_flag("--detach", options->detach, "Start the job and return");
  train->callback([=] { *action = [=](Session& session) { return Train(*options, session); }; });
}

}  // namespace fovea::cli
