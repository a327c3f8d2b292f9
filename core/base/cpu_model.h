// Which processor this is, for what holds on one kind of processor only: bits and timings.
#pragma once

#include <string>

namespace fovea {

// Its model and the widest instruction set that the kernels use: "AMD EPYC 7B13, avx2". "unknown"
// where the system does not tell.
std::string DescribeCpu();

}  // namespace fovea
