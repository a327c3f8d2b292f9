// Executor: one arena and one stream for one Program. One thread at a time.
//
// Executors of one thread may share an arena (the buckets of a model): pass the same one.
// Inputs are lost by a run: write all of them before each.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/backend/backend.h"
#include "core/runtime/program.h"
#include "core/runtime/weights.h"
#include "core/tensor/tensor.h"

namespace fovea {

class Executor {
 public:
  struct Options {
    std::shared_ptr<Buffer> arena;  // at least program.arena_bytes(); null: allocate one
  };
  // Binds every kernel to its addresses and runs the prologue when it is due.
  static absl::StatusOr<std::unique_ptr<Executor>> Create(std::shared_ptr<const Program> program,
                                                          std::shared_ptr<Weights> weights,
                                                          Options options);
  static absl::StatusOr<std::unique_ptr<Executor>> Create(std::shared_ptr<const Program> program,
                                                          std::shared_ptr<Weights> weights) {
    return Create(std::move(program), std::move(weights), Options());
  }

  const Program& program() const { return *program_; }

  // Views of a port's memory on host backends: write an input, read an output in place. The index
  // is the position in Program::inputs() or outputs().
  TensorView input(int index) const;
  TensorView output(int index) const;

  // Copies by name, on any backend. NotFound lists the names; InvalidArgument both types.
  absl::Status SetInput(absl::string_view name, const TensorView& source);
  absl::Status GetOutput(absl::string_view name, const TensorView& target) const;
  absl::Status SetScalar(absl::string_view name, double value);

  // Reruns the prologue if the weights changed, then every step in order.
  absl::Status Run();
  // The same, adding each step's seconds to `seconds` (one entry per step).
  absl::Status RunTimed(std::vector<double>& seconds);

 private:
  Executor() = default;
  void* Address(const Location& location) const;
  absl::Status Refresh();

  std::shared_ptr<const Program> program_;
  std::shared_ptr<Weights> weights_;
  std::shared_ptr<Buffer> arena_;
  std::unique_ptr<Stream> stream_;
  std::vector<void*> prepared_;
  uint64_t prepared_version_ = 0;
  std::vector<std::unique_ptr<BoundKernel>> kernels_;
};

}  // namespace fovea
