#include "server/services/models_service.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status.h"
#include "fovea/v1/models.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/services/model_errors.h"
#include "server/services/paging.h"
#include "server/services/version_of.h"

namespace fovea {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

v1::ModelState ToProto(ModelManager::State state) {
  switch (state) {
    case ModelManager::State::kStored:
      return v1::MODEL_STATE_STORED;
    case ModelManager::State::kLoading:
      return v1::MODEL_STATE_LOADING;
    case ModelManager::State::kServing:
      return v1::MODEL_STATE_SERVING;
    case ModelManager::State::kUnloading:
      return v1::MODEL_STATE_UNLOADING;
    case ModelManager::State::kFailed:
      return v1::MODEL_STATE_FAILED;
  }
  return v1::MODEL_STATE_UNSPECIFIED;
}

// Without what makes a list long.
void Shorten(v1::Model& model) {
  model.clear_layers();
  if (!model.has_report()) return;
  v1::Report* report = model.mutable_report();
  report->clear_labels();
  report->clear_confusion_matrix();
  report->clear_choices();
}

// Where a page begins: after this version of this model.
struct Position {
  std::string model;
  uint64_t version = 0;
};

absl::StatusOr<Position> ParsePosition(const std::string& token) {
  ASSIGN_OR_RETURN(const std::string key, LastKey(token));
  if (key.empty()) return Position();
  const std::pair<std::string, std::string> parts = absl::StrSplit(key, absl::MaxSplits('/', 1));
  Position position{parts.first, 0};
  if (!absl::SimpleAtoi(parts.second, &position.version)) {
    return InvalidField("page_token", "expected the next_page_token of an earlier answer");
  }
  return position;
}

class ModelsService : public v1::Models::CallbackService {
 public:
  explicit ModelsService(ModelsServiceOptions options) : options_(options) {}

  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListModelsRequest* request,
                           v1::ListModelsResponse* response) override {
    return AnswerFrom(*options_.workers, list_, context, [=, this](const CancelToken&) {
      return AboutModel(DoList(*request, response));
    });
  }
  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetModelRequest* request,
                          v1::Model* response) override {
    return AnswerFrom(*options_.workers, get_, context, [=, this](const CancelToken&) {
      return AboutModel(DoGet(*request, response));
    });
  }
  ServerUnaryReactor* Delete(CallbackServerContext* context, const v1::DeleteModelRequest* request,
                             google::protobuf::Empty*) override {
    return AnswerFrom(*options_.workers, delete_, context, [=, this](const CancelToken&) {
      std::optional<uint64_t> version;
      if (request->has_version()) version = request->version();
      return AboutModel(options_.manager->Delete(request->name(), version));
    });
  }
  ServerUnaryReactor* GetServing(CallbackServerContext* context,
                                 const v1::GetServingRequest* request,
                                 v1::Serving* response) override {
    return AnswerFrom(*options_.workers, get_serving_, context, [=, this](const CancelToken&) {
      return Answer(options_.repository->ReadServing(request->name()), response);
    });
  }
  ServerUnaryReactor* UpdateServing(CallbackServerContext* context,
                                    const v1::UpdateServingRequest* request,
                                    v1::Serving* response) override {
    return AnswerFrom(*options_.workers, update_serving_, context, [=, this](const CancelToken&) {
      return Answer(
          options_.manager->ChangeServing(
              request->name(), [=](v1::Serving& serving) { return Change(*request, serving); }),
          response);
    });
  }

 private:
  static absl::Status Answer(absl::StatusOr<v1::Serving> serving, v1::Serving* response) {
    if (!serving.ok()) return AboutModel(serving.status());
    *response = *std::move(serving);
    // What an absent policy means.
    if (response->policy().choice_case() == v1::VersionPolicy::CHOICE_NOT_SET) {
      response->mutable_policy()->set_latest(1);
    }
    return absl::OkStatus();
  }

  static absl::Status Change(const v1::UpdateServingRequest& request, v1::Serving& serving) {
    for (const std::string& alias : request.remove_aliases()) {
      if (request.aliases().contains(alias)) {
        return InvalidField("remove_aliases",
                            absl::StrCat("found \"", alias, "\", expected none of `aliases`"));
      }
      if (serving.mutable_aliases()->erase(alias) == 0) {
        return WithReason(absl::NotFoundError(absl::StrCat("model \"", request.name(),
                                                           "\" has no alias \"", alias, "\"")),
                          "ALIAS_NOT_FOUND");
      }
    }
    for (const auto& [alias, version] : request.aliases()) {
      RETURN_IF_ERROR(AtField(ValidateAlias(alias), "aliases"));
      (*serving.mutable_aliases())[alias] = version;
    }
    if (request.has_policy()) *serving.mutable_policy() = request.policy();
    return absl::OkStatus();
  }

  absl::Status DoGet(const v1::GetModelRequest& request, v1::Model* response) {
    ASSIGN_OR_RETURN(VersionRef ref, VersionOf(request));
    if (!ref.alias.empty()) {
      ASSIGN_OR_RETURN(const v1::Serving serving, options_.repository->ReadServing(request.name()));
      const auto found = serving.aliases().find(ref.alias);
      if (found == serving.aliases().end()) {
        return absl::NotFoundError(
            absl::StrCat("model \"", request.name(), "\" has no alias \"", ref.alias, "\""));
      }
      ref.number = found->second;
    }
    ASSIGN_OR_RETURN(const uint64_t version,
                     options_.repository->Resolve(request.name(), ref.number));
    RETURN_IF_ERROR(Describe(request.name(), version, response));
    const ModelHandle live = options_.manager->Live(request.name(), version);
    if (live == nullptr) return absl::OkStatus();
    for (v1::ServedProgram& program : live->DescribePrograms()) {
      *response->add_programs() = std::move(program);
    }
    return absl::OkStatus();
  }

  absl::Status DoList(const v1::ListModelsRequest& request, v1::ListModelsResponse* response) {
    ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
    ASSIGN_OR_RETURN(const Position last, ParsePosition(request.page_token()));
    std::vector<std::string> names = {request.name()};
    if (request.name().empty()) {
      ASSIGN_OR_RETURN(names, options_.repository->List());
    }
    for (const std::string& name : names) {
      if (name < last.model) continue;
      absl::StatusOr<std::vector<uint64_t>> versions = options_.repository->Versions(name);
      if (absl::IsNotFound(versions.status()) && request.name().empty()) continue;  // deleted
      RETURN_IF_ERROR(versions.status());
      std::reverse(versions->begin(), versions->end());  // the newest first
      for (const uint64_t version : *versions) {
        if (name == last.model && version >= last.version) continue;
        if (response->models_size() == page_size) {
          const v1::Model& end = *response->models().rbegin();
          response->set_next_page_token(PageToken(absl::StrCat(end.name(), "/", end.version())));
          return absl::OkStatus();
        }
        AddToList(name, version, response);
      }
    }
    return absl::OkStatus();
  }

  void AddToList(const std::string& name, uint64_t version, v1::ListModelsResponse* response) {
    v1::Model model;
    const absl::Status status = Describe(name, version, &model);
    if (absl::IsNotFound(status)) return;  // deleted meanwhile
    if (!status.ok()) {
      model.set_name(name);
      model.set_version(version);
      model.set_state(v1::MODEL_STATE_FAILED);
      model.set_state_message(std::string(status.message()));
    }
    Shorten(model);
    *response->add_models() = std::move(model);
  }

  absl::Status Describe(const std::string& name, uint64_t version, v1::Model* response) {
    ASSIGN_OR_RETURN(v1::ModelManifest manifest, options_.repository->ReadManifest(name, version));
    ASSIGN_OR_RETURN(const int64_t bytes, options_.repository->Bytes(name, version));
    const ModelManager::Status status = options_.manager->StateOf(name, version);
    response->set_name(name);
    response->set_version(version);
    response->set_state(ToProto(status.state));
    response->set_state_message(status.message);
    AddAliases(name, version, response);
    response->set_task(manifest.task());
    response->mutable_labels()->Swap(manifest.mutable_labels());
    response->mutable_preprocessing()->Swap(manifest.mutable_preprocessing());
    response->mutable_thresholds()->Swap(manifest.mutable_thresholds());
    response->set_precision(manifest.precision() == v1::SERVED_PRECISION_UNSPECIFIED
                                ? v1::SERVED_PRECISION_FP32
                                : manifest.precision());
    if (manifest.has_open_set()) *response->mutable_open_set() = manifest.open_set();
    for (const v1::Layer& layer : manifest.layers()) {
      response->set_total_parameters(response->total_parameters() + layer.parameters());
      response->set_total_flops(response->total_flops() + layer.flops());
    }
    response->mutable_layers()->Swap(manifest.mutable_layers());
    response->set_bytes(bytes);
    if (manifest.has_training()) response->mutable_training()->Swap(manifest.mutable_training());
    if (manifest.has_report()) response->mutable_report()->Swap(manifest.mutable_report());
    *response->mutable_create_time() = manifest.create_time();
    return absl::OkStatus();
  }

  void AddAliases(const std::string& name, uint64_t version, v1::Model* response) {
    const absl::StatusOr<v1::Serving> serving = options_.repository->ReadServing(name);
    if (!serving.ok()) return;  // GetServing tells
    for (const auto& [alias, target] : serving->aliases()) {
      if (target == version) response->add_aliases(alias);
    }
    std::sort(response->mutable_aliases()->begin(), response->mutable_aliases()->end());
  }

  const ModelsServiceOptions options_;
  const Method list_{*options_.metrics, "fovea.v1.Models/List"};
  const Method get_{*options_.metrics, "fovea.v1.Models/Get"};
  const Method delete_{*options_.metrics, "fovea.v1.Models/Delete"};
  const Method get_serving_{*options_.metrics, "fovea.v1.Models/GetServing"};
  const Method update_serving_{*options_.metrics, "fovea.v1.Models/UpdateServing"};
};

}  // namespace

std::unique_ptr<grpc::Service> MakeModelsService(ModelsServiceOptions options) {
  return std::make_unique<ModelsService>(options);
}

}  // namespace fovea
