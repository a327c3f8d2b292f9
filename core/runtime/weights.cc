#include "core/runtime/weights.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/scoped_width.h"
#include "core/base/status.h"
#include "core/runtime/program.h"

namespace fovea {
namespace {

int RegionIndex(Role role) {
  switch (role) {
    case Role::kParameter:
      return 0;
    case Role::kState:
      return 1;
    case Role::kSlot:
      return 2;
    case Role::kGradient:
      return 3;
    case Role::kAverage:
      return 4;
    case Role::kInput:
    case Role::kTemporary:
      break;
  }
  return -1;
}

}  // namespace

absl::StatusOr<std::shared_ptr<Weights>> Weights::Create(const Backend& backend, const Graph& graph,
                                                         Options options) {
  std::shared_ptr<Weights> weights(new Weights);
  weights->backend_ = &backend;
  for (Role role : {Role::kParameter, Role::kState}) {
    for (ValueId id : graph.ValuesOf(role)) {
      const Value& value = graph.value(id);
      weights->index_[value.name] = weights->values_.size();
      weights->values_.push_back(value);
      weights->element_bytes_ = DTypeBytes(value.type.dtype);
    }
  }
  weights->parameter_count_ = graph.region_count(Role::kParameter);
  weights->state_count_ = graph.region_count(Role::kState);
  const auto allocate = [&](Role role, int64_t elements) -> absl::Status {
    if (elements == 0) return absl::OkStatus();
    ASSIGN_OR_RETURN(weights->regions_[RegionIndex(role)],
                     backend.Allocate(static_cast<size_t>(elements) * weights->element_bytes_));
    return absl::OkStatus();
  };
  RETURN_IF_ERROR(allocate(Role::kParameter, weights->parameter_count_));
  RETURN_IF_ERROR(allocate(Role::kState, weights->state_count_));
  RETURN_IF_ERROR(allocate(Role::kSlot, weights->parameter_count_ * options.slots));
  RETURN_IF_ERROR(allocate(Role::kGradient, options.gradients ? weights->parameter_count_ : 0));
  RETURN_IF_ERROR(
      allocate(Role::kAverage, options.averages ? graph.region_count(Role::kAverage) : 0));
  return weights;
}

std::shared_ptr<Weights> Weights::AveragesOf(std::shared_ptr<Weights> source) {
  std::shared_ptr<Weights> averages(new Weights);
  averages->backend_ = source->backend_;
  averages->values_ = source->values_;
  averages->index_ = source->index_;
  averages->element_bytes_ = source->element_bytes_;
  averages->parameter_count_ = source->parameter_count_;
  averages->state_count_ = source->state_count_;
  averages->source_ = std::move(source);
  return averages;
}

void* Weights::region(Role role) const {
  if (source_ != nullptr) {
    if (region_bytes(role) == 0) return nullptr;
    const int64_t first = role == Role::kState ? parameter_count_ : 0;
    return static_cast<char*>(source_->region(Role::kAverage)) +
           static_cast<size_t>(first) * element_bytes_;
  }
  const int index = RegionIndex(role);
  if (index < 0 || regions_[index] == nullptr) return nullptr;
  return regions_[index]->address();
}

size_t Weights::region_bytes(Role role) const {
  if (source_ != nullptr) {
    const int64_t elements = role == Role::kParameter ? parameter_count_
                             : role == Role::kState   ? state_count_
                                                      : 0;
    return static_cast<size_t>(elements) * element_bytes_;
  }
  const int index = RegionIndex(role);
  return index < 0 || regions_[index] == nullptr ? 0 : regions_[index]->bytes();
}

size_t Weights::total_bytes() const {
  size_t total = 0;
  for (const auto& region : regions_) total += region == nullptr ? 0 : region->bytes();
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, prepared] : prepared_) total += prepared.buffer->bytes();
  return total;
}

absl::Status Weights::Set(absl::string_view name, const TensorView& source) {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    return absl::NotFoundError(absl::StrCat("the model has no parameter or state \"", name, "\""));
  }
  const Value& value = values_[found->second];
  if (!(source.type == value.type)) {
    return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is ", source.type.ToString(),
                                                   ", expected ", value.type.ToString()));
  }
  char* address =
      static_cast<char*>(region(value.role)) + static_cast<size_t>(value.offset) * element_bytes_;
  RETURN_IF_ERROR(backend_->Upload(source.data, address, value.type.dense_bytes()));
  Touch();
  return absl::OkStatus();
}

absl::StatusOr<Tensor> Weights::Get(absl::string_view name) const {
  const auto found = index_.find(name);
  if (found == index_.end()) {
    return absl::NotFoundError(absl::StrCat("the model has no parameter or state \"", name, "\""));
  }
  const Value& value = values_[found->second];
  Tensor tensor(value.type);
  const char* address = static_cast<const char*>(region(value.role)) +
                        static_cast<size_t>(value.offset) * element_bytes_;
  RETURN_IF_ERROR(backend_->Download(address, tensor.data(), tensor.bytes()));
  return tensor;
}

absl::StatusOr<std::string> Weights::ReadRegion(Role role) const {
  std::string bytes(region_bytes(role), '\0');
  if (!bytes.empty()) {
    RETURN_IF_ERROR(backend_->Download(region(role), bytes.data(), bytes.size()));
  }
  return bytes;
}

absl::Status Weights::WriteRegion(Role role, absl::string_view bytes) {
  if (bytes.size() != region_bytes(role)) {
    return absl::InvalidArgumentError(absl::StrCat("the ", RoleName(role), " region has ",
                                                   region_bytes(role), " bytes, found ",
                                                   bytes.size()));
  }
  if (!bytes.empty()) {
    RETURN_IF_ERROR(backend_->Upload(bytes.data(), region(role), bytes.size()));
  }
  Touch();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<void*>> Weights::Prepare(const Program& program) {
  absl::MutexLock lock(&mutex_);
  const uint64_t now = version();
  bool stale = false;
  for (const PreparedValue& value : program.prepared()) {
    Prepared& prepared = prepared_[value.key];
    if (prepared.buffer == nullptr) {
      ASSIGN_OR_RETURN(prepared.buffer, backend_->Allocate(value.bytes));
    }
    stale |= prepared.version != now;
  }
  if (stale) {
    RETURN_IF_ERROR(RunPrologue(program));
    for (const PreparedValue& value : program.prepared()) prepared_[value.key].version = now;
  }
  std::vector<void*> addresses;
  for (const PreparedValue& value : program.prepared()) {
    addresses.push_back(prepared_[value.key].buffer->address());
  }
  return addresses;
}

void Weights::KeepPrepared(absl::Span<const Program* const> programs) {
  std::set<std::string> keys;
  for (const Program* program : programs) {
    for (const PreparedValue& value : program->prepared()) keys.insert(value.key);
  }
  absl::MutexLock lock(&mutex_);
  std::erase_if(prepared_, [&](const auto& each) { return !keys.contains(each.first); });
}

absl::Status Weights::RunPrologue(const Program& program) {
  const ScopedWidth width(std::max(1, program.width()));
  ASSIGN_OR_RETURN(const std::unique_ptr<Buffer> arena,
                   backend_->Allocate(std::max<size_t>(64, program.prologue_arena_bytes())));
  ASSIGN_OR_RETURN(const std::unique_ptr<Stream> stream, backend_->NewStream());
  const auto address = [&](const Location& location) -> void* {
    char* base = nullptr;
    switch (location.kind) {
      case Location::Kind::kArena:
        base = static_cast<char*>(arena->address());
        break;
      case Location::Kind::kRegion:
        base = static_cast<char*>(region(location.role));
        break;
      case Location::Kind::kPrepared:
        return prepared_[program.prepared()[location.index].key].buffer->address();
    }
    return base + location.offset;
  };
  for (const Step& step : program.prologue()) {
    std::vector<void*> inputs, outputs;
    for (const Location& location : step.inputs) inputs.push_back(address(location));
    for (const Location& location : step.outputs) outputs.push_back(address(location));
    void* scratch = static_cast<char*>(arena->address()) + step.scratch_offset;
    ASSIGN_OR_RETURN(const std::unique_ptr<BoundKernel> kernel,
                     step.kernel->Bind(*stream, inputs, outputs, scratch));
    RETURN_IF_ERROR(kernel->Run());
  }
  return stream->Synchronize();
}

}  // namespace fovea
