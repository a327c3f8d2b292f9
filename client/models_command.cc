// fovea models list | get | delete | serving
#include <memory>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/commands.h"
#include "client/describe.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct ModelOptions {
  std::string name;
  std::string version;                // of get
  std::optional<uint64_t> to_delete;  // a version
  std::optional<uint32_t> latest;     // these are of serving
  bool all = false;
  std::vector<uint64_t> versions;
  std::vector<std::string> aliases;  // NAME=VERSION
  std::vector<std::string> remove_aliases;
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
  RETURN_IF_ERROR(session.client().DeleteModel(options.name, options.to_delete));
  if (!session.json()) {
    session.out() << "deleted " << options.name << " "
                  << (options.to_delete.has_value() ? absl::StrCat("version ", *options.to_delete)
                                                    : "(all versions)")
                  << "\n";
  }
  return kExitOk;
}

absl::StatusOr<v1::UpdateServingRequest> ServingRequest(const ModelOptions& options) {
  v1::UpdateServingRequest request;
  request.set_name(options.name);
  if (options.latest.has_value()) request.mutable_policy()->set_latest(*options.latest);
  if (options.all) request.mutable_policy()->mutable_all();
  for (const uint64_t version : options.versions) {
    request.mutable_policy()->mutable_versions()->add_versions(version);
  }
  for (const std::string& text : options.aliases) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
    uint64_t version = 0;
    if (!absl::SimpleAtoi(parts.second, &version)) {
      return UsageError(
          absl::StrCat("--alias: found \"", text, "\", expected NAME=VERSION, as stable=3"));
    }
    (*request.mutable_aliases())[parts.first] = version;
  }
  request.mutable_remove_aliases()->Assign(options.remove_aliases.begin(),
                                           options.remove_aliases.end());
  return request;
}

absl::StatusOr<int> Serving(const ModelOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::UpdateServingRequest request, ServingRequest(options));
  const bool changes =
      request.has_policy() || !request.aliases().empty() || !request.remove_aliases().empty();
  ASSIGN_OR_RETURN(const v1::Serving serving, changes ? session.client().UpdateServing(request)
                                                      : session.client().GetServing(options.name));
  session.Print(serving, DescribeServing(serving));
  return kExitOk;
}

void AddServing(CLI::App* models, const std::shared_ptr<ModelOptions>& options, Action* action) {
  CLI::App* serving = models->add_subcommand(
      "serving", "Show or change which versions stay loaded, and their aliases");
  serving->add_option("NAME", options->name, "Name of the model")->required();
  auto* latest = serving->add_option("--latest", options->latest, "Keep this many of the newest");
  auto* all = serving->add_flag("--all", options->all, "Keep every version loaded");
  serving->add_option("--versions", options->versions, "Keep these, as 2,5")
      ->delimiter(',')
      ->excludes(latest)
      ->excludes(all);
  latest->excludes(all);
  serving->add_option("--alias", options->aliases, "NAME=VERSION: make an alias or move it");
  serving->add_option("--remove-alias", options->remove_aliases, "Remove an alias");
  serving->callback(
      [=] { *action = [=](Session& session) { return Serving(*options, session); }; });
}

}  // namespace

void AddModels(CLI::App* app, Action* action) {
  CLI::App* models = app->add_subcommand(
      "models", "Look at models, delete them, and say which versions are served");
  models->require_subcommand(1);
  const auto options = std::make_shared<ModelOptions>();
  CLI::App* list = models->add_subcommand("list", "List model versions");
  list->add_option("NAME", options->name, "Only versions of this model");
  list->callback([=] { *action = [=](Session& session) { return List(*options, session); }; });
  CLI::App* get = models->add_subcommand("get", "Show a model's layers, origin and measures");
  get->add_option("NAME", options->name, "Name of the model")->required();
  get->add_option("--version", options->version, "Version or alias; default: the newest");
  get->callback([=] { *action = [=](Session& session) { return Get(*options, session); }; });
  CLI::App* remove = models->add_subcommand("delete", "Delete a version, or all versions");
  remove->add_option("NAME", options->name, "Name of the model")->required();
  remove->add_option("--version", options->to_delete, "Default: all versions");
  remove->callback([=] { *action = [=](Session& session) { return Delete(*options, session); }; });
  AddServing(models, options, action);
}

}  // namespace fovea::cli
