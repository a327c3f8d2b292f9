// Weights: the named regions of one model on one backend, shared by all its Programs.
//
// Regions: parameters and states always; gradients, slots and averages only when asked for
// (training).
// `version` grows whenever the values change; what a Program's prologue computed from an older
// version is stale. Reading and preparing are thread-safe; changing values is not, and must not
// overlap with a run.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "core/backend/backend.h"
#include "core/graph/graph.h"
#include "core/tensor/tensor.h"

namespace fovea {

class Program;

class Weights {
 public:
  struct Options {
    int slots = 0;           // slot regions, each of the parameters' size
    bool gradients = false;  // a gradient region
    bool averages = false;   // a region of averages: of the parameters, then of the states
  };
  // Zeroed regions for the parameters and states of `graph`, at the offsets it assigned.
  static absl::StatusOr<std::shared_ptr<Weights>> Create(const Backend& backend, const Graph& graph,
                                                         Options options);

  // The model whose parameters and states are the averages of `source`: the same memory, which this
  // keeps alive, and the same version. It has no other regions.
  static std::shared_ptr<Weights> AveragesOf(std::shared_ptr<Weights> source);

  const Backend& backend() const { return *backend_; }
  // Base address of a region on the device; nullptr when it does not exist or is empty.
  void* region(Role role) const;
  // Bytes of a region; of all slots together for kSlot.
  size_t region_bytes(Role role) const;
  size_t total_bytes() const;  // regions and prepared values

  // Values by name, dense, in host memory. NotFound names the value; InvalidArgument both types.
  absl::Status Set(absl::string_view name, const TensorView& source);
  absl::StatusOr<Tensor> Get(absl::string_view name) const;
  // Names and types of parameters and states.
  const std::vector<Value>& values() const { return values_; }
  // The raw bytes of a region, for checkpoints.
  absl::StatusOr<std::string> ReadRegion(Role role) const;
  absl::Status WriteRegion(Role role, absl::string_view bytes);

  uint64_t version() const {
    return source_ != nullptr ? source_->version() : version_.load(std::memory_order_acquire);
  }
  // Says that the values changed (after a training step, or after Set).
  void Touch() {
    if (source_ != nullptr) return source_->Touch();
    version_.fetch_add(1, std::memory_order_acq_rel);
  }

  // The addresses of a program's prologue results, computed now when they are missing or stale.
  // Programs with equal keys share one result. The vector is indexed as Program::prepared().
  absl::StatusOr<std::vector<void*>> Prepare(const Program& program);
  // Frees the prologue results that none of `programs` reads. No executor of another program may
  // be left; one that is made later computes its results again.
  void KeepPrepared(absl::Span<const Program* const> programs);

 private:
  struct Prepared {
    std::unique_ptr<Buffer> buffer;
    uint64_t version = 0;  // of the values it was computed from; 0: never
  };
  Weights() = default;
  absl::Status RunPrologue(const Program& program) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Backend* backend_ = nullptr;
  std::vector<Value> values_;
  std::map<std::string, size_t, std::less<>> index_;
  size_t element_bytes_ = 4;
  int64_t parameter_count_ = 0;
  int64_t state_count_ = 0;
  std::shared_ptr<Weights> source_;     // of AveragesOf; else null
  std::unique_ptr<Buffer> regions_[5];  // parameter, state, slot, gradient, average
  std::atomic<uint64_t> version_{1};
  mutable absl::Mutex mutex_;
  std::map<std::string, Prepared> prepared_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace fovea
