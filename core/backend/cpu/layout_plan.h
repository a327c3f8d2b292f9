// The whole-graph layout plan. Private to this folder.
#pragma once

#include "absl/status/statusor.h"
#include "core/backend/backend.h"

namespace fovea::cpu {

// Gives temporaries their layouts and inserts Reorder nodes, so that every convolution has a fast
// kernel where one exists and values that oneDNN ties share a layout. Weights are reordered to what
// their kernel wants and packed gradients back to the plain region.
absl::StatusOr<Graph> PlanLayouts(Graph graph, const CompileOptions& options);

// The plan that the options ask for, kDefault resolved.
LayoutPlan ResolvePlan(const CompileOptions& options);

}  // namespace fovea::cpu
