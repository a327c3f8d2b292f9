#include "server/telemetry/metrics.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "prometheus/text_serializer.h"
#include "server/telemetry/process_collector.h"
#include "server/telemetry/registry.h"

namespace fovea {
namespace {

// 100 us to 60 s, about three a decade.
const std::vector<double> kLatencyBounds = {0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005,
                                            0.01,   0.02,   0.05,   0.1,   0.2,   0.5,
                                            1,      2,      5,      10,    20,    60};
const std::vector<double> kBatchBounds = {1, 2, 4, 8, 16, 32, 64, 128, 256};

// The names of gRPC's status codes, in the order of their numbers.
constexpr const char* kCodeNames[] = {
    "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
    "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
    "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
    "DATA_LOSS", "UNAUTHENTICATED"};

PredictMetrics MakePredict(MetricsRegistry& registry) {
  const auto phase = [&](const char* name) {
    return Histogram(&registry.AddHistogram(
        "fovea_predict_duration_seconds",
        "Time of a Predict request by phase: decode, queue, compute, and the total.",
        kLatencyBounds, {{"phase", name}}));
  };
  PredictMetrics metrics;
  metrics.decode = phase("decode");
  metrics.queue = phase("queue");
  metrics.compute = phase("compute");
  metrics.total = phase("total");
  metrics.batch_size = Histogram(&registry.AddHistogram(
      "fovea_predict_batch_size", "Images that a model computed together.", kBatchBounds));
  metrics.queue_depth =
      Gauge(&registry.AddGauge("fovea_predict_queue_depth", "Images that wait for an executor."));
  return metrics;
}

Counter Flops(MetricsRegistry& registry, const char* work) {
  return Counter(&registry.AddCounter("fovea_flops_total",
                                      "Floating-point operations executed, 2 per multiply-add.",
                                      {{"work", work}}));
}

TrainingMetrics MakeTraining(MetricsRegistry& registry) {
  const auto gauge = [&](const char* name, const char* help) {
    return Gauge(&registry.AddGauge(name, help));
  };
  TrainingMetrics metrics;
  metrics.images = Counter(
      &registry.AddCounter("fovea_images_trained_total", "Images that training steps have seen."));
  metrics.flops = Flops(registry, "train");
  metrics.images_per_second = gauge("fovea_training_images_per_second",
                                    "Training speed of the running job; 0 when none runs.");
  metrics.loss = gauge("fovea_training_loss", "Training loss, mean of the last second's steps.");
  metrics.learning_rate = gauge("fovea_training_learning_rate", "Learning rate of the last step.");
  metrics.epoch = gauge("fovea_training_epoch", "Whole epochs done by the last job.");
  metrics.accuracy =
      gauge("fovea_training_accuracy_ratio",
            "Share of right decisions on training images, mean of the last second's steps.");
  metrics.validation_accuracy =
      gauge("fovea_training_validation_accuracy_ratio",
            "Share of right decisions (regression: R2) on the validation split after the last "
            "epoch.");
  metrics.validation_loss =
      gauge("fovea_training_validation_loss", "Loss on the validation split after the last epoch.");
  metrics.share_of_peak =
      gauge("fovea_training_share_of_peak_ratio",
            "Floating-point operations per second of training over the device's measured peak.");
  metrics.data_wait = gauge("fovea_training_data_wait_ratio",
                            "Share of the last epoch's training time spent waiting for data.");
  return metrics;
}

JobMetrics MakeJobs(MetricsRegistry& registry) {
  const auto in_state = [&](const char* state) {
    return Gauge(&registry.AddGauge("fovea_jobs", "Unfinished jobs by state.", {{"state", state}}));
  };
  const auto finished = [&](const char* state) {
    return Counter(&registry.AddCounter("fovea_jobs_finished_total", "Finished jobs by state.",
                                        {{"state", state}}));
  };
  return {in_state("pending"), in_state("running"), finished("succeeded"), finished("failed"),
          finished("cancelled")};
}

}  // namespace

void Counter::Add(double by) const {
  if (series_ != nullptr) series_->Increment(by);
}

void Gauge::Set(double value) const {
  if (series_ != nullptr) series_->Set(value);
}

void Gauge::Add(double by) const {
  if (series_ != nullptr) series_->Increment(by);
}

void Histogram::Observe(double value) const {
  if (series_ != nullptr) series_->Observe(value);
}

prometheus::Counter& MetricsRegistry::AddCounter(const std::string& name, const std::string& help,
                                                 const prometheus::Labels& labels) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(*registry).Add(labels);
}

prometheus::Gauge& MetricsRegistry::AddGauge(const std::string& name, const std::string& help,
                                             const prometheus::Labels& labels) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(*registry).Add(labels);
}

prometheus::Histogram& MetricsRegistry::AddHistogram(const std::string& name,
                                                     const std::string& help,
                                                     const std::vector<double>& bounds,
                                                     const prometheus::Labels& labels) {
  return prometheus::BuildHistogram().Name(name).Help(help).Register(*registry).Add(labels, bounds);
}

MethodMetrics::MethodMetrics(MetricsRegistry* registry, std::string method)
    : registry_(registry), method_(std::move(method)) {
  seconds_ = Histogram(&registry_->AddHistogram("fovea_request_duration_seconds",
                                                "Time from a request's arrival to its end.",
                                                kLatencyBounds, {{"method", method_}}));
}

void MethodMetrics::Record(int code, absl::Duration duration) {
  const int index = std::clamp(code, 0, kCodes - 1);
  prometheus::Counter* counter = by_code_[index].load(std::memory_order_acquire);
  if (counter == nullptr) {  // adding the same series again gives the same counter
    counter = &registry_->AddCounter("fovea_requests_total", "Requests by method and gRPC code.",
                                     {{"method", method_}, {"code", kCodeNames[index]}});
    by_code_[index].store(counter, std::memory_order_release);
  }
  counter->Increment();
  seconds_.Observe(absl::ToDoubleSeconds(duration));
}

Metrics::Metrics() : registry_(std::make_unique<MetricsRegistry>()) {
  registry_->process = MakeProcessCollector();
  predict = MakePredict(*registry_);
  training = MakeTraining(*registry_);
  jobs = MakeJobs(*registry_);
  datasets = {
      Counter(&registry_->AddCounter("fovea_images_imported_total", "Images added to data sets.")),
      Counter(&registry_->AddCounter("fovea_images_rejected_total",
                                     "Images that an import left out."))};
  images_evaluated = Counter(
      &registry_->AddCounter("fovea_images_evaluated_total", "Images that Evaluate measured."));
  evaluate_flops = Flops(*registry_, "evaluate");
  model_load = Histogram(&registry_->AddHistogram("fovea_model_load_duration_seconds",
                                                  "Time to read, compile and warm a model version.",
                                                  kLatencyBounds));
  models_serving = Gauge(
      &registry_->AddGauge("fovea_model_versions_serving", "Model versions that answer requests."));
  cache_bytes =
      Gauge(&registry_->AddGauge("fovea_response_cache_bytes", "Bytes of remembered answers."));
}

Metrics::~Metrics() = default;

absl::StatusOr<int> Metrics::Serve(const std::string& address) {
  try {
    auto exposer = std::make_unique<prometheus::Exposer>(address, /*num_threads=*/2);
    exposer->RegisterCollectable(registry_->registry);
    exposer->RegisterCollectable(registry_->process);
    const std::vector<int> ports = exposer->GetListeningPorts();
    registry_->exposer = std::move(exposer);
    return ports.empty() ? 0 : ports.front();
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on \"", address, "\": ", error.what()));
  }
}

std::string Metrics::Render() const {
  std::vector<prometheus::MetricFamily> families = registry_->registry->Collect();
  for (prometheus::MetricFamily& family : registry_->process->Collect()) {
    families.push_back(std::move(family));
  }
  return prometheus::TextSerializer().Serialize(families);
}

std::unique_ptr<MethodMetrics> Metrics::ForMethod(absl::string_view method) {
  return std::make_unique<MethodMetrics>(registry_.get(), std::string(method));
}

ModelMetrics Metrics::ForModel(absl::string_view model) {
  const auto by_model = [&](const char* name, const char* help) {
    return Counter(&registry_->AddCounter(name, help, {{"model", std::string(model)}}));
  };
  return {by_model("fovea_images_predicted_total", "Images that Predict answered, by model."),
          Flops(*registry_, "predict"),
          by_model("fovea_response_cache_hits_total", "Images answered from the response cache."),
          by_model("fovea_response_cache_misses_total",
                   "Images that the response cache did not know and that were computed."),
          by_model("fovea_predict_wide_batches_total",
                   "Runs of a model on all cores of serving at once (latency mode).")};
}

}  // namespace fovea
