#include "core/backend/backend.h"

namespace fovea {

const char* LayoutPlanName(LayoutPlan plan) {
  switch (plan) {
    case LayoutPlan::kDefault:
      return "default";
    case LayoutPlan::kNhwc:
      return "nhwc";
    case LayoutPlan::kBlocked:
      return "blocked";
    case LayoutPlan::kBlockedWinograd:
      return "blocked_winograd";
  }
  return "?";
}

}  // namespace fovea
