// A small model, whole and consistent, for the tests of core/model.
#pragma once

#include <string>

#include "core/model/layer_table.h"
#include "core/model/model.h"
#include "core/nets/initialize.h"
#include "core/nets/net.h"
#include "gtest/gtest.h"

namespace fovea::testing {

// A perceptron for grey images of 4 x 4 and three labels; values follow from the seed.
inline Model SomeModel(uint64_t seed = 1) {
  NetOptions options;
  options.name = "mlp";
  options.height = options.width = 4;
  options.channels = 1;
  options.labels = 3;
  options.hidden = {5};
  const auto net = BuildNet(options, 1);
  EXPECT_TRUE(net.ok()) << net.status();
  Model model;
  model.graph = *WithHead(*net, Head::kSoftmax);
  for (const Initializer& initializer : net->initializers) {
    const Type& type = model.graph.type(model.graph.Find(initializer.name));
    model.values.emplace(initializer.name, *InitialValue(initializer, type, seed));
  }
  v1::ModelManifest& manifest = model.manifest;
  manifest.set_format_version(1);
  manifest.set_name("digits");
  manifest.set_version(1);
  manifest.set_task(v1::TASK_SINGLE_LABEL);
  for (const char* label : {"zero", "one", "two"}) manifest.add_labels(label);
  manifest.mutable_preprocessing()->set_width(4);
  manifest.mutable_preprocessing()->set_height(4);
  manifest.mutable_preprocessing()->set_channels(1);
  manifest.mutable_preprocessing()->add_mean(0.5f);
  manifest.mutable_preprocessing()->add_stddev(0.25f);
  SetLayers(model.graph, manifest);
  return model;
}

}  // namespace fovea::testing
