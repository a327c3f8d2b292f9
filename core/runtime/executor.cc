#include "core/runtime/executor.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"

namespace fovea {
namespace {

absl::Status UnknownPort(const std::vector<Port>& ports, absl::string_view name) {
  const auto append = [](std::string* out, const Port& port) { out->append(port.name); };
  return absl::NotFoundError(absl::StrCat("the program has no port \"", name,
                                          "\"; it has: ", absl::StrJoin(ports, ", ", append)));
}

absl::Status CheckType(const Port& port, const Type& found) {
  if (found.dtype == port.type.dtype && found.dims == port.type.dims) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "port \"", port.name, "\" is ", port.type.ToString(), ", found ", found.ToString()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Executor>> Executor::Create(std::shared_ptr<const Program> program,
                                                           std::shared_ptr<Weights> weights,
                                                           Options options) {
  const Backend& backend = program->backend();
  std::unique_ptr<Executor> executor(new Executor);
  executor->program_ = std::move(program);
  executor->weights_ = std::move(weights);
  executor->arena_ = std::move(options.arena);
  const size_t arena_bytes = std::max<size_t>(64, executor->program_->arena_bytes());
  if (executor->arena_ == nullptr) {
    ASSIGN_OR_RETURN(executor->arena_, backend.Allocate(arena_bytes));
  }
  if (executor->arena_->bytes() < executor->program_->arena_bytes()) {
    return absl::InvalidArgumentError(absl::StrCat("the arena has ", executor->arena_->bytes(),
                                                   " bytes, the program needs ", arena_bytes));
  }
  ASSIGN_OR_RETURN(executor->stream_, backend.NewStream());
  const ScopedWidth width(std::max(1, executor->program_->width()));
  RETURN_IF_ERROR(executor->Refresh());
  for (const Step& step : executor->program_->steps()) {
    std::vector<void*> inputs, outputs;
    for (const Location& location : step.inputs) inputs.push_back(executor->Address(location));
    for (const Location& location : step.outputs) outputs.push_back(executor->Address(location));
    void* scratch = static_cast<char*>(executor->arena_->address()) + step.scratch_offset;
    ASSIGN_OR_RETURN(executor->kernels_.emplace_back(),
                     step.kernel->Bind(*executor->stream_, inputs, outputs, scratch));
  }
  return executor;
}

void* Executor::Address(const Location& location) const {
  switch (location.kind) {
    case Location::Kind::kArena:
      return static_cast<char*>(arena_->address()) + location.offset;
    case Location::Kind::kRegion:
      return static_cast<char*>(weights_->region(location.role)) + location.offset;
    case Location::Kind::kPrepared:
      return prepared_[location.index];
  }
  return nullptr;
}

absl::Status Executor::Refresh() {
  if (program_->prepared().empty() || prepared_version_ == weights_->version()) {
    return absl::OkStatus();
  }
  const uint64_t version = weights_->version();
  ASSIGN_OR_RETURN(prepared_, weights_->Prepare(*program_));
  prepared_version_ = version;
  return absl::OkStatus();
}

TensorView Executor::input(int index) const {
  const Port& port = program_->inputs()[index];
  return {port.type, Address(port.location)};
}

TensorView Executor::output(int index) const {
  const Port& port = program_->outputs()[index];
  return {port.type, Address(port.location)};
}

absl::Status Executor::SetInput(absl::string_view name, const TensorView& source) {
  const int index = program_->FindInput(name);
  if (index < 0) return UnknownPort(program_->inputs(), name);
  RETURN_IF_ERROR(CheckType(program_->inputs()[index], source.type));
  return program_->backend().Upload(source.data, input(index).data, source.type.dense_bytes());
}

absl::Status Executor::GetOutput(absl::string_view name, const TensorView& target) const {
  const int index = program_->FindOutput(name);
  if (index < 0) return UnknownPort(program_->outputs(), name);
  RETURN_IF_ERROR(CheckType(program_->outputs()[index], target.type));
  return program_->backend().Download(output(index).data, target.data, target.type.dense_bytes());
}

absl::Status Executor::SetScalar(absl::string_view name, double value) {
  const int index = program_->FindInput(name);
  if (index < 0) return UnknownPort(program_->inputs(), name);
  const Port& port = program_->inputs()[index];
  if (port.type.dims.count() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("port \"", name, "\" is ", port.type.ToString(), ", expected one element"));
  }
  const float f32 = static_cast<float>(value);
  const int64_t i64 = static_cast<int64_t>(value);
  const void* source = nullptr;
  switch (port.type.dtype) {
    case DType::kF32:
      source = &f32;
      break;
    case DType::kF64:
      source = &value;
      break;
    case DType::kI64:
      source = &i64;
      break;
    default:
      return absl::UnimplementedError(
          absl::StrCat("port \"", name, "\": no scalars of type ", port.type.ToString()));
  }
  return program_->backend().Upload(source, input(index).data, port.type.dense_bytes());
}

absl::Status Executor::Run() {
  const ScopedWidth width(std::max(1, program_->width()));
  RETURN_IF_ERROR(Refresh());
  for (const std::unique_ptr<BoundKernel>& kernel : kernels_) RETURN_IF_ERROR(kernel->Run());
  return stream_->Synchronize();
}

absl::Status Executor::RunTimed(std::vector<double>& seconds) {
  using SteadyClock = std::chrono::steady_clock;
  const ScopedWidth width(std::max(1, program_->width()));
  seconds.resize(kernels_.size());
  RETURN_IF_ERROR(Refresh());
  for (size_t i = 0; i < kernels_.size(); ++i) {
    const SteadyClock::time_point start = SteadyClock::now();
    RETURN_IF_ERROR(kernels_[i]->Run());
    RETURN_IF_ERROR(stream_->Synchronize());
    seconds[i] += std::chrono::duration<double>(SteadyClock::now() - start).count();
  }
  return absl::OkStatus();
}

}  // namespace fovea
