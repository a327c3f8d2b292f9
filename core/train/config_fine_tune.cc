// Fine-tuning: what a configuration takes from the version that it begins with.
#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "core/nets/freeze.h"
#include "core/nets/net.h"
#include "core/train/config_sections.h"
#include "core/train/recipe.h"

namespace fovea {
namespace {

std::string NameOf(const v1::ModelManifest& start) {
  return start.version() == 0
             ? absl::StrCat("model \"", start.name(), "\"")
             : absl::StrCat("model \"", start.name(), "\" version ", start.version());
}

// `config` with nothing but its architecture.
v1::TrainingConfig ArchitectureOf(const v1::TrainingConfig& config) {
  v1::TrainingConfig result = config;
  const auto* oneof = config.GetDescriptor()->FindOneofByName("architecture");
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  config.GetReflection()->ListFields(config, &fields);
  for (const auto* field : fields) {
    if (field->containing_oneof() != oneof) result.GetReflection()->ClearField(&result, field);
  }
  return result;
}

std::string InputText(const v1::InputShape& input) {
  return absl::StrCat(input.width(), " x ", input.height(), " with ", input.channels(),
                      input.channels() == 1 ? " channel" : " channels");
}

std::vector<std::string> LabelsOf(const DatasetStatistics& data) {
  std::vector<std::string> labels;
  for (const LabelCounts& label : data.labels) labels.push_back(label.label);
  return labels;
}

bool SameLabels(const DatasetStatistics& data, const v1::ModelManifest& start) {
  const std::vector<std::string> labels = LabelsOf(data);
  return std::equal(labels.begin(), labels.end(), start.labels().begin(), start.labels().end());
}

// Whether both nets have the same kind of outputs for the same labels.
bool SameHead(const v1::TrainingConfig& config, const DatasetStatistics& data,
              const v1::ModelManifest& start) {
  return SameLabels(data, start) &&
         NetOptionsOf(config, /*outputs=*/1).two_way ==
             NetOptionsOf(start.training().config(), /*outputs=*/1).two_way;
}

void FillInputOf(ConfigFill& fill, const v1::InputShape& start, const std::string& reason) {
  v1::InputShape& input = *fill.config().mutable_input();
  if (!input.has_width()) {
    input.set_width(start.width());
    fill.Chose("input.width", input.width(), reason);
  }
  if (!input.has_height()) {
    input.set_height(start.height());
    fill.Chose("input.height", input.height(), reason);
  }
  if (!input.has_channels()) {
    input.set_channels(start.channels());
    fill.Chose("input.channels", input.channels(), reason);
  }
}

// The net and its input are those of the start; its values fit nothing else.
void CheckSameNet(ConfigCheck& check, const v1::ModelManifest& start) {
  const v1::TrainingConfig& origin = start.training().config();
  const std::string found = ArchitectureOf(check.config()).ShortDebugString();
  const std::string expected = ArchitectureOf(origin).ShortDebugString();
  if (found != expected) {
    check.Wrong("architecture", found, absl::StrCat(expected, ", that of ", NameOf(start)));
  }
  const std::string input = InputText(check.config().input());
  if (input != InputText(origin.input())) {
    check.Wrong("input", input,
                absl::StrCat(InputText(origin.input()), ", that of ", NameOf(start)));
  }
}

// Each by itself, for the path of what is wrong. `net` is frozen.
void CheckRateFactors(ConfigCheck& check, const Net& net) {
  const auto& factors = check.config().fine_tune().learning_rate_factors();
  for (const auto& [prefix, factor] :
       std::map<std::string, double>(factors.begin(), factors.end())) {
    const std::string field = absl::StrCat("fine_tune.learning_rate_factors[\"", prefix, "\"]");
    check.Positive(field, factor);
    const auto found = RateFactors({{prefix, factor}}, net);
    if (!found.ok()) check.Violation(field, absl::string_view(found.status().message()));
  }
}

void CheckLayers(ConfigCheck& check) {
  const v1::FineTune& tune = check.config().fine_tune();
  const int labels = static_cast<int>(check.data().labels.size());
  auto net = BuildNet(NetOptionsOf(check.config(), OutputsOf(check.config().task(), labels)),
                      /*batch=*/1);
  if (!net.ok()) return;  // told by CheckNet
  const std::vector<std::string> head = HeadParameters(*net);
  bool each_fits = true;
  for (int i = 0; i < tune.freeze_size(); ++i) {
    const std::string field = absl::StrCat("fine_tune.freeze[", i, "]");
    const std::string& prefix = tune.freeze(i);
    Net frozen = *net;
    if (const absl::Status status = Freeze({&prefix, 1}, frozen); !status.ok()) {
      check.Violation(field, absl::string_view(status.message()));
      each_fits = false;
    }
    const bool freezes_head = std::any_of(
        head.begin(), head.end(), [&](const std::string& name) { return IsUnder(name, prefix); });
    if (!freezes_head || tune.reuse_head()) continue;
    check.Wrong(field, absl::StrCat("\"", prefix, "\""),
                "layers but the last one, which begins anew and must learn");
    each_fits = false;
  }
  if (!each_fits) return;
  const std::vector<std::string> prefixes(tune.freeze().begin(), tune.freeze().end());
  if (const absl::Status status = Freeze(prefixes, *net); !status.ok()) {
    check.Violation("fine_tune.freeze", absl::string_view(status.message()));
    return;
  }
  CheckRateFactors(check, *net);
}

}  // namespace

void FillFineTune(ConfigFill& fill) {
  v1::TrainingConfig& config = fill.config();
  if (!config.has_fine_tune() || fill.start() == nullptr) return;
  const v1::ModelManifest& start = *fill.start();
  v1::FineTune& tune = *config.mutable_fine_tune();
  if (tune.model().empty()) {
    tune.set_model(start.name());
    fill.Chose("fine_tune.model", tune.model(), "the model given to begin with");
  }
  if (!tune.has_version() && start.version() > 0) {
    tune.set_version(start.version());
    fill.Chose("fine_tune.version", tune.version(), "the newest version");
  }
  const std::string reason = absl::StrCat("that of ", NameOf(start));
  const v1::TrainingConfig& origin = start.training().config();
  if (config.architecture_case() == v1::TrainingConfig::ARCHITECTURE_NOT_SET) {
    const v1::TrainingConfig architecture = ArchitectureOf(origin);
    config.MergeFrom(architecture);
    fill.Chose("architecture", architecture.ShortDebugString(), reason);
  }
  FillInputOf(fill, origin.input(), reason);
  if (!tune.has_reuse_head()) {
    const bool same =
        start.task() == ToProto(fill.data().task) && SameHead(config, fill.data(), start);
    tune.set_reuse_head(same);
    fill.Chose("fine_tune.reuse_head", same ? "true" : "false",
               same ? absl::StrCat("labels and task are those of ", NameOf(start))
                    : absl::StrCat("labels, task or outputs are not those of ", NameOf(start)));
  }
}

void CheckFineTune(ConfigCheck& check) {
  if (!check.config().has_fine_tune() || check.start() == nullptr) return;
  const v1::FineTune& tune = check.config().fine_tune();
  const v1::ModelManifest& start = *check.start();
  if (!start.has_training()) {
    check.Wrong("fine_tune.model", absl::StrCat(NameOf(start), ", which was imported"),
                "a model that was trained here");
    return;
  }
  if (tune.model() != start.name()) {
    check.Wrong("fine_tune.model", absl::StrCat("\"", tune.model(), "\""),
                absl::StrCat("\"", start.name(), "\", the model given to begin with"));
  }
  CheckSameNet(check, start);
  if (tune.reuse_head() && !SameLabels(check.data(), start)) {
    check.Wrong(
        "fine_tune.reuse_head",
        absl::StrCat("true with labels ", absl::StrJoin(LabelsOf(check.data()), ", ")),
        absl::StrCat("the labels of ", NameOf(start), ": ", absl::StrJoin(start.labels(), ", ")));
  }
  CheckLayers(check);
}

}  // namespace fovea
