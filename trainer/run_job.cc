#include "trainer/run_job.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/backend/backend.h"
#include "core/backend/cpu/peak.h"
#include "core/base/cpu_budget.h"
#include "core/base/status.h"
#include "core/data/store.h"
#include "core/data/store_dataset.h"
#include "core/train/config.h"
#include "core/train/recipe.h"
#include "core/train/trainer.h"

namespace fovea {
namespace {

// Pictures kept decoded; what is beyond is decoded again each epoch.
constexpr int64_t kTrainCacheBytes = int64_t{1} << 30;
constexpr int64_t kMeasureCacheBytes = int64_t{256} << 20;

// The peak is the best of a few short looks: others may be running, and at the start of a process
// some are slow.
constexpr int kPeakLooks = 8;
constexpr double kPeakSeconds = 0.02;

absl::StatusOr<std::unique_ptr<StoreDataset>> OpenSplit(const v1::TrainerJob& job, Split split,
                                                        const CancelToken* cancel) {
  StoreDataset::Options options;
  options.path = job.dataset_path();
  options.split = split;
  options.revision = static_cast<int64_t>(job.dataset_revision());
  options.shape = PixelShapeOf(job.config());
  options.cache_bytes = split == Split::kTrain ? kTrainCacheBytes : kMeasureCacheBytes;
  options.threads = ReadCpuBudget().threads();
  options.cancel = cancel;
  return StoreDataset::Open(options);
}

double PeakFlops(const v1::TrainerJob& job) {
  if (job.config().backend() != v1::BACKEND_CPU) return 0;
  const int width =
      static_cast<int>(job.has_execution() ? job.execution().width() : job.config().width());
  double peak = 0;
  for (int i = 0; i < kPeakLooks; ++i) {
    peak = std::max(peak, MeasurePeakFlops(width, kPeakSeconds));
  }
  return peak;
}

}  // namespace

absl::Status CompleteJob(v1::TrainerJob& job) {
  ASSIGN_OR_RETURN(const std::unique_ptr<DatasetStore> store,
                   DatasetStore::Open(job.dataset_path(), DatasetStore::Mode::kReadOnly, {}));
  ASSIGN_OR_RETURN(const DatasetStatistics statistics,
                   store->Statistics(static_cast<int64_t>(job.dataset_revision())));
  ASSIGN_OR_RETURN(CompleteConfig complete,
                   Complete(job.config(), statistics, ReadCpuBudget().threads()));
  *job.mutable_config() = std::move(complete.config);
  for (v1::Choice& choice : complete.choices) *job.add_choices() = std::move(choice);
  return absl::OkStatus();
}

absl::StatusOr<v1::TrainerResult> RunJob(const v1::TrainerJob& job, absl::Duration interval,
                                         EventSink* events, const CancelToken* cancel) {
  ASSIGN_OR_RETURN(const auto train, OpenSplit(job, Split::kTrain, cancel));
  ASSIGN_OR_RETURN(const auto validation, OpenSplit(job, Split::kValidation, cancel));
  ASSIGN_OR_RETURN(const auto test, OpenSplit(job, Split::kTest, cancel));
  Trainer::Options options;
  options.job = job;
  options.train = train.get();
  options.validation = validation.get();
  options.test = test.get();
  options.labels = train->label_names();
  ASSIGN_OR_RETURN(options.backend, FindBackend(BackendName(job.config().backend())));
  options.events = events;
  options.cancel = cancel;
  const bool all_cached = train->cached() == train->size();
  options.loader_threads = all_cached ? 1 : ReadCpuBudget().threads();
  options.peak_flops = PeakFlops(job);
  options.progress_interval = interval;
  ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, Trainer::Create(std::move(options)));
  return trainer->Run();
}

}  // namespace fovea
