// Which poolings oneDNN knows. Private to this folder.
#pragma once

#include "core/graph/attrs.h"

namespace fovea::cpu {

// Whether oneDNN has this pooling of x to y. What it lacks runs on dense values by the reference:
// an average that counts padding where rounding up reaches beyond it, and padding as wide as the
// window.
bool HasPoolPrimitive(const Pool& pool, const Type& x, const Type& y);

}  // namespace fovea::cpu
