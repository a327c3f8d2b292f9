#include "core/backend/cpu/host_kernel.h"

#include <memory>
#include <utility>
#include <vector>

#include "core/base/status.h"

namespace fovea::cpu {
namespace {

class BoundHost : public BoundKernel {
 public:
  BoundHost(const ScratchFunction& function, Addresses inputs, Addresses outputs, void* scratch)
      : function_(function),
        inputs_(inputs.begin(), inputs.end()),
        outputs_(outputs.begin(), outputs.end()),
        scratch_(scratch) {}

  absl::Status Run() override {
    function_(inputs_, outputs_, scratch_);
    return absl::OkStatus();
  }

 private:
  const ScratchFunction& function_;  // the kernel's, which the program keeps alive
  const std::vector<void*> inputs_, outputs_;
  void* const scratch_;
};

class HostKernel : public Kernel {
 public:
  explicit HostKernel(ScratchFunction function) : function_(std::move(function)) {}

  absl::StatusOr<std::unique_ptr<BoundKernel>> Bind(Stream&, Addresses inputs, Addresses outputs,
                                                    void* scratch) const override {
    return std::make_unique<BoundHost>(function_, inputs, outputs, scratch);
  }

 private:
  const ScratchFunction function_;
};

class BoundPair : public BoundKernel {
 public:
  BoundPair(std::unique_ptr<BoundKernel> first, std::unique_ptr<BoundKernel> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  absl::Status Run() override {
    RETURN_IF_ERROR(first_->Run());
    return second_->Run();
  }

 private:
  const std::unique_ptr<BoundKernel> first_, second_;
};

class PairKernel : public Kernel {
 public:
  PairKernel(std::shared_ptr<const Kernel> first, std::shared_ptr<const Kernel> second)
      : first_(std::move(first)), second_(std::move(second)) {}

  absl::StatusOr<std::unique_ptr<BoundKernel>> Bind(Stream& stream, Addresses inputs,
                                                    Addresses outputs,
                                                    void* scratch) const override {
    ASSIGN_OR_RETURN(auto first, first_->Bind(stream, inputs, outputs, scratch));
    ASSIGN_OR_RETURN(auto second, second_->Bind(stream, inputs, outputs, nullptr));
    return std::make_unique<BoundPair>(std::move(first), std::move(second));
  }

 private:
  const std::shared_ptr<const Kernel> first_, second_;
};

}  // namespace

Lowered LowerHost(std::string kernel_name, HostFunction function) {
  return LowerHost(
      std::move(kernel_name), 0,
      [function = std::move(function)](Addresses in, Addresses out, void*) { function(in, out); });
}

Lowered LowerHost(std::string kernel_name, size_t scratch_bytes, ScratchFunction function) {
  Lowered lowered;
  lowered.kernel = std::make_shared<HostKernel>(std::move(function));
  lowered.kernel_name = std::move(kernel_name);
  lowered.scratch_bytes = scratch_bytes;
  return lowered;
}

Lowered Followed(Lowered first, HostFunction second) {
  const Lowered then = LowerHost("", std::move(second));
  first.kernel = std::make_shared<PairKernel>(std::move(first.kernel), then.kernel);
  return first;
}

}  // namespace fovea::cpu
