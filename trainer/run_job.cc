#include "trainer/run_job.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>

#include "core/backend/backend.h"
#include "core/backend/cpu/peak.h"
#include "core/base/cpu_budget.h"
#include "core/base/file_system.h"
#include "core/base/memory_budget.h"
#include "core/base/status.h"
#include "core/data/store.h"
#include "core/data/store_dataset.h"
#include "core/model/format.h"
#include "core/train/config.h"
#include "core/train/recipe.h"
#include "core/train/trainer.h"

namespace fovea {
namespace {

// The peak is the best of a few short looks: others may be running, and at the start of a process
// some are slow.
constexpr int kPeakLooks = 8;
constexpr double kPeakSeconds = 0.02;

// Takes what it keeps decoded from `cache_bytes`.
absl::StatusOr<std::unique_ptr<StoreDataset>> OpenSplit(const v1::TrainerJob& job, Split split,
                                                        const CancelToken* cancel,
                                                        int64_t& cache_bytes) {
  StoreDataset::Options options;
  options.path = job.dataset_path();
  options.split = split;
  options.revision = static_cast<int64_t>(job.dataset_revision());
  options.shape = PixelShapeOf(job.config());
  options.cache_bytes = cache_bytes;
  options.threads = ReadCpuBudget().threads();
  options.cancel = cancel;
  ASSIGN_OR_RETURN(std::unique_ptr<StoreDataset> dataset, StoreDataset::Open(options));
  cache_bytes -= dataset->cached() * static_cast<int64_t>(options.shape.bytes());
  return dataset;
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
  std::optional<v1::ModelManifest> start;
  if (job.config().has_fine_tune() && !job.resume()) {
    ASSIGN_OR_RETURN(start, ReadManifest(FileSystem::Real(), job.start_folder()));
  }
  ASSIGN_OR_RETURN(CompleteConfig complete,
                   Complete(job.config(), statistics,
                            TrainingBudget(ReadCpuBudget().threads(), ReadAvailableMemory() / 2),
                            /*violations=*/nullptr, start.has_value() ? &*start : nullptr));
  *job.mutable_config() = std::move(complete.config);
  for (v1::Choice& choice : complete.choices) *job.add_choices() = std::move(choice);
  return absl::OkStatus();
}

absl::StatusOr<v1::TrainerResult> RunJob(const v1::TrainerJob& job, absl::Duration interval,
                                         EventSink* events, const CancelToken* cancel) {
  // The training split first: it is read every epoch, most often of all.
  int64_t cache_bytes = static_cast<int64_t>(job.config().cache_bytes());
  ASSIGN_OR_RETURN(const auto train, OpenSplit(job, Split::kTrain, cancel, cache_bytes));
  ASSIGN_OR_RETURN(const auto validation, OpenSplit(job, Split::kValidation, cancel, cache_bytes));
  ASSIGN_OR_RETURN(const auto test, OpenSplit(job, Split::kTest, cancel, cache_bytes));
  Trainer::Options options;
  options.job = job;
  options.train = train.get();
  options.validation = validation.get();
  options.test = test.get();
  options.labels = train->label_names();
  ASSIGN_OR_RETURN(options.backend, FindBackend(BackendName(job.config().backend())));
  options.events = events;
  options.cancel = cancel;
  options.peak_flops = PeakFlops(job);
  options.progress_interval = interval;
  ASSIGN_OR_RETURN(const std::unique_ptr<Trainer> trainer, Trainer::Create(std::move(options)));
  return trainer->Run();
}

}  // namespace fovea
