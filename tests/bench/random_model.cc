#include "tests/bench/random_model.h"

#include "core/base/file_system.h"
#include "core/model/format.h"
#include "core/model/repository.h"
#include "core/nets/initialize.h"
#include "core/nets/net.h"
#include "tests/bench/or_die.h"

namespace fovea::bench {
namespace {

NetOptions OptionsOf(const std::string& name) {
  NetOptions options;
  const bool tiny = name == "tiny";
  options.name = tiny ? "mlp" : name;
  options.height = options.width = tiny ? 8 : 224;
  options.channels = tiny ? 1 : 3;
  options.labels = tiny ? 10 : 1000;
  if (tiny) options.hidden = {32};
  return options;
}

}  // namespace

Model RandomModel(const std::string& name, const Backend& backend) {
  const NetOptions options = OptionsOf(name);
  const Net net = OrDie(BuildNet(options, 1));
  Model model;
  model.graph = OrDie(WithHead(net, Head::kSoftmax));
  const auto weights = OrDie(Weights::Create(backend, model.graph, {}));
  OrDie(Initialize(net, 1, *weights));
  model.values = OrDie(ReadValues(model.graph, *weights));
  model.manifest.set_format_version(1);
  model.manifest.set_name(name);
  model.manifest.set_task(v1::TASK_SINGLE_LABEL);
  for (int i = 0; i < options.labels; ++i) model.manifest.add_labels(std::to_string(i));
  v1::Preprocessing& preprocessing = *model.manifest.mutable_preprocessing();
  preprocessing.set_width(options.width);
  preprocessing.set_height(options.height);
  preprocessing.set_channels(options.channels);
  for (int i = 0; i < options.channels; ++i) {
    preprocessing.add_mean(0.5f);
    preprocessing.add_stddev(0.25f);
  }
  return model;
}

void PublishModel(const std::string& data_dir, const Model& model) {
  ModelRepository repository(FileSystem::Real(), JoinPath(data_dir, "models"));
  const std::string staged = OrDie(repository.NewStagingFolder());
  OrDie(WriteModel(FileSystem::Real(), staged, model));
  OrDie(repository.Publish(staged, model.manifest.name()));
}

}  // namespace fovea::bench
