// Models with untrained weights, for benchmarks: what they answer does not matter.
#pragma once

#include <string>
#include <vector>

#include "core/backend/backend.h"
#include "core/model/model.h"

namespace fovea::bench {

// "tiny": an mlp of 8 × 8 grey pixels and 10 labels, whose own time hardly counts. Any other name
// is a net's: of 224 × 224 × 3 pixels and 1000 labels.
Model RandomModel(const std::string& name, const Backend& backend);

// Writes the model below `data_dir`, where fovea-server finds it, under its name.
void PublishModel(const std::string& data_dir, const Model& model);

}  // namespace fovea::bench
