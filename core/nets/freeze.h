// Layers that learn in their own way: frozen ones, which fine-tuning leaves as they are, and those
// with a factor to the learning rate.
//
// A frozen parameter is a state: it keeps its name and its value and is saved with the model, but
// the training graph has no gradient, no slot and no update for it, and computes no gradient for
// what depends on frozen layers alone. A batch norm whose scale and shift are both frozen
// normalises with its statistics, which do not move (TrainingGraph).
#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "core/nets/net.h"

namespace fovea {

// Whether the layer-name prefix stands for a layer or value: the same name, or one that goes on
// with a dot. "layer1" fits "layer1" and "layer1.0.conv1.weight", not "layer10".
bool IsUnder(absl::string_view name, absl::string_view prefix);

// Turns every parameter below one of the prefixes into a state and lays out the regions anew.
// InvalidArgument: a prefix that no parameter is under, or no parameter is left.
absl::Status Freeze(absl::Span<const std::string> prefixes, Net& net);

// The factor of every parameter below one of the prefixes, by its name; of several prefixes the
// longest counts. InvalidArgument: a prefix that no parameter is under.
absl::StatusOr<std::map<std::string, float>> RateFactors(
    const std::map<std::string, double>& by_prefix, const Net& net);

// The parameters of the last dense layer, which makes the logits: [weight, bias].
std::vector<std::string> HeadParameters(const Net& net);

// The first parts of the parameters' names, in order: "conv1, bn1, layer1, fc". For messages.
std::string LayerPrefixes(const Graph& graph);

}  // namespace fovea
