#include "core/nets/initialize.h"

#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/random.h"
#include "core/base/status.h"

namespace fovea {

namespace {

// FNV-1a, 64 bits: the same on every machine.
uint64_t HashName(const std::string& name) {
  uint64_t hash = 0xcbf29ce484222325ULL;
  for (unsigned char byte : name) hash = (hash ^ byte) * 0x100000001b3ULL;
  return hash;
}

struct Fan {
  double in, out;
};

Fan FanOf(const Dims& dims) {
  const double taps = static_cast<double>(dims.count()) / (dims[0] * dims[1]);
  return {dims[1] * taps, dims[0] * taps};
}

// Writes draw() to each element.
template <typename Draw>
void FillWith(const Tensor& tensor, Draw draw) {
  for (int64_t i = 0; i < tensor.count(); ++i) {
    const float value = static_cast<float>(draw());
    if (tensor.type().dtype == DType::kF64) {
      tensor.as<double>()[i] = value;
    } else {
      tensor.as<float>()[i] = value;
    }
  }
}

}  // namespace

absl::StatusOr<Tensor> InitialValue(const Initializer& initializer, const Type& type,
                                    uint64_t seed) {
  if (type.dtype != DType::kF32 && type.dtype != DType::kF64) {
    return absl::InvalidArgumentError(absl::StrCat("initial value of \"", initializer.name,
                                                   "\": type ", type.ToString(),
                                                   ", expected f32 or f64"));
  }
  const bool random = initializer.kind != Initializer::Kind::kConstant;
  if (random && (type.dims.rank() < 2 || type.dims.count() == 0)) {
    return absl::InvalidArgumentError(absl::StrCat("initial value of \"", initializer.name,
                                                   "\": random weights of ", type.ToString(),
                                                   ", expected at least two axes"));
  }
  Tensor tensor(type);
  Random draws(HashKey(seed, HashName(initializer.name)));
  switch (initializer.kind) {
    case Initializer::Kind::kConstant:
      FillWith(tensor, [&] { return initializer.constant; });
      break;
    case Initializer::Kind::kHeNormal: {
      const double deviation = std::sqrt(2.0 / FanOf(type.dims).in);
      FillWith(tensor, [&] { return deviation * draws.Normal(); });
      break;
    }
    case Initializer::Kind::kGlorotUniform: {
      const Fan fan = FanOf(type.dims);
      const double bound = std::sqrt(6.0 / (fan.in + fan.out));
      FillWith(tensor, [&] { return bound * (2.0 * draws.Uniform() - 1.0); });
      break;
    }
  }
  return tensor;
}

absl::Status Initialize(const Net& net, uint64_t seed, Weights& weights) {
  for (const Initializer& initializer : net.initializers) {
    const Value* value = nullptr;
    for (const Value& candidate : weights.values()) {
      if (candidate.name == initializer.name) value = &candidate;
    }
    if (value == nullptr) {
      return absl::NotFoundError(
          absl::StrCat("initialize: the weights have no value \"", initializer.name, "\""));
    }
    ASSIGN_OR_RETURN(const Tensor tensor, InitialValue(initializer, value->type, seed));
    RETURN_IF_ERROR(weights.Set(initializer.name, tensor.view()));
  }
  weights.Touch();
  return absl::OkStatus();
}

}  // namespace fovea
