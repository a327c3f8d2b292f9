// Initial values: what training starts from, as a pure function of (seed, name of the value).
//
// kHeNormal: normal with variance 2 / fan-in (He, Zhang, Ren, Sun 2015 "Delving Deep", equation
// 10). kGlorotUniform: uniform within ±√(6 / (fan-in + fan-out)) (Glorot and Bengio 2010, equation
// 16). Of w [O,I,…] with k taps, fan-in is I·k and fan-out O·k; I is the inputs of one group.
// Values are drawn as float, so that weights in f32 and f64 begin alike.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "core/nets/net.h"
#include "core/tensor/tensor.h"

namespace fovea {

// The value in the given type, f32 or f64. InvalidArgument: another type, or random weights of
// rank < 2.
absl::StatusOr<Tensor> InitialValue(const Initializer& initializer, const Type& type,
                                    uint64_t seed);

}  // namespace fovea
