// A oneDNN primitive as a Kernel: its memory objects and argument list are made once, at Bind.
#include <utility>

#include "core/backend/cpu/onednn.h"
#include "core/base/status.h"

namespace fovea::cpu {
namespace {

using Primitive = std::unique_ptr<dnnl_primitive, Destroy<dnnl_primitive, dnnl_primitive_destroy>>;
using Memory = std::unique_ptr<dnnl_memory, Destroy<dnnl_memory, dnnl_memory_destroy>>;
using DnnlStream = std::unique_ptr<dnnl_stream, Destroy<dnnl_stream, dnnl_stream_destroy>>;

class BoundPrimitive : public BoundKernel {
 public:
  BoundPrimitive(const_dnnl_primitive_t primitive, DnnlStream stream, std::vector<Memory> memories,
                 std::vector<dnnl_exec_arg_t> arguments)
      : primitive_(primitive),
        stream_(std::move(stream)),
        memories_(std::move(memories)),
        arguments_(std::move(arguments)) {}

  absl::Status Run() override {
    return ToStatus(dnnl_primitive_execute(primitive_, stream_.get(),
                                           static_cast<int>(arguments_.size()), arguments_.data()),
                    "running a primitive");
  }

 private:
  const const_dnnl_primitive_t primitive_;  // the kernel's, which the program keeps alive
  const DnnlStream stream_;
  const std::vector<Memory> memories_;
  const std::vector<dnnl_exec_arg_t> arguments_;
};

class PrimitiveKernel : public Kernel {
 public:
  PrimitiveKernel(Primitive primitive, std::vector<Argument> arguments)
      : primitive_(std::move(primitive)), arguments_(std::move(arguments)) {}

  absl::StatusOr<std::unique_ptr<BoundKernel>> Bind(Stream&, absl::Span<void* const> inputs,
                                                    absl::Span<void* const> outputs,
                                                    void* scratch) const override {
    const_dnnl_primitive_desc_t desc = nullptr;
    RETURN_IF_DNNL_ERROR(dnnl_primitive_get_primitive_desc(primitive_.get(), &desc), "binding");
    std::vector<Memory> memories;
    std::vector<dnnl_exec_arg_t> bound;
    const auto bind = [&](int argument, void* address) {
      dnnl_memory_t memory = nullptr;
      RETURN_IF_DNNL_ERROR(
          dnnl_memory_create(&memory, &ArgumentDesc(desc, argument), Engine(), address),
          "binding an address");
      memories.emplace_back(memory);
      bound.push_back({argument, memory});
      return absl::OkStatus();
    };
    for (const Argument& argument : arguments_) {
      const bool input = argument.from == Argument::From::kInput;
      RETURN_IF_ERROR(
          bind(argument.argument, input ? inputs[argument.index] : outputs[argument.index]));
    }
    if (ArgumentBytes(desc, DNNL_ARG_SCRATCHPAD) > 0) {
      RETURN_IF_ERROR(bind(DNNL_ARG_SCRATCHPAD, scratch));
    }
    dnnl_stream_t stream = nullptr;
    RETURN_IF_DNNL_ERROR(dnnl_stream_create(&stream, Engine(), dnnl_stream_default_flags),
                         "creating a stream");
    return std::make_unique<BoundPrimitive>(primitive_.get(), DnnlStream(stream),
                                            std::move(memories), std::move(bound));
  }

 private:
  const Primitive primitive_;
  const std::vector<Argument> arguments_;
};

}  // namespace

std::vector<Argument> ProductArguments(Direction direction, bool has_bias) {
  switch (direction) {
    case Direction::kForward: {
      std::vector<Argument> arguments = {In(DNNL_ARG_SRC, 0), In(DNNL_ARG_WEIGHTS, 1),
                                         Out(DNNL_ARG_DST, 0)};
      if (has_bias) arguments.push_back(In(DNNL_ARG_BIAS, 2));
      return arguments;
    }
    case Direction::kBackwardData:
      return {In(DNNL_ARG_DIFF_DST, 0), In(DNNL_ARG_WEIGHTS, 1), Out(DNNL_ARG_DIFF_SRC, 0)};
    case Direction::kBackwardWeights:
      return {In(DNNL_ARG_SRC, 0), In(DNNL_ARG_DIFF_DST, 1), Out(DNNL_ARG_DIFF_WEIGHTS, 0)};
  }
  return {};
}

absl::StatusOr<Lowered> LowerPrimitive(const PrimitiveDesc& desc, std::vector<Argument> arguments) {
  dnnl_primitive_t primitive = nullptr;
  RETURN_IF_DNNL_ERROR(dnnl_primitive_create(&primitive, desc.get()), "creating a primitive");
  Lowered lowered;
  lowered.kernel_name = ImplementationName(desc.get());
  lowered.scratch_bytes = ArgumentBytes(desc.get(), DNNL_ARG_SCRATCHPAD);
  lowered.kernel = std::make_shared<PrimitiveKernel>(Primitive(primitive), std::move(arguments));
  return lowered;
}

}  // namespace fovea::cpu
