// fovea datasets preview NAME --out sheet.png …
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/config_override.h"
#include "client/image_source.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct PreviewOptions {
  std::string name;
  std::string out;
  std::string config_path;
  std::vector<std::string> overrides;
  std::string split;
  std::optional<uint32_t> examples;
  std::optional<uint32_t> variants;
};

absl::StatusOr<v1::PreviewDatasetRequest> MakeRequest(const PreviewOptions& options) {
  v1::PreviewDatasetRequest request;
  request.set_dataset(options.name);
  if (!options.config_path.empty()) {
    RETURN_IF_ERROR(ReadTextConfig(options.config_path, request.mutable_config()));
  }
  for (const std::string& assignment : options.overrides) {
    RETURN_IF_ERROR(ApplyOverride(assignment, request.mutable_config()));
  }
  ASSIGN_OR_RETURN(const v1::Split split, ParseSplit(options.split));
  request.set_split(split);
  if (options.examples.has_value()) request.set_examples(*options.examples);
  if (options.variants.has_value()) request.set_variants(*options.variants);
  return request;
}

absl::StatusOr<int> Preview(const PreviewOptions& options, Session& session) {
  const absl::StatusOr<v1::PreviewDatasetRequest> request = MakeRequest(options);
  if (!request.ok()) return UsageError(request.status());
  ASSIGN_OR_RETURN(v1::DatasetPreview preview, session.client().PreviewDataset(*request));
  const absl::Status written = FileSystem::Real()->WriteAtomically(options.out, preview.png());
  if (!written.ok()) return UsageError(written);
  std::string text;
  for (const v1::Choice& choice : preview.choices()) {
    absl::StrAppend(&text, choice.name(), " = ", choice.value(), " (", choice.reason(), ")\n");
  }
  absl::StrAppend(&text, "wrote ", options.out, "\n");
  preview.clear_png();  // it is in the file
  session.Print(preview, text);
  return kExitOk;
}

}  // namespace

void AddPreview(CLI::App* parent, Action* action) {
  CLI::App* app = parent->add_subcommand(
      "preview", "Draw images beside what augmentation makes of them, as one PNG");
  const auto options = std::make_shared<PreviewOptions>();
  app->add_option("NAME", options->name, "Name of the data set")->required();
  app->add_option("--out", options->out, "The PNG file to write")->required();
  app->add_option("--config", options->config_path,
                  "TrainingConfig in protobuf's text format; --set wins over it")
      ->check(CLI::ExistingFile);
  app->add_option(
         "--set", options->overrides,
         "path=value of a TrainingConfig, e.g. augmentation.rotation.degrees=20 or mixup=; "
         "may repeat")
      ->allow_extra_args(false);
  app->add_option("--split", options->split, "train, validation or test; default train")
      ->check(CLI::IsMember({"train", "validation", "test"}));
  app->add_option("--examples", options->examples, "Rows, 1 to 32; default 8");
  app->add_option("--variants", options->variants, "Changed images a row, 0 to 16; default 7");
  app->callback([=] { *action = [=](Session& session) { return Preview(*options, session); }; });
}

}  // namespace fovea::cli
