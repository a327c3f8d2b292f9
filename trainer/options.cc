#include "trainer/options.h"

#include "CLI/CLI.hpp"
#include "trainer/exit_code.h"

namespace fovea {
namespace {

constexpr char kFooter[] = R"(
Examples:
  fovea-trainer --dataset digits.sqlite --output run
  fovea-trainer --config config.textproto --dataset digits.sqlite --output run --model digits
  fovea-trainer --dataset letters.sqlite --output letters --start run/model
  fovea-trainer --output run --resume

config.textproto holds a fovea.v1.TrainingConfig (proto/fovea/v1/training.proto); what it leaves
open is chosen and printed. For example:
  net: "resnet20"  epochs: 30  batch_size: 128
  sgd { momentum: 0.9 nesterov: true }  learning_rate: 0.1
  augmentation { horizontal_flip: 0.5 }

The finished model is in OUTPUT/model. SIGINT and SIGTERM stop after the current step and keep a
checkpoint for --resume; a second one stops at once.

Exit codes: 0 done, 1 failed, 2 wrong options, 3 stopped with a checkpoint, 4 busy: another process
holds OUTPUT or the data set.)";

void AddOptions(CLI::App& app, TrainerOptions& options) {
  const char* const by_hand = "By hand";
  app.add_option("--config", options.config, "Training configuration, text format")
      ->check(CLI::ExistingFile)
      ->option_text("FILE")
      ->group(by_hand);
  app.add_option("--dataset", options.dataset, "Data set, a SQLite file")
      ->check(CLI::ExistingFile)
      ->option_text("FILE")
      ->group(by_hand);
  app.add_option("--output", options.output, "Folder for checkpoints and model")
      ->type_name("FOLDER")
      ->group(by_hand);
  app.add_option("--model", options.model, "Name of the model (default: the data set's)")
      ->type_name("NAME")
      ->group(by_hand);
  app.add_option(
         "--start", options.start,
         "Folder of the model to fine-tune, models/NAME/VERSION or another run's OUTPUT/model "
         "(config: fine_tune)")
      ->check(CLI::ExistingDirectory)
      ->option_text("FOLDER")
      ->group(by_hand);
  app.add_flag("--resume", options.resume, "Go on with the run in --output")->group(by_hand);
  const char* const as_child = "As a child of fovea-server";
  app.add_option("--job", options.job, "A fovea.v1.TrainerJob, text format")
      ->check(CLI::ExistingFile)
      ->option_text("FILE")
      ->group(as_child);
  app.add_option("--events-fd", options.events_fd,
                 "Open file descriptor for length-delimited TrainerMessages (default: lines on "
                 "stderr)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group(as_child);
  app.add_option("--losses", options.losses, "Append every step's loss to this file")
      ->option_text("FILE");
  app.add_flag("--background", options.background, "Use only time that nobody else wants");
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->type_name("LEVEL")
      ->capture_default_str();
}

// A run is named in one of three ways.
void CheckCombination(const TrainerOptions& options) {
  const bool describes = !options.config.empty() || !options.dataset.empty() ||
                         !options.model.empty() || !options.start.empty();
  if (!options.job.empty()) {
    if (!describes && options.output.empty() && !options.resume) return;
    throw CLI::ValidationError("--job names everything: expected no other option by hand");
  }
  if (options.events_fd >= 0) throw CLI::ValidationError("--events-fd: expected --job");
  if (options.output.empty()) throw CLI::ValidationError("expected --output, or --job");
  if (options.resume && describes) {
    throw CLI::ValidationError("--resume takes everything but --output from the run's folder");
  }
  if (!options.resume && options.dataset.empty()) {
    throw CLI::ValidationError("--output: expected --dataset, or --resume");
  }
}

}  // namespace

ParsedOptions ParseTrainerOptions(int argc, char** argv) {
  CLI::App app("Trains an image classifier on a Fovea data set.", "fovea-trainer");
  app.footer(kFooter);
  TrainerOptions options;
  AddOptions(app, options);
  try {
    app.parse(argc, argv);
    CheckCombination(options);
  } catch (const CLI::ParseError& error) {
    return {std::nullopt, app.exit(error) == 0 ? kExitDone : kExitUsage};
  }
  return {options, kExitDone};
}

}  // namespace fovea
