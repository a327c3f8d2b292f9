#include "core/compile/buckets.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/compile/compile.h"

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

absl::StatusOr<std::shared_ptr<BucketPrograms>> BucketPrograms::Create(
    Graph graph, std::shared_ptr<Weights> weights, Options options) {
  if (options.max_batch < 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("max_batch is ", options.max_batch, ", expected at least 1"));
  }
  options.max_batch = static_cast<int>(std::bit_floor(static_cast<unsigned>(options.max_batch)));
  std::shared_ptr<BucketPrograms> programs(new BucketPrograms);
  programs->graph_ = std::move(graph);
  programs->weights_ = std::move(weights);
  programs->options_ = options;
  RETURN_IF_ERROR(programs->Get(1).status());
  ASSIGN_OR_RETURN(const std::shared_ptr<const Program> largest, programs->Get(options.max_batch));
  if (largest->inputs().size() != 1 || largest->outputs().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("an inference graph has one input and at least one output, found ",
                     largest->inputs().size(), " and ", largest->outputs().size()));
  }
  return programs;
}

absl::StatusOr<std::shared_ptr<const Program>> BucketPrograms::Get(int batch) {
  {
    absl::MutexLock lock(&mutex_);
    if (auto found = programs_.find(batch); found != programs_.end()) return found->second;
  }
  // Compiled outside the lock: a second thread may do the same work, and the first result stays.
  ASSIGN_OR_RETURN(Graph graph, WithBatch(graph_, batch));
  ASSIGN_OR_RETURN(std::shared_ptr<const Program> program,
                   Compile(std::move(graph), weights_->backend(), options_.compile));
  absl::MutexLock lock(&mutex_);
  return programs_.emplace(batch, std::move(program)).first->second;
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
  // The largest bucket's arena holds all the others'.
  size_t bytes = 0;
  for (int batch : {1, executor->programs_->max_batch()}) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Program> program, executor->programs_->Get(batch));
    bytes = std::max(bytes, program->arena_bytes());
  }
  ASSIGN_OR_RETURN(executor->arena_, executor->programs_->weights()->backend().Allocate(bytes));
  RETURN_IF_ERROR(executor->Get(1).status());
  RETURN_IF_ERROR(executor->Get(executor->programs_->max_batch()).status());
  return executor;
}

absl::StatusOr<Executor*> BucketExecutor::Get(int batch) {
  if (auto found = executors_.find(batch); found != executors_.end()) return found->second.get();
  ASSIGN_OR_RETURN(std::shared_ptr<const Program> program, programs_->Get(batch));
  Executor::Options options;
  // A middle bucket may need more than the largest one (another kernel, more scratch): rare, and
  // then it has an arena of its own.
  if (program->arena_bytes() <= arena_->bytes()) options.arena = arena_;
  ASSIGN_OR_RETURN(std::unique_ptr<Executor> executor,
                   Executor::Create(std::move(program), programs_->weights(), options));
  return executors_.emplace(batch, std::move(executor)).first->second.get();
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
    ASSIGN_OR_RETURN(Executor * executor, Get(batch));
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
