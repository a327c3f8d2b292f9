// Execution: all that, beside configuration and data, makes two runs give the same losses bit for
// bit. Chosen at the first attempt, recorded, and used again by a resume.
#pragma once

#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "fovea/v1/training.pb.h"

namespace fovea {

// What a first attempt runs with; `config` is complete.
v1::Execution ChooseExecution(const v1::TrainingConfig& config);

// How an execution that was recorded is compiled. Each sentence appended to `notes` says what this
// machine cannot repeat: another processor, or a layout plan that this build does not know.
CompileOptions CompileOptionsOf(const v1::Execution& recorded, std::vector<std::string>& notes);

}  // namespace fovea
