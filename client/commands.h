// The subcommands of `fovea`, one file each. Each Add… declares options on the application and
// sets *action when its subcommand was given.
#pragma once

#include <functional>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "client/session.h"

namespace fovea::cli {

// What the command line asked for. Returns the exit code, or the error that ended it.
using Action = std::function<absl::StatusOr<int>(Session&)>;

void AddDatasets(CLI::App* app, Action* action);
void AddPreview(CLI::App* datasets, Action* action);  // below `fovea datasets`
void AddTrain(CLI::App* app, Action* action);
void AddJobs(CLI::App* app, Action* action);
void AddEvaluate(CLI::App* app, Action* action);
void AddPredict(CLI::App* app, Action* action);
void AddModels(CLI::App* app, Action* action);

}  // namespace fovea::cli
