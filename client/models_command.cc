// fovea models list | get | delete
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/describe.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct ModelOptions {
  std::string name;
  std::optional<uint64_t> version;
};

absl::StatusOr<int> List(const ModelOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const std::vector<v1::Model> models, session.client().ListModels(options.name));
  if (session.json()) {
    for (const v1::Model& model : models) session.Print(model, "");
  } else {
    session.out() << DescribeModels(models);
  }
  return kExitOk;
}

absl::StatusOr<int> Get(const ModelOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::Model model, session.client().GetModel(options.name, options.version));
  session.Print(model, DescribeModel(model));
  return kExitOk;
}

absl::StatusOr<int> Delete(const ModelOptions& options, Session& session) {
  RETURN_IF_ERROR(session.client().DeleteModel(options.name, options.version));
  if (!session.json()) {
    session.out() << "deleted " << options.name << " "
                  << (options.version.has_value() ? absl::StrCat("version ", *options.version)
                                                  : "(all versions)")
                  << "\n";
  }
  return kExitOk;
}

}  // namespace

void AddModels(CLI::App* app, Action* action) {
  CLI::App* models = app->add_subcommand("models", "Look at models and delete them");
  models->require_subcommand(1);
  const auto options = std::make_shared<ModelOptions>();
  CLI::App* list = models->add_subcommand("list", "List model versions");
  list->add_option("NAME", options->name, "Only versions of this model");
  list->callback([=] { *action = [=](Session& session) { return List(*options, session); }; });
  CLI::App* get = models->add_subcommand("get", "Show a model's layers, origin and measures");
  get->add_option("NAME", options->name, "Name of the model")->required();
  get->add_option("--version", options->version, "Default: the newest");
  get->callback([=] { *action = [=](Session& session) { return Get(*options, session); }; });
  CLI::App* remove = models->add_subcommand("delete", "Delete a version, or all versions");
  remove->add_option("NAME", options->name, "Name of the model")->required();
  remove->add_option("--version", options->version, "Default: all versions");
  remove->callback([=] { *action = [=](Session& session) { return Delete(*options, session); }; });
}

}  // namespace fovea::cli
