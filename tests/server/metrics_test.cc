#include "server/telemetry/metrics.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace fovea {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, CountsRequestsByMethodAndCode) {
  Metrics metrics;
  const auto method = metrics.ForMethod("fovea.v1.Jobs/Get");
  method->Record(0, absl::Milliseconds(3));
  method->Record(0, absl::Milliseconds(3));
  method->Record(5, absl::Milliseconds(3));
  const std::string page = metrics.Render();
  EXPECT_THAT(page, HasSubstr(R"(fovea_requests_total{code="OK",method="fovea.v1.Jobs/Get"} 2)"));
  EXPECT_THAT(page,
              HasSubstr(R"(fovea_requests_total{code="NOT_FOUND",method="fovea.v1.Jobs/Get"} 1)"));
  EXPECT_THAT(page,
              HasSubstr(R"(fovea_request_duration_seconds_count{method="fovea.v1.Jobs/Get"} 3)"));
}

TEST(Metrics, HistogramsAreInSecondsByPhase) {
  Metrics metrics;
  metrics.predict.decode.Observe(0.0015);
  metrics.predict.batch_size.Observe(3);
  const std::string page = metrics.Render();
  EXPECT_THAT(page,
              HasSubstr(R"(fovea_predict_duration_seconds_bucket{phase="decode",le="0.002"} 1)"));
  EXPECT_THAT(page,
              HasSubstr(R"(fovea_predict_duration_seconds_bucket{phase="decode",le="0.001"} 0)"));
  EXPECT_THAT(page, HasSubstr(R"(fovea_predict_batch_size_bucket{le="4"} 1)"));
}

TEST(Metrics, ShowsEveryNameFromTheStart) {
  Metrics metrics;
  metrics.ForModel("digits").images.Add(7);
  const std::string page = metrics.Render();
  for (const char* name : {"fovea_images_trained_total",
                           "fovea_images_evaluated_total",
                           "fovea_training_images_per_second",
                           "fovea_training_loss",
                           "fovea_training_accuracy_ratio",
                           "fovea_training_validation_accuracy_ratio",
                           "fovea_training_epoch",
                           "fovea_training_learning_rate",
                           "fovea_training_data_wait_ratio",
                           "fovea_training_share_of_peak_ratio",
                           "fovea_predict_queue_depth",
                           "fovea_model_load_duration_seconds_count",
                           "fovea_model_versions_serving",
                           "fovea_jobs{state=\"pending\"}",
                           "fovea_jobs_finished_total{state=\"failed\"}",
                           "fovea_flops_total{work=\"train\"}",
                           "process_cpu_seconds_total",
                           "process_resident_memory_bytes",
                           "process_open_fds",
                           "process_start_time_seconds"}) {
    EXPECT_THAT(page, HasSubstr(std::string("\n") + name)) << name;
  }
  EXPECT_THAT(page, HasSubstr(R"(fovea_images_predicted_total{model="digits"} 7)"));
  EXPECT_THAT(page, HasSubstr(R"(fovea_predict_wide_batches_total{model="digits"} 0)"));
}

TEST(Metrics, AHandleWithoutASeriesRecordsNothing) {
  Counter().Add(1);
  Gauge().Set(1);
  Histogram().Observe(1);
}

TEST(Metrics, RefusesAnAddressThatCannotBeBound) {
  Metrics metrics;
  EXPECT_EQ(metrics.Serve("256.0.0.1:0").status().code(), absl::StatusCode::kUnavailable);
}

TEST(Metrics, ServesThePageOnAFreePort) {
  Metrics metrics;
  const absl::StatusOr<int> port = metrics.Serve("127.0.0.1:0");
  ASSERT_TRUE(port.ok()) << port.status();
  EXPECT_GT(*port, 0);
}

}  // namespace
}  // namespace fovea
