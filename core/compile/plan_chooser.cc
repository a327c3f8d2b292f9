#include "core/compile/plan_chooser.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "core/base/cpu_budget.h"
#include "core/base/cpu_model.h"
#include "core/base/log.h"
#include "core/base/random.h"
#include "core/base/sha256.h"
#include "core/base/status.h"
#include "core/runtime/executor.h"
#include "core/tensor/tensor.h"

namespace fovea {
namespace {

using Programs = std::vector<std::shared_ptr<const Program>>;

// Whether two plans of one graph come to the same: the same kernels on the same layouts.
bool RunTheSame(const Program& a, const Program& b) {
  const auto same_step = [](const Step& x, const Step& y) {
    return x.op == y.op && x.kernel_name == y.kernel_name;
  };
  const auto same_type = [](const Value& x, const Value& y) { return x.type == y.type; };
  return std::equal(a.steps().begin(), a.steps().end(), b.steps().begin(), b.steps().end(),
                    same_step) &&
         std::equal(a.graph().values().begin(), a.graph().values().end(),
                    b.graph().values().begin(), b.graph().values().end(), same_type);
}

// Neither zeros nor denormals, which cost another time than pictures.
Tensor RandomExamples(const Type& type) {
  Tensor examples(type);
  Random random(1);
  for (int64_t i = 0; i < examples.count(); ++i) {
    if (type.dtype == DType::kU8) examples.as<uint8_t>()[i] = static_cast<uint8_t>(random.Next());
    if (type.dtype == DType::kF32) examples.as<float>()[i] = UniformFloat(random.Next());
  }
  return examples;
}

// The programs of one batch size as candidates of a race.
class TimedPrograms : public Candidates {
 public:
  struct Shared {
    std::shared_ptr<Weights> weights;
    std::shared_ptr<Buffer> arena;
    const CoreGate& gate;
    const CancelToken* cancel;
  };
  // `kept`: programs whose prologue results stay.
  TimedPrograms(const Programs& programs, const Programs& kept, Shared shared)
      : programs_(programs),
        kept_(kept),
        shared_(std::move(shared)),
        examples_(RandomExamples(programs[0]->inputs()[0].type)),
        executors_(programs.size()) {}

  absl::StatusOr<double> Run(int candidate) override {
    RETURN_IF_ERROR(CheckNotCancelled(shared_.cancel));
    absl::StatusOr<double> seconds;
    RunThrough(shared_.gate, programs_[candidate]->width(), [&] { seconds = TimeRun(candidate); });
    return seconds;
  }

  void Drop(int candidate) override {
    executors_[candidate].reset();
    std::vector<const Program*> kept;
    for (const auto& program : kept_) kept.push_back(program.get());
    for (const auto& executor : executors_) {
      if (executor != nullptr) kept.push_back(&executor->program());
    }
    shared_.weights->KeepPrepared(kept);
  }

 private:
  absl::StatusOr<double> TimeRun(int candidate) {
    using SteadyClock = std::chrono::steady_clock;
    std::unique_ptr<Executor>& executor = executors_[candidate];
    if (executor == nullptr) {
      ASSIGN_OR_RETURN(executor, Executor::Create(programs_[candidate], shared_.weights,
                                                  {.arena = shared_.arena}));
    }
    RETURN_IF_ERROR(executor->SetInput(executor->program().inputs()[0].name, examples_));
    const SteadyClock::time_point start = SteadyClock::now();
    RETURN_IF_ERROR(executor->Run());
    return std::chrono::duration<double>(SteadyClock::now() - start).count();
  }

  const Programs& programs_;
  const Programs& kept_;
  const Shared shared_;
  const Tensor examples_;
  std::vector<std::unique_ptr<Executor>> executors_;
};

// One batch size on the way to its program.
struct Bucket {
  int batch = 1;
  std::vector<LayoutPlan> plans;  // to compile
  Programs candidates;            // those that differ
  double seconds = 0;             // of the only candidate's plan, when it is remembered
};

std::vector<Bucket> PlansToCompile(const std::vector<int>& batches, const TimedPlans& known) {
  std::vector<Bucket> buckets;
  for (const int batch : batches) {
    Bucket& bucket = buckets.emplace_back();
    bucket.batch = batch;
    if (const auto found = known.find(batch); found != known.end()) {
      bucket.plans = {found->second.plan};
      bucket.seconds = found->second.seconds;
      continue;
    }
    for (const LayoutPlan plan : kLayoutPlans) {
      if (plan != LayoutPlan::kDefault) bucket.plans.push_back(plan);
    }
  }
  return buckets;
}

// A plan that does not compile is no candidate where another one does.
absl::Status CompileCandidates(const Graph& graph, const Backend& backend,
                               const CompileOptions& compile, const CoreGate& gate,
                               std::vector<Bucket>& buckets) {
  std::vector<ProgramSpec> specs;
  for (const Bucket& bucket : buckets) {
    for (const LayoutPlan plan : bucket.plans) specs.push_back({bucket.batch, plan});
  }
  const auto compiled = CompileAll(graph, backend, specs, compile, gate);
  auto next = compiled.begin();
  for (Bucket& bucket : buckets) {
    const absl::Status first = next->status();
    for (size_t i = 0; i < bucket.plans.size(); ++i, ++next) {
      if (!next->ok()) continue;
      const auto same = [&](const auto& other) { return RunTheSame(*other, ***next); };
      const bool is_new = std::none_of(bucket.candidates.begin(), bucket.candidates.end(), same);
      if (is_new) bucket.candidates.push_back(**next);
    }
    if (bucket.candidates.empty()) return first;
  }
  return absl::OkStatus();
}

// The programs of all batch sizes, each by its race.
class RaceOfPlans {
 public:
  RaceOfPlans(const PlanChooser::Options& options, std::shared_ptr<Weights> weights)
      : options_(options), weights_(std::move(weights)) {}

  absl::StatusOr<std::vector<BucketProgram>> Run(const std::vector<Bucket>& buckets) {
    RETURN_IF_ERROR(AllocateArena(buckets));
    std::vector<BucketProgram> chosen;
    for (const Bucket& bucket : buckets) {
      Fastest fastest = {0, bucket.seconds};
      if (bucket.candidates.size() > 1) {
        ASSIGN_OR_RETURN(fastest, Race(bucket));
      }
      kept_.push_back(bucket.candidates[fastest.candidate]);
      chosen.push_back({bucket.batch, kept_.back(), fastest.seconds});
    }
    std::vector<const Program*> kept;
    for (const auto& program : kept_) kept.push_back(program.get());
    weights_->KeepPrepared(kept);
    return chosen;
  }

 private:
  // One that holds every candidate.
  absl::Status AllocateArena(const std::vector<Bucket>& buckets) {
    size_t bytes = 0;
    for (const Bucket& bucket : buckets) {
      if (bucket.candidates.size() == 1) continue;
      for (const auto& program : bucket.candidates) bytes = std::max(bytes, program->arena_bytes());
    }
    if (bytes == 0) return absl::OkStatus();  // nothing to time
    ASSIGN_OR_RETURN(arena_, weights_->backend().Allocate(bytes));
    return absl::OkStatus();
  }

  absl::StatusOr<Fastest> Race(const Bucket& bucket) {
    TimedPrograms programs(bucket.candidates, kept_,
                           {weights_, arena_, options_.gate, options_.cancel});
    const int count = static_cast<int>(bucket.candidates.size());
    ASSIGN_OR_RETURN(const std::optional<Fastest> fastest,
                     FindFastest(count, options_.race, programs));
    return fastest.has_value() ? *fastest : Fastest{PlanOfTheBatchBefore(bucket), 0};
  }

  int PlanOfTheBatchBefore(const Bucket& bucket) const {
    if (kept_.empty()) return 0;
    const auto same = [&](const auto& candidate) {
      return candidate->layout_plan() == kept_.back()->layout_plan();
    };
    const auto found = std::find_if(bucket.candidates.begin(), bucket.candidates.end(), same);
    return found == bucket.candidates.end() ? 0
                                            : static_cast<int>(found - bucket.candidates.begin());
  }

  const PlanChooser::Options& options_;
  const std::shared_ptr<Weights> weights_;
  std::shared_ptr<Buffer> arena_;
  Programs kept_;  // chosen so far
};

bool Covers(const TimedPlans& plans, const std::vector<int>& batches) {
  return std::all_of(batches.begin(), batches.end(),
                     [&](int batch) { return plans.contains(batch); });
}

}  // namespace

absl::StatusOr<std::vector<BucketProgram>> PlanChooser::Choose(
    const Graph& graph, const std::vector<int>& batches, const std::shared_ptr<Weights>& weights,
    const CompileOptions& compile) {
  const Backend& backend = weights->backend();
  const int width = compile.width > 0 ? compile.width : ReadCpuBudget().threads();
  const PlanKey key = {DescribeCpu(), backend.KernelVersions(), Sha256Hex(ToText(graph)), width,
                       compile.compute_type};
  const auto choose = [&](const TimedPlans& known) -> absl::StatusOr<std::vector<BucketProgram>> {
    std::vector<Bucket> buckets = PlansToCompile(batches, known);
    RETURN_IF_ERROR(CompileCandidates(graph, backend, compile, options_.gate, buckets));
    return RaceOfPlans(options_, weights).Run(buckets);
  };

  TimedPlans known = Remembered(key);
  if (Covers(known, batches)) return choose(known);
  absl::MutexLock lock(&mutex_);
  known = Remembered(key);  // the load that was timed before may have been of the same net
  ASSIGN_OR_RETURN(std::vector<BucketProgram> chosen, choose(known));
  for (const BucketProgram& each : chosen) {
    known[each.batch] = {each.program->layout_plan(), each.seconds};
  }
  Remember(key, known);
  return chosen;
}

TimedPlans PlanChooser::Remembered(const PlanKey& key) const {
  return options_.cache == nullptr ? TimedPlans() : options_.cache->Find(key);
}

void PlanChooser::Remember(const PlanKey& key, const TimedPlans& plans) const {
  if (options_.cache == nullptr) return;
  const absl::Status status = options_.cache->Store(key, plans);
  if (!status.ok()) LogWarning("layout plans could not be stored", {{"status", status}});
}

}  // namespace fovea
