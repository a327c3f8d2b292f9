// 3x3 convolutions of the shapes that Winograd's kernels compute.
#pragma once

#include <vector>

#include "tests/testing/op_cases.h"

namespace fovea {

// Their error in f32 is some 1e-6 of the result's rms.
const std::vector<OpCase>& WinogradCases();

}  // namespace fovea
