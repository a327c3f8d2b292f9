// The table that every model shows: one row a node, with sizes, parameters and FLOPs.
#pragma once

#include <string>
#include <vector>

#include "core/graph/graph.h"
#include "fovea/v1/manifest.pb.h"

namespace fovea {

// One row for each node, in order of execution, for one example whatever the graph's batch. A
// parameter that several nodes read counts at the first.
std::vector<v1::Layer> LayerTable(const Graph& graph);

// Puts LayerTable(graph) in place of the manifest's layers.
void SetLayers(const Graph& graph, v1::ModelManifest& manifest);

// Aligned columns under a heading, then a line of totals; for people.
std::string LayerTableText(const v1::ModelManifest& manifest);

}  // namespace fovea
