// Our own batch normalisation in training and its gradient. Private to this folder.
#pragma once

#include "core/backend/cpu/lower.h"

namespace fovea::cpu {

// Whether values of this type are normalised by the kernels below: blocks of 16 channels, AVX-512.
bool HasOwnBatchNorm(const Type& x);

Lowered LowerOwnBatchNormTraining(const NodeView& view, const BatchNormTraining& norm);
Lowered LowerOwnBatchNormBackward(const NodeView& view, const BatchNormBackward& norm);

}  // namespace fovea::cpu
