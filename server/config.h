// Config: what the command line of fovea-server says, checked.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "server/services/limits.h"
#include "server/serving/batch_policy.h"

namespace fovea {

struct Config {
  std::string data_dir = "fovea-data";     // data sets, models, jobs
  std::string models_dir;                  // the model repository; empty: below data_dir
  std::string data_root;                   // what ImportPath may read; empty: nothing
  std::string listen = "127.0.0.1:8001";   // gRPC; port 0 picks a free one
  std::string metrics = "127.0.0.1:8002";  // Prometheus; port 0 picks a free one
  std::string port_file;                   // where the chosen ports are written; empty: nowhere
  std::string trainer;                     // path of fovea-trainer; empty: beside this executable
  std::string backend = "cpu";             // that serves
  int threads = 0;                         // of serving; 0: the CPU budget
  int width = 1;                           // threads of one executor
  BatchPolicy batch;
  int response_cache_mib = 0;  // of answers to pictures seen before; 0: none are kept
  // What the names of shared memory that clients may have read and written begin with; empty: none.
  std::string shared_memory_prefix;
  int evaluations = 1;                                // at a time
  absl::Duration repository_poll = absl::Seconds(5);  // 0: never
  bool idle_trainer = true;                           // SCHED_IDLE
  absl::Duration grace = absl::Seconds(30);
  std::string log_level = "info";
  Limits limits;
};

// What to do instead of serving: after --help, --version, or a mistake.
struct ConfigExit {
  int code = 0;
  std::string text;  // for stdout when the code is 0, else for stderr
};

struct ConfigOrExit {
  std::optional<Config> config;
  ConfigExit exit;  // when there is no config
};

ConfigOrExit ParseFlags(int argc, const char* const* argv);

// InvalidArgument names the flag, what was found and what was expected. Touches no file.
absl::Status ValidateConfig(const Config& config);

}  // namespace fovea
