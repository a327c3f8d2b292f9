#include "server/serving/served_version.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"
#include "core/compile/compile.h"
#include "core/graph/quantization.h"
#include "core/model/golden.h"
#include "core/model/quantization.h"
#include "core/model/served_precision.h"

namespace fovea {
namespace {

class BucketEngine : public BatchEngine {
 public:
  explicit BucketEngine(std::unique_ptr<BucketExecutor> executor)
      : executor_(std::move(executor)) {}
  absl::Status Run(absl::Span<const uint8_t* const> examples, float* output) override {
    return executor_->Run(examples, output);
  }
  double last_flops() const override { return executor_->last_flops(); }

 private:
  const std::unique_ptr<BucketExecutor> executor_;
};

using EngineOr = absl::StatusOr<std::unique_ptr<BatchEngine>>;

EngineOr MakeEngine(std::shared_ptr<BucketPrograms> programs) {
  ASSIGN_OR_RETURN(std::unique_ptr<BucketExecutor> executor,
                   BucketExecutor::Create(std::move(programs)));
  return std::make_unique<BucketEngine>(std::move(executor));
}

// Whether more cores than an executor's could compute one image.
bool HasWideMode(const ServedVersion::Options& options) {
  return options.slots->total() > options.width;
}

struct WarmEngine {
  std::unique_ptr<BatchEngine> engine;
  BucketTimes times;
};

// The shortest of some runs.
absl::StatusOr<absl::Duration> TimeBatch(BatchEngine& engine,
                                         absl::Span<const uint8_t* const> examples, int runs,
                                         CpuSlots& slots, int width, float* output) {
  absl::Duration shortest = absl::InfiniteDuration();
  for (int run = 0; run < runs; ++run) {
    const CpuSlots::Hold hold(slots, width);
    const absl::Duration begin = Clock::Real()->Elapsed();
    RETURN_IF_ERROR(engine.Run(examples, output));
    shortest = std::min(shortest, Clock::Real()->Elapsed() - begin);
  }
  return shortest;
}

// The golden examples, all in one batch and through the buckets that serve.
absl::Status CheckParity(const v1::Golden& golden, const BucketPrograms& programs,
                         const ServedVersion::Options& options, int width, BatchEngine& engine) {
  return CheckGolden(golden, programs.example_bytes(), static_cast<size_t>(programs.row_count()),
                     [&](absl::Span<const uint8_t* const> examples, float* outputs) {
                       const CpuSlots::Hold hold(*options.slots, width);
                       return engine.Run(examples, outputs);
                     });
}

// An engine that has run every batch size once, on black pictures, and how long batches take: with
// a target for the latency all that may fit, else the smallest. Its answers are the golden ones.
absl::StatusOr<WarmEngine> MakeWarmEngine(const std::shared_ptr<BucketPrograms>& programs,
                                          const v1::Golden& golden,
                                          const ServedVersion::Options& options, int width) {
  WarmEngine warm = {nullptr, BucketTimes(programs->max_batch())};
  {
    const CpuSlots::Hold hold(*options.slots, width);
    ASSIGN_OR_RETURN(warm.engine, MakeEngine(programs));
  }
  const std::vector<uint8_t> pixels(programs->example_bytes());
  std::vector<float> output(programs->row_count() * programs->max_batch());
  const absl::Duration target = options.policy.target_p99;
  bool fits = true;
  for (const BucketProgram& bucket : programs->buckets()) {
    const std::vector<const uint8_t*> examples(bucket.batch, pixels.data());
    RETURN_IF_ERROR(
        TimeBatch(*warm.engine, examples, 1, *options.slots, width, output.data()).status());
    if (!fits) continue;
    const bool is_compared = bucket.batch == 1 && HasWideMode(options);
    const int runs = target > absl::ZeroDuration() || is_compared ? 3 : 1;
    ASSIGN_OR_RETURN(const absl::Duration time,
                     TimeBatch(*warm.engine, examples, runs, *options.slots, width, output.data()));
    warm.times.Learn(bucket.batch, time);
    fits = 2 * time <= target;  // else larger ones do not either
  }
  RETURN_IF_ERROR(CheckParity(golden, *programs, options, width, *warm.engine));
  return warm;
}

// What the version is served in on this machine: where that takes instructions it lacks, FP32.
DType ComputeTypeHere(const v1::ModelManifest& manifest, const Backend& backend) {
  const DType type = ComputeTypeOf(manifest.precision());
  const absl::Status computes = CheckComputes(backend, type);
  if (computes.ok()) return type;
  LogWarning("served in FP32", {{"model", manifest.name()},
                                {"version", manifest.version()},
                                {"reason", computes.message()}});
  return DType::kF32;
}

// On a thread that ends: libgomp gives each that runs wide a pool of threads for as long as it
// lives.
absl::Status RunWide(const ServedVersion::Options& options,
                     absl::FunctionRef<absl::Status()> work) {
  absl::Status status;
  std::thread([&] {
    const ScopedWidth width(options.slots->total());
    status = work();
  }).join();
  return status;
}

// The latency mode's, for batches that leave half of the executors without an image. No executor
// may be there yet: timing their plans frees what the weights prepared for other programs.
absl::StatusOr<std::shared_ptr<BucketPrograms>> MakeWidePrograms(
    Graph graph, std::shared_ptr<Weights> weights, BucketPrograms::Options buckets,
    const ServedVersion::Options& options) {
  buckets.max_batch = std::clamp(options.executors / 2, 1, buckets.max_batch);
  buckets.compile.width = options.slots->total();
  std::shared_ptr<BucketPrograms> programs;
  RETURN_IF_ERROR(RunWide(options, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(programs,
                     BucketPrograms::Create(std::move(graph), std::move(weights), buckets));
    return absl::OkStatus();
  }));
  return programs;
}

absl::StatusOr<WarmEngine> MakeWideEngine(const std::shared_ptr<BucketPrograms>& programs,
                                          const v1::Golden& golden,
                                          const ServedVersion::Options& options) {
  WarmEngine wide;
  RETURN_IF_ERROR(RunWide(options, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(wide, MakeWarmEngine(programs, golden, options, options.slots->total()));
    return absl::OkStatus();
  }));
  return wide;
}

// Frees what only other programs read.
void KeepPreparedFor(const BucketPrograms& programs) {
  std::vector<const Program*> kept;
  for (const BucketProgram& bucket : programs.buckets()) kept.push_back(bucket.program.get());
  programs.weights()->KeepPrepared(kept);
}

// Gives the engine that is there to the executor that first asks, and makes the others theirs.
Batcher::EngineFactory EnginesOf(std::shared_ptr<BucketPrograms> programs,
                                 std::unique_ptr<BatchEngine> warm) {
  struct First {
    absl::Mutex mutex;
    std::unique_ptr<BatchEngine> engine ABSL_GUARDED_BY(mutex);
  };
  auto first = std::make_shared<First>();
  {
    absl::MutexLock lock(&first->mutex);
    first->engine = std::move(warm);
  }
  return [programs = std::move(programs), first]() -> EngineOr {
    {
      absl::MutexLock lock(&first->mutex);
      if (first->engine != nullptr) return std::move(first->engine);
    }
    return MakeEngine(programs);
  };
}

// Of 1, 2, 4, … images, as they were timed when the plans were chosen; zero: they were not.
std::vector<absl::Duration> TimesOf(const BucketPrograms& programs) {
  std::vector<absl::Duration> times;
  for (const BucketProgram& bucket : programs.buckets()) {
    times.push_back(absl::Seconds(bucket.seconds));
  }
  return times;
}

}  // namespace

bool ServedVersion::regression() const {
  return manifest_.task() == v1::TASK_REGRESSION || manifest_.task() == v1::TASK_UNIT_REGRESSION;
}

bool ServedVersion::has_thresholds() const {
  return manifest_.task() == v1::TASK_MULTI_LABEL || manifest_.task() == v1::TASK_BINARY;
}

absl::StatusOr<std::unique_ptr<ServedVersion>> ServedVersion::Load(Model model,
                                                                   const Options& options) {
  // Primitives are made for the width that runs them.
  const ScopedWidth width(options.width);
  auto served = std::unique_ptr<ServedVersion>(new ServedVersion());
  served->manifest_ = std::move(model.manifest);
  const v1::Preprocessing& input = served->manifest_.preprocessing();
  served->shape_ = {static_cast<int>(input.width()), static_cast<int>(input.height()),
                    static_cast<int>(input.channels())};
  ASSIGN_OR_RETURN(std::shared_ptr<Weights> weights, MakeWeights(model, *options.backend));
  BucketPrograms::Options buckets;
  buckets.max_batch = options.policy.max_batch;
  buckets.compile.width = options.width;
  buckets.compile.compute_type = ComputeTypeHere(served->manifest_, *options.backend);
  buckets.compile.quantization =
      std::make_shared<const Quantization>(FromProto(model.quantization));
  buckets.plans = options.plans;
  ASSIGN_OR_RETURN(served->programs_, BucketPrograms::Create(model.graph, weights, buckets));
  std::shared_ptr<BucketPrograms> wide_programs;
  if (HasWideMode(options)) {
    ASSIGN_OR_RETURN(wide_programs,
                     MakeWidePrograms(std::move(model.graph), weights, buckets, options));
  }
  const size_t example_bytes = served->programs_->example_bytes();
  if (example_bytes != served->shape_.bytes()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model \"", served->name(), "\": its graph takes ", example_bytes,
                     " bytes an image, its preprocessing gives ", served->shape_.bytes()));
  }
  ASSIGN_OR_RETURN(WarmEngine warm,
                   MakeWarmEngine(served->programs_, model.golden, options, options.width));
  WarmEngine wide;
  if (wide_programs != nullptr) {
    ASSIGN_OR_RETURN(wide, MakeWideEngine(wide_programs, model.golden, options));
    const bool is_faster = IsClearlyFaster(wide.times.Of(1), warm.times.Of(1));
    LogInfo(is_faster ? "a lone image is computed on all cores"
                      : "a lone image is computed no faster on all cores",
            {{"model", served->name()},
             {"version", served->version()},
             {"threads", options.slots->total()},
             {"milliseconds", absl::ToDoubleMilliseconds(wide.times.Of(1))},
             {"milliseconds_of_an_executor", absl::ToDoubleMilliseconds(warm.times.Of(1))}});
    if (!is_faster) {
      wide = {};
      wide_programs = nullptr;
      KeepPreparedFor(*served->programs_);
    }
  }

  served->metrics_ = options.metrics->ForModel(served->name());
  served->statistics_ = std::make_unique<VersionStatistics>(served->programs_->max_batch());
  if (options.cache != nullptr) {
    served->cache_ = std::make_unique<ResponseCache::Section>(options.cache);
  }
  Batcher::Options batcher;
  batcher.name = served->name();
  batcher.policy = options.policy;
  batcher.policy.max_batch = BestBatch(TimesOf(*served->programs_));
  batcher.times = warm.times;
  batcher.executors = options.executors;
  batcher.width = options.width;
  if (wide_programs != nullptr) batcher.wide_batch = wide_programs->max_batch();
  batcher.wide_times = wide.times;
  batcher.example_bytes = example_bytes;
  batcher.outputs = served->outputs();
  batcher.slots = options.slots;
  batcher.decoders = options.decoders;
  batcher.statistics = served->statistics_.get();
  batcher.metrics = options.metrics->predict;
  batcher.model_metrics = served->metrics_;
  served->batcher_ = std::make_unique<Batcher>(
      std::move(batcher), EnginesOf(served->programs_, std::move(warm.engine)),
      EnginesOf(std::move(wide_programs), std::move(wide.engine)));
  return served;
}

std::vector<v1::ServedProgram> ServedVersion::DescribePrograms() const {
  std::vector<v1::ServedProgram> described;
  for (const BucketProgram& bucket : programs_->buckets()) {
    const std::vector<Step>& steps = bucket.program->steps();
    const auto is_reorder = [](const Step& step) { return step.op == "Reorder"; };
    v1::ServedProgram& each = described.emplace_back();
    each.set_batch(bucket.batch);
    each.set_layout_plan(LayoutPlanName(bucket.program->layout_plan()));
    each.set_seconds(bucket.seconds);
    each.set_reorders(std::count_if(steps.begin(), steps.end(), is_reorder));
  }
  return described;
}

}  // namespace fovea
