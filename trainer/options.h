// The command line of fovea-trainer.
#pragma once

#include <optional>
#include <string>

namespace fovea {

struct TrainerOptions {
  // As a child of the server.
  std::string job;     // text-format v1.TrainerJob
  int events_fd = -1;  // where to write TrainerMessages; −1: lines on stderr
  // By hand.
  std::string config;   // text-format v1.TrainingConfig; empty: every default
  std::string dataset;  // a data set's SQLite file
  std::string output;   // folder of checkpoints and model
  std::string model;    // name; empty: the data set's
  std::string start;    // folder of the model to begin with; empty: weights begin at random
  bool resume = false;
  // Both.
  std::string losses;  // file for the loss of every step; empty: none
  bool background = false;
  std::string log_level = "info";
};

struct ParsedOptions {
  std::optional<TrainerOptions> options;  // absent: exit with `exit_code`
  int exit_code = 0;
};

// Prints help, or what is wrong, by itself.
ParsedOptions ParseTrainerOptions(int argc, char** argv);

}  // namespace fovea
