#include "server/config.h"

#include <limits.h>

#include <CLI/CLI.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"

namespace fovea {
namespace {

constexpr char kDescription[] =
    "Trains image classifiers and serves them over gRPC (package fovea.v1).\n"
    "SIGTERM or SIGINT drains and stops; a second one stops at once.";

void AddPlaces(CLI::App& app, Config& config) {
  app.add_option("--data-dir", config.data_dir,
                 "Folder of data sets, models and jobs; made when missing")
      ->capture_default_str();
  app.add_option(
      "--models-dir", config.models_dir,
      "Folder of models, which several servers may share; default: models in --data-dir");
  app.add_option("--data-root", config.data_root,
                 "Folder below which Datasets.ImportPath may read; default: none");
  app.add_option("--listen", config.listen, "gRPC address HOST:PORT; port 0 picks a free one")
      ->capture_default_str();
  app.add_option("--metrics", config.metrics,
                 "Address of the Prometheus page /metrics; port 0 picks a free one")
      ->capture_default_str();
  app.add_option("--port-file", config.port_file,
                 "File that gets the lines grpc=PORT and metrics=PORT once both are open");
  app.add_option("--trainer", config.trainer,
                 "Path of fovea-trainer; default: beside this executable");
}

void AddServing(CLI::App& app, Config& config, double* delay_ms, double* target_ms,
                double* max_wait_ms, double* poll_seconds) {
  app.add_option("--backend", config.backend, "Device that serves: cpu or reference")
      ->capture_default_str();
  app.add_option("--threads", config.threads,
                 "Cores that serving may use; 0: those of the cgroup's CPU quota")
      ->capture_default_str();
  app.add_option("--width", config.width,
                 "Threads of one executor: 1 for throughput, more for a lone request")
      ->capture_default_str();
  app.add_option("--max-batch", config.batch.max_batch,
                 "Most images computed together, rounded down to a power of two")
      ->capture_default_str();
  app.add_option("--max-batch-delay-ms", *delay_ms,
                 "How long an image may wait for company; 0: an idle core takes it at once")
      ->capture_default_str();
  app.add_option("--target-p99-ms", *target_ms,
                 "Latency in the batcher to stay under: batches and delays follow the rate of "
                 "requests; 0: none")
      ->capture_default_str();
  app.add_option("--max-queue", config.batch.max_queue,
                 "Images that may wait for a model version before requests are refused")
      ->capture_default_str();
  app.add_option("--max-queue-ms", *max_wait_ms,
                 "How long a request may be expected to wait for those ahead before it is refused; "
                 "requests on streams wait longer")
      ->capture_default_str();
  app.add_option("--response-cache-mib", config.response_cache_mib,
                 "Memory for answers to pictures that were seen before; 0: none are kept")
      ->capture_default_str();
  app.add_option(
         "--repository-poll-seconds", *poll_seconds,
         "How often to look for models that others changed in the folder of models; 0: never")
      ->capture_default_str();
  app.add_option("--shared-memory-prefix", config.shared_memory_prefix,
                 "Beginning of the names of shared memory (/fovea_) that clients may have read and "
                 "written; / for any; default: none may");
  app.add_option("--evaluations", config.evaluations, "Evaluate calls that run at a time")
      ->capture_default_str();
}

void AddLimits(CLI::App& app, Limits& limits) {
  app.add_option("--max-message-bytes", limits.max_message_bytes, "Largest gRPC message")
      ->capture_default_str();
  app.add_option("--max-images", limits.max_images, "Most images of one Predict")
      ->capture_default_str();
  app.add_option("--max-image-bytes", limits.decode.max_bytes, "Largest encoded picture")
      ->capture_default_str();
  app.add_option("--max-pixels", limits.decode.max_pixels,
                 "Largest picture, width x height; checked before it is decoded")
      ->capture_default_str();
  app.add_option("--max-imports", limits.max_imports, "Import streams at a time")
      ->capture_default_str();
  app.add_option("--max-watchers", limits.max_watchers, "Train and Watch streams at a time")
      ->capture_default_str();
}

// The beginning of a name as shm_open takes it.
absl::Status CheckPrefix(const char* flag, const std::string& prefix) {
  if (prefix.empty() || (prefix.size() <= NAME_MAX && prefix.rfind('/') == 0)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(flag, ": found \"", prefix,
                                                 "\", expected a slash and at most ", NAME_MAX - 1,
                                                 " other characters"));
}

template <typename T>
absl::Status CheckRange(const char* flag, T found, T min, T max) {
  if (found >= min && found <= max) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": found ", found, ", expected ", min, " to ", max));
}

absl::Status CheckAddress(const char* flag, const std::string& address) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == std::string::npos || colon == 0 ||
      !absl::SimpleAtoi(address.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        flag, ": found \"", address, "\", expected HOST:PORT with a port of 0 to 65535"));
  }
  return absl::OkStatus();
}

}  // namespace

ConfigOrExit ParseFlags(int argc, const char* const* argv) {
  Config config;
  double delay_ms = 0, target_ms = 0,
         max_wait_ms = absl::ToDoubleMilliseconds(config.batch.max_wait),
         grace_seconds = absl::ToDoubleSeconds(config.grace),
         poll_seconds = absl::ToDoubleSeconds(config.repository_poll);
  std::string priority = "idle";
  CLI::App app(kDescription, "fovea-server");
  app.set_version_flag("--version", "fovea-server " FOVEA_VERSION);
  AddPlaces(app, config);
  AddServing(app, config, &delay_ms, &target_ms, &max_wait_ms, &poll_seconds);
  AddLimits(app, config.limits);
  app.add_option("--trainer-priority", priority,
                 "idle: training takes what serving leaves; normal: they share")
      ->check(CLI::IsMember({"idle", "normal"}))
      ->capture_default_str();
  app.add_option("--grace-seconds", grace_seconds,
                 "How long requests and the trainer's last checkpoint may take when stopping")
      ->capture_default_str();
  app.add_option("--log-level", config.log_level, "debug, info, warning or error")
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    app.exit(success, text, text);
    return {std::nullopt, {0, text.str()}};
  } catch (const CLI::ParseError& error) {
    return {std::nullopt,
            {2, absl::StrCat("fovea-server: ", error.what(), "; see fovea-server --help\n")}};
  }
  config.batch.max_delay = absl::Milliseconds(delay_ms);
  config.batch.target_p99 = absl::Milliseconds(target_ms);
  config.batch.max_wait = absl::Milliseconds(max_wait_ms);
  config.repository_poll = absl::Seconds(poll_seconds);
  config.grace = absl::Seconds(grace_seconds);
  config.idle_trainer = priority == "idle";
  if (const absl::Status status = ValidateConfig(config); !status.ok()) {
    return {std::nullopt, {2, absl::StrCat("fovea-server: ", status.message(), "\n")}};
  }
  return {config, {}};
}

absl::Status ValidateConfig(const Config& config) {
  if (config.data_dir.empty()) {
    return absl::InvalidArgumentError("--data-dir: found an empty path, expected a folder");
  }
  RETURN_IF_ERROR(CheckAddress("--listen", config.listen));
  RETURN_IF_ERROR(CheckAddress("--metrics", config.metrics));
  if (config.backend != "cpu" && config.backend != "reference") {
    return absl::InvalidArgumentError(
        absl::StrCat("--backend: found \"", config.backend, "\", expected cpu or reference"));
  }
  const Limits& limits = config.limits;
  RETURN_IF_ERROR(CheckRange("--threads", config.threads, 0, 1024));
  RETURN_IF_ERROR(CheckRange("--width", config.width, 1, 1024));
  RETURN_IF_ERROR(CheckRange("--max-batch", config.batch.max_batch, 1, 1024));
  RETURN_IF_ERROR(CheckRange("--max-batch-delay-ms",
                             absl::ToDoubleMilliseconds(config.batch.max_delay), 0.0, 10'000.0));
  RETURN_IF_ERROR(CheckRange("--target-p99-ms", absl::ToDoubleMilliseconds(config.batch.target_p99),
                             0.0, 10'000.0));
  if (config.batch.target_p99 > absl::ZeroDuration() &&
      config.batch.max_delay > absl::ZeroDuration()) {
    return absl::InvalidArgumentError(
        "--target-p99-ms: found it beside --max-batch-delay-ms, expected one of them: the target "
        "sets the delay");
  }
  RETURN_IF_ERROR(CheckRange("--max-queue", config.batch.max_queue, 1, 1 << 20));
  RETURN_IF_ERROR(CheckRange("--max-queue-ms", absl::ToDoubleMilliseconds(config.batch.max_wait),
                             1.0, 3'600'000.0));
  RETURN_IF_ERROR(CheckRange("--response-cache-mib", config.response_cache_mib, 0, 1 << 20));
  RETURN_IF_ERROR(CheckRange("--repository-poll-seconds",
                             absl::ToDoubleSeconds(config.repository_poll), 0.0, 86400.0));
  RETURN_IF_ERROR(CheckPrefix("--shared-memory-prefix", config.shared_memory_prefix));
  RETURN_IF_ERROR(CheckRange("--evaluations", config.evaluations, 1, 64));
  RETURN_IF_ERROR(CheckRange("--max-message-bytes", limits.max_message_bytes, 1 << 16, 1 << 30));
  RETURN_IF_ERROR(CheckRange("--max-images", limits.max_images, 1, 65536));
  RETURN_IF_ERROR(
      CheckRange("--max-image-bytes", limits.decode.max_bytes, int64_t{1}, int64_t{1} << 30));
  RETURN_IF_ERROR(
      CheckRange("--max-pixels", limits.decode.max_pixels, int64_t{1}, int64_t{1} << 30));
  RETURN_IF_ERROR(CheckRange("--max-imports", limits.max_imports, 1, 1024));
  RETURN_IF_ERROR(CheckRange("--max-watchers", limits.max_watchers, 1, 65536));
  return CheckRange("--grace-seconds", absl::ToDoubleSeconds(config.grace), 0.0, 3600.0);
}

}  // namespace fovea
