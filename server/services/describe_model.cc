#include "server/services/describe_model.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace fovea {
namespace {

inference::DataType ToDataType(const std::string& datatype) {
  if (datatype == "BYTES") return inference::TYPE_STRING;
  return datatype == "UINT8" ? inference::TYPE_UINT8 : inference::TYPE_FP32;
}

void FillTensor(const TensorSpec& spec,
                inference::ModelMetadataResponse::TensorMetadata* metadata) {
  metadata->set_name(spec.name);
  metadata->set_datatype(spec.datatype);
  metadata->add_shape(-1);
  for (const int64_t dim : spec.shape) metadata->add_shape(dim);
}

// "1=nhwc,2=blocked,…"
std::string LayoutPlansOf(const ServedVersion& served) {
  const auto append = [](std::string* out, const v1::ServedProgram& program) {
    absl::StrAppend(out, program.batch(), "=", program.layout_plan());
  };
  return absl::StrJoin(served.DescribePrograms(), ",", append);
}

void FillDuration(uint64_t count, const Tally& tally, inference::StatisticDuration* duration) {
  duration->set_count(count);
  duration->set_ns(tally.nanoseconds());
}

void FillDuration(const Tally& tally, inference::StatisticDuration* duration) {
  FillDuration(tally.count(), tally, duration);
}

}  // namespace

void FillMetadata(const TensorModel& model, const std::vector<uint64_t>& versions,
                  inference::ModelMetadataResponse* metadata) {
  metadata->set_name(model.name());
  for (const uint64_t version : versions) metadata->add_versions(absl::StrCat(version));
  metadata->set_platform(kServerName);
  FillTensor(InputSpec(model), metadata->add_inputs());
  FillTensor(OutputSpec(model), metadata->add_outputs());
  const v1::ModelManifest& manifest = model.handle->manifest();
  auto& properties = *metadata->mutable_properties();
  properties["labels"] = absl::StrJoin(manifest.labels(), ",");
  properties["task"] = v1::Task_Name(manifest.task());
}

void FillConfig(const TensorModel& model, int max_images, inference::ModelConfig* config) {
  config->set_name(model.name());
  config->set_platform(kServerName);
  config->set_backend(kServerName);
  config->set_max_batch_size(max_images);
  config->mutable_dynamic_batching();
  config->mutable_response_cache()->set_enable(model.handle->cache() != nullptr);
  (*config->mutable_parameters())["layout_plans"].set_string_value(LayoutPlansOf(*model.handle));
  const TensorSpec in = InputSpec(model), out = OutputSpec(model);
  inference::ModelInput* input = config->add_input();
  input->set_name(in.name);
  input->set_data_type(ToDataType(in.datatype));
  if (!model.encoded) input->set_format(inference::ModelInput::FORMAT_NHWC);
  input->mutable_dims()->Assign(in.shape.begin(), in.shape.end());
  inference::ModelOutput* output = config->add_output();
  output->set_name(out.name);
  output->set_data_type(ToDataType(out.datatype));
  output->mutable_dims()->Assign(out.shape.begin(), out.shape.end());
}

void FillStatistics(const VersionStatistics& statistics, inference::ModelStatistics* filled) {
  filled->set_last_inference(static_cast<uint64_t>(statistics.last_request_ms.load()));
  filled->set_inference_count(statistics.images);
  inference::InferStatistics* requests = filled->mutable_inference_stats();
  FillDuration(statistics.succeeded, requests->mutable_success());
  FillDuration(statistics.failed, requests->mutable_fail());
  FillDuration(statistics.queue, requests->mutable_queue());
  // One count for the three, though requests end meanwhile: perf_analyzer aborts when they differ.
  const uint64_t computed = statistics.answer.count();
  FillDuration(computed, statistics.decode, requests->mutable_compute_input());
  FillDuration(computed, statistics.compute, requests->mutable_compute_infer());
  FillDuration(computed, statistics.answer, requests->mutable_compute_output());
  FillDuration(statistics.cache_hit, requests->mutable_cache_hit());
  FillDuration(statistics.cache_miss, requests->mutable_cache_miss());
  uint64_t batches = 0;
  for (size_t images = 0; images < statistics.batches.size(); ++images) {
    if (statistics.batches[images].count() == 0) continue;
    inference::InferBatchStatistics* of_size = filled->add_batch_stats();
    of_size->set_batch_size(images);
    FillDuration(statistics.batches[images], of_size->mutable_compute_infer());
    batches += of_size->compute_infer().count();
  }
  filled->set_execution_count(batches);
}

}  // namespace fovea
