// Initial values: what training starts from, as a pure function of (seed, name of the value).
//
// Of w [O,I,…] with k taps, fan-in is I·k and fan-out O·k; I is the inputs of one group.
//   kConstant       the value
//   kNormal         normal, mean 0, with the value as standard deviation
//   kHeNormal       normal with variance 2 / fan-in (He, Zhang, Ren, Sun 2015 "Delving Deep",
//                   equation 10)
//   kHeUniform      uniform with the same variance: within ±√(6 / fan-in)
//   kGlorotNormal   normal with variance 2 / (fan-in + fan-out) (Glorot and Bengio 2010, equation
//   12) kGlorotUniform  uniform with the same variance: within ±√(6 / (fan-in + fan-out)) (equation
//   16) kLecunNormal    normal with variance 1 / fan-in (LeCun, Bottou, Orr, Müller 1998, equation
//   16) kLecunUniform   uniform with the same variance: within ±√(3 / fan-in) kOrthogonal     w as
//   a matrix [O, I·k] has orthonormal rows, or columns where there are fewer
//                   (Saxe, McClelland, Ganguli 2014): normal draws, made orthonormal by Gram and
//                   Schmidt in double. Takes O · I·k · min(O, I·k) multiply-adds twice.
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
