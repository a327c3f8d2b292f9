// Metrics: everything the service tells Prometheus, by name, in one place.
//
// One object, made by the app and handed down; there is no global. Names follow Prometheus'
// conventions: fovea_ in front, base units, _total for what only grows. Throughput is the rate of
// a counter. Thread-safe; destruction stops the page.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/telemetry/instruments.h"

namespace fovea {

class MetricsRegistry;  // the Prometheus side

// One RPC method: fovea_requests_total{method,code} and fovea_request_duration_seconds{method}.
class MethodMetrics {
 public:
  MethodMetrics(MetricsRegistry* registry, std::string method);
  // `code` is a gRPC status code, 0 to 16.
  void Record(int code, absl::Duration duration);

 private:
  static constexpr int kCodes = 17;
  MetricsRegistry* const registry_;
  const std::string method_;
  std::array<std::atomic<prometheus::Counter*>, kCodes> by_code_ = {};
  Histogram seconds_;
};

// fovea_predict_duration_seconds{phase}, of each request; fovea_predict_batch_size, of each run of
// a model; fovea_predict_queue_depth, images that wait for an executor.
struct PredictMetrics {
  Histogram decode, queue, compute, total;
  Histogram batch_size;
  Gauge queue_depth;
};

struct ModelMetrics {
  Counter images;        // fovea_images_predicted_total{model}
  Counter flops;         // fovea_flops_total{work="predict"}
  Counter cache_hits;    // fovea_response_cache_hits_total{model}, images
  Counter cache_misses;  // fovea_response_cache_misses_total{model}, images
  Counter wide_batches;  // fovea_predict_wide_batches_total{model}
};

// The running job; gauges keep their last value when it ends, except the rates, which fall to 0.
struct TrainingMetrics {
  Counter images;             // fovea_images_trained_total
  Counter flops;              // fovea_flops_total{work="train"}
  Gauge images_per_second;    // fovea_training_images_per_second
  Gauge loss;                 // fovea_training_loss
  Gauge learning_rate;        // fovea_training_learning_rate
  Gauge epoch;                // fovea_training_epoch, whole epochs done
  Gauge accuracy;             // fovea_training_accuracy_ratio; multi-label: of decisions
  Gauge validation_loss;      // fovea_training_validation_loss
  Gauge validation_accuracy;  // fovea_training_validation_accuracy_ratio
  Gauge share_of_peak;        // fovea_training_share_of_peak_ratio
  Gauge data_wait;            // fovea_training_data_wait_ratio, of the last epoch
};

struct JobMetrics {
  Gauge pending;                         // fovea_jobs{state="pending"}
  Gauge running;                         // fovea_jobs{state="running"}
  Counter succeeded, failed, cancelled;  // fovea_jobs_finished_total{state}
};

struct DatasetMetrics {
  Counter imported, rejected;  // fovea_images_imported_total, fovea_images_rejected_total
};

class Metrics {
 public:
  Metrics();
  ~Metrics();

  // Serves GET /metrics on `address` (host:port, port 0 for a free one); returns the port.
  // Unavailable when the address cannot be bound. Once.
  absl::StatusOr<int> Serve(const std::string& address);
  // What the page shows now.
  std::string Render() const;

  // For the life of this object. `method` is the full name without the leading slash,
  // "fovea.v1.Classifier/Predict".
  std::unique_ptr<MethodMetrics> ForMethod(absl::string_view method);
  ModelMetrics ForModel(absl::string_view model);

  PredictMetrics predict;
  TrainingMetrics training;
  JobMetrics jobs;
  DatasetMetrics datasets;
  Counter images_evaluated;  // fovea_images_evaluated_total
  Counter evaluate_flops;    // fovea_flops_total{work="evaluate"}
  Histogram model_load;      // fovea_model_load_duration_seconds: read, compile, warm
  Gauge models_serving;      // fovea_model_versions_serving
  Gauge cache_bytes;         // fovea_response_cache_bytes

 private:
  const std::unique_ptr<MetricsRegistry> registry_;
};

}  // namespace fovea
