#include "core/backend/cpu/host_kernel.h"

#include <memory>
#include <utility>
#include <vector>

namespace fovea::cpu {
namespace {

class BoundHost : public BoundKernel {
 public:
  BoundHost(const HostFunction& function, Addresses inputs, Addresses outputs)
      : function_(function),
        inputs_(inputs.begin(), inputs.end()),
        outputs_(outputs.begin(), outputs.end()) {}

  absl::Status Run() override {
    function_(inputs_, outputs_);
    return absl::OkStatus();
  }

 private:
  const HostFunction& function_;  // the kernel's, which the program keeps alive
  const std::vector<void*> inputs_, outputs_;
};

class HostKernel : public Kernel {
 public:
  explicit HostKernel(HostFunction function) : function_(std::move(function)) {}

  absl::StatusOr<std::unique_ptr<BoundKernel>> Bind(Stream&, Addresses inputs, Addresses outputs,
                                                    void*) const override {
    return std::make_unique<BoundHost>(function_, inputs, outputs);
  }

 private:
  const HostFunction function_;
};

}  // namespace

Lowered LowerHost(std::string kernel_name, HostFunction function) {
  Lowered lowered;
  lowered.kernel = std::make_shared<HostKernel>(std::move(function));
  lowered.kernel_name = std::move(kernel_name);
  return lowered;
}

}  // namespace fovea::cpu
