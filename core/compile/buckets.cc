#include "core/compile/buckets.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/compile_all.h"

namespace fovea {

int NextBucket(int n, int max_batch) {
  if (n >= max_batch) return max_batch;
  // What is left goes into one padded bucket when that wastes at most a quarter of it, and else
  // into full buckets, the largest first.
  const int up = static_cast<int>(std::bit_ceil(static_cast<unsigned>(n)));
  const int down = static_cast<int>(std::bit_floor(static_cast<unsigned>(n)));
  return (up - n) * 4 <= up ? up : down;
}

std::vector<int> SplitIntoBuckets(int n, int max_batch) {
  std::vector<int> buckets;
  for (; n > 0; n -= buckets.back()) buckets.push_back(NextBucket(n, max_batch));
  return buckets;
}

namespace {

// 1, 2, 4, … max.
std::vector<int> BatchesUpTo(int max_batch) {
  std::vector<int> batches;
  for (int batch = 1; batch <= max_batch; batch *= 2) batches.push_back(batch);
  return batches;
}

absl::StatusOr<std::vector<BucketProgram>> CompileBatches(const Graph& graph,
                                                          const Backend& backend,
                                                          const std::vector<int>& batches,
                                                          const CompileOptions& compile) {
  std::vector<ProgramSpec> specs;
  for (const int batch : batches) specs.push_back({batch, compile.layout_plan});
  std::vector<BucketProgram> buckets;
  for (auto& program : CompileAll(graph, backend, specs, compile, /*gate=*/nullptr)) {
    RETURN_IF_ERROR(program.status());
    buckets.push_back({batches[buckets.size()], *std::move(program), 0});
  }
  return buckets;
}

}  // namespace

absl::StatusOr<std::shared_ptr<BucketPrograms>> BucketPrograms::Create(
    Graph graph, std::shared_ptr<Weights> weights, Options options) {
  if (options.max_batch < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch is ", options.max_batch, ", expected at least 1"));
  }
  const size_t inputs = graph.ValuesOf(Role::kInput).size();
  if (inputs != 1 || graph.outputs().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an inference graph has one input and at least one output, found ", inputs,
                     " and ", graph.outputs().size()));
  }
  options.max_batch = static_cast<int>(std::bit_floor(static_cast<unsigned>(options.max_batch)));
  const std::vector<int> batches = BatchesUpTo(options.max_batch);
  std::shared_ptr<BucketPrograms> programs(new BucketPrograms);
  ASSIGN_OR_RETURN(programs->buckets_,
                   options.plans != nullptr
                       ? options.plans->Choose(graph, batches, weights, options.compile)
                       : CompileBatches(graph, weights->backend(), batches, options.compile));
  programs->graph_ = std::move(graph);
  programs->weights_ = std::move(weights);
  programs->max_batch_ = options.max_batch;
  return programs;
}

size_t BucketPrograms::example_bytes() const {
  const Type& type = graph_.type(graph_.ValuesOf(Role::kInput)[0]);
  return type.dense_bytes() / static_cast<size_t>(type.dims[0]);
}

int64_t BucketPrograms::output_count(absl::string_view name) const {
  for (ValueId id : graph_.outputs()) {
    if (graph_.value(id).name != name) continue;
    return graph_.type(id).dims.count() / graph_.type(id).dims[0];
  }
  return 0;
}

int64_t BucketPrograms::row_count() const {
  int64_t count = 0;
  for (ValueId id : graph_.outputs()) count += output_count(graph_.value(id).name);
  return count;
}

absl::StatusOr<std::unique_ptr<BucketExecutor>> BucketExecutor::Create(
    std::shared_ptr<BucketPrograms> programs) {
  std::unique_ptr<BucketExecutor> executor(new BucketExecutor);
  executor->programs_ = std::move(programs);
  // Their arenas overlap.
  const std::shared_ptr<Weights>& weights = executor->programs_->weights();
  size_t bytes = 0;
  for (const BucketProgram& bucket : executor->programs_->buckets()) {
    bytes = std::max(bytes, bucket.program->arena_bytes());
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Buffer> arena, weights->backend().Allocate(bytes));
  for (const BucketProgram& bucket : executor->programs_->buckets()) {
    ASSIGN_OR_RETURN(executor->executors_[bucket.batch],
                     Executor::Create(bucket.program, weights, {.arena = arena}));
  }
  return executor;
}

namespace {

void CopyOutputs(const Executor& executor, size_t count, size_t row, float* to) {
  const int outputs = static_cast<int>(executor.program().outputs().size());
  for (int k = 0; k < outputs; ++k) {
    const TensorView output = executor.output(k);
    const auto width = static_cast<size_t>(output.count() / output.type.dims[0]);
    if (width == row) {  // the only one
      std::memcpy(to, output.data, count * row * sizeof(float));
      return;
    }
    for (size_t i = 0; i < count; ++i) {
      std::memcpy(to + i * row, output.as<float>() + i * width, width * sizeof(float));
    }
    to += width;
  }
}

}  // namespace

absl::Status BucketExecutor::Run(absl::Span<const uint8_t* const> examples, float* output) {
  last_flops_ = 0;
  const size_t bytes = programs_->example_bytes();
  const auto row = static_cast<size_t>(programs_->row_count());
  size_t done = 0;
  for (int batch : SplitIntoBuckets(static_cast<int>(examples.size()), programs_->max_batch())) {
    Executor* executor = executors_.at(batch).get();
    const size_t count = std::min(examples.size() - done, static_cast<size_t>(batch));
    uint8_t* input = executor->input(0).as<uint8_t>();
    for (size_t i = 0; i < count; ++i) std::memcpy(input + i * bytes, examples[done + i], bytes);
    std::memset(input + count * bytes, 0, (batch - count) * bytes);
    RETURN_IF_ERROR(executor->Run());
    CopyOutputs(*executor, count, row, output + done * row);
    last_flops_ += executor->program().flops();
    done += count;
  }
  return absl::OkStatus();
}

}  // namespace fovea
