// The reference backend: plain loops in float or double, every op, dense layouts. The oracle that
// other backends are compared with, and the FP64 backend. Slow.
#pragma once

#include "core/backend/backend.h"

namespace fovea {

const Backend& ReferenceBackend();

}  // namespace fovea
