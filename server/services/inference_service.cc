#include "server/services/inference_service.h"

#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "inference/inference.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/services/describe_model.h"
#include "server/services/infer_settings.h"
#include "server/services/infer_work.h"
#include "server/services/model_errors.h"
#include "server/services/shared_memory.h"
#include "server/services/tensors.h"
#include "server/services/work_reactors.h"

namespace fovea {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

const char* StateName(ModelManager::State state) {
  switch (state) {
    case ModelManager::State::kServing:
      return "READY";
    case ModelManager::State::kLoading:
      return "LOADING";
    case ModelManager::State::kUnloading:
      return "UNLOADING";
    case ModelManager::State::kStored:
    case ModelManager::State::kFailed:
      break;
  }
  return "UNAVAILABLE";
}

// What ModelStreamInfer sends.
struct StreamAnswer {
  using Message = inference::ModelStreamInferResponse;
  static inference::ModelInferResponse* Response(const inference::ModelInferRequest& request,
                                                 Message* message) {
    inference::ModelInferResponse* response = message->mutable_infer_response();
    response->set_id(request.id());
    if (request.parameters().contains("triton_enable_empty_final_response")) {
      (*response->mutable_parameters())["triton_final_response"].set_bool_param(true);
    }
    return response;
  }
  static void SetError(const absl::Status& status, Message* message) {
    message->set_error_message(
        absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message()));
  }
};

class InferenceService : public inference::GRPCInferenceService::CallbackService {
 public:
  explicit InferenceService(InferenceServiceOptions options)
      : options_(std::move(options)),
        regions_(options_.shared_memory_prefix),
        predictions_{options_.manager, options_.predictor, options_.metrics->predict,
                     options_.limits,  options_.streams,   &regions_} {}

  ServerUnaryReactor* ServerLive(CallbackServerContext* context,
                                 const inference::ServerLiveRequest*,
                                 inference::ServerLiveResponse* response) override {
    return AnswerAtOnce(server_live_, context, [&] {
      response->set_live(true);
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ServerReady(CallbackServerContext* context,
                                  const inference::ServerReadyRequest*,
                                  inference::ServerReadyResponse* response) override {
    return AnswerAtOnce(server_ready_, context, [&] {
      response->set_ready(options_.ready());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ServerMetadata(CallbackServerContext* context,
                                     const inference::ServerMetadataRequest*,
                                     inference::ServerMetadataResponse* response) override {
    return AnswerAtOnce(server_metadata_, context, [&] {
      response->set_name(kServerName);
      response->set_version(options_.version);
      for (const char* extension :
           {"classification", "logging", "model_configuration", "model_repository", "statistics"}) {
        response->add_extensions(extension);
      }
      if (regions_.enabled()) response->add_extensions("system_shared_memory");
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ModelReady(CallbackServerContext* context,
                                 const inference::ModelReadyRequest* request,
                                 inference::ModelReadyResponse* response) override {
    return AnswerAtOnce(model_ready_, context, [&] {
      const auto version = ParseVersion(request->version());
      if (!version.ok()) return AtField(version.status(), "version");
      const std::optional<std::string> stem = StemOfEncoded(request->name());
      response->set_ready((stem.has_value() && IsLive(*stem, *version)) ||
                          IsLive(request->name(), *version));
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* ModelMetadata(CallbackServerContext* context,
                                    const inference::ModelMetadataRequest* request,
                                    inference::ModelMetadataResponse* response) override {
    return AnswerAbout(model_metadata_, context, *request, [=, this](const TensorModel& model) {
      FillMetadata(model, options_.manager->LiveVersions(model.handle->name()), response);
    });
  }

  ServerUnaryReactor* ModelConfig(CallbackServerContext* context,
                                  const inference::ModelConfigRequest* request,
                                  inference::ModelConfigResponse* response) override {
    return AnswerAbout(model_config_, context, *request, [=, this](const TensorModel& model) {
      FillConfig(model, options_.limits.max_images, response->mutable_config());
    });
  }

  ServerUnaryReactor* ModelStatistics(CallbackServerContext* context,
                                      const inference::ModelStatisticsRequest* request,
                                      inference::ModelStatisticsResponse* response) override {
    return AnswerAtOnce(model_statistics_, context, [&]() -> absl::Status {
      const auto version = ParseVersion(request->version());
      if (!version.ok()) return AtField(version.status(), "version");
      if (request->name().empty()) {
        for (const std::string& name : options_.manager->LiveModels()) {
          AddStatistics(name, name, *version, response);
        }
        return absl::OkStatus();
      }
      const std::optional<std::string> stem = StemOfEncoded(request->name());
      if (stem.has_value()) AddStatistics(*stem, request->name(), *version, response);
      if (response->model_stats().empty()) {
        AddStatistics(request->name(), request->name(), *version, response);
      }
      if (!response->model_stats().empty()) return absl::OkStatus();
      return AboutModel(absl::NotFoundError(
          absl::StrCat("found no version of model \"", request->name(), "\" that is served")));
    });
  }

  ServerUnaryReactor* RepositoryIndex(CallbackServerContext* context,
                                      const inference::RepositoryIndexRequest* request,
                                      inference::RepositoryIndexResponse* response) override {
    return AnswerFrom(*options_.workers, repository_index_, context,
                      [=, this](const CancelToken&) { return ListModels(*request, response); });
  }

  ServerUnaryReactor* RepositoryModelLoad(CallbackServerContext* context,
                                          const inference::RepositoryModelLoadRequest* request,
                                          inference::RepositoryModelLoadResponse*) override {
    return AnswerFrom(*options_.workers, repository_model_load_, context,
                      [=, this](const CancelToken&) { return AboutModel(LoadModel(*request)); });
  }

  ServerUnaryReactor* RepositoryModelUnload(CallbackServerContext* context,
                                            const inference::RepositoryModelUnloadRequest* request,
                                            inference::RepositoryModelUnloadResponse*) override {
    return AnswerFrom(*options_.workers, repository_model_unload_, context,
                      [=, this](const CancelToken&) {
                        return AboutModel(options_.manager->Unload(request->model_name()));
                      });
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context,
                                 const inference::ModelInferRequest* request,
                                 inference::ModelInferResponse* response) override {
    return new WorkReactor<InferWork>(model_infer_, context, predictions_, request, response);
  }

  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
  ModelStreamInfer(CallbackServerContext* context) override {
    return WorkStream<InferWork, StreamAnswer>::Open(model_stream_infer_, context, predictions_);
  }

  ServerUnaryReactor* SystemSharedMemoryStatus(
      CallbackServerContext* context, const inference::SystemSharedMemoryStatusRequest* request,
      inference::SystemSharedMemoryStatusResponse* response) override {
    return AnswerAtOnce(system_shared_memory_status_, context,
                        [&] { return ListRegions(request->name(), response); });
  }

  ServerUnaryReactor* SystemSharedMemoryRegister(
      CallbackServerContext* context, const inference::SystemSharedMemoryRegisterRequest* request,
      inference::SystemSharedMemoryRegisterResponse*) override {
    return AnswerFrom(
        *options_.workers, system_shared_memory_register_, context, [=, this](const CancelToken&) {
          return regions_.Register(
              {request->name(), request->key(), request->offset(), request->byte_size()});
        });
  }

  ServerUnaryReactor* SystemSharedMemoryUnregister(
      CallbackServerContext* context, const inference::SystemSharedMemoryUnregisterRequest* request,
      inference::SystemSharedMemoryUnregisterResponse*) override {
    return AnswerAtOnce(system_shared_memory_unregister_, context, [&] {
      regions_.Unregister(request->name());
      return absl::OkStatus();
    });
  }

  ServerUnaryReactor* CudaSharedMemoryStatus(
      CallbackServerContext* context, const inference::CudaSharedMemoryStatusRequest* request,
      inference::CudaSharedMemoryStatusResponse*) override {
    return AnswerAtOnce(cuda_shared_memory_status_, context, [&] {
      return request->name().empty() ? absl::OkStatus() : NoRegion(request->name());
    });
  }

  ServerUnaryReactor* CudaSharedMemoryRegister(
      CallbackServerContext* context, const inference::CudaSharedMemoryRegisterRequest*,
      inference::CudaSharedMemoryRegisterResponse*) override {
    return AnswerAtOnce(cuda_shared_memory_register_, context, [] {
      return absl::UnimplementedError(
          "found CUDA shared memory, expected system shared memory: this server has no GPU");
    });
  }

  ServerUnaryReactor* CudaSharedMemoryUnregister(
      CallbackServerContext* context, const inference::CudaSharedMemoryUnregisterRequest*,
      inference::CudaSharedMemoryUnregisterResponse*) override {
    return AnswerAtOnce(cuda_shared_memory_unregister_, context, [] { return absl::OkStatus(); });
  }

  ServerUnaryReactor* TraceSetting(CallbackServerContext* context,
                                   const inference::TraceSettingRequest* request,
                                   inference::TraceSettingResponse* response) override {
    return AnswerFrom(*options_.workers, trace_setting_, context, [=, this](const CancelToken&) {
      RETURN_IF_ERROR(CheckModel(request->model_name()));
      return AnswerTraceSettings(*request, response);
    });
  }

  ServerUnaryReactor* LogSettings(CallbackServerContext* context,
                                  const inference::LogSettingsRequest* request,
                                  inference::LogSettingsResponse* response) override {
    return AnswerAtOnce(log_settings_, context,
                        [&] { return log_level_settings_.Answer(*request, response); });
  }

 private:
  template <typename Fill>
  static ServerUnaryReactor* AnswerAtOnce(const Method& method, CallbackServerContext* context,
                                          const Fill& fill) {
    const Call call(method, context);
    ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(call.End(fill()));
    return reactor;
  }

  // Answers with what fill(model) writes about the model that the request names, once it is loaded.
  template <typename Request, typename Fill>
  ServerUnaryReactor* AnswerAbout(const Method& method, CallbackServerContext* context,
                                  const Request& request, Fill fill) {
    const Call call(method, context);
    ServerUnaryReactor* reactor = context->DefaultReactor();
    const auto version = ParseVersion(request.version());
    if (!version.ok()) {
      reactor->Finish(call.End(AtField(version.status(), "version")));
      return reactor;
    }
    AcquireTensorModel(*options_.manager, request.name(), *version,
                       [call, reactor, fill](const absl::StatusOr<TensorModel>& model) {
                         if (model.ok()) fill(*model);
                         reactor->Finish(call.End(AboutModel(model.status())));
                       });
    return reactor;
  }

  // Of the live versions of `model`, called `name`.
  void AddStatistics(const std::string& model, const std::string& name, const VersionRef& version,
                     inference::ModelStatisticsResponse* response) {
    std::vector<ModelHandle> handles;
    if (version.number.has_value() || !version.alias.empty()) {
      handles.push_back(options_.manager->Live(model, version));
    } else {
      for (const uint64_t live : options_.manager->LiveVersions(model)) {
        handles.push_back(options_.manager->Live(model, live));
      }
    }
    for (const ModelHandle& handle : handles) {
      if (handle == nullptr) continue;  // not loaded, or no longer
      FillStatistics(handle->statistics(), response->add_model_stats());
      response->mutable_model_stats()->rbegin()->set_name(name);
      response->mutable_model_stats()->rbegin()->set_version(absl::StrCat(handle->version()));
    }
  }

  absl::Status LoadModel(const inference::RepositoryModelLoadRequest& request) {
    for (const auto& [name, value] : request.parameters()) {
      if (name != "config" && !absl::StartsWith(name, "file:")) continue;
      return absl::UnimplementedError(absl::StrCat(
          "parameters: found \"", name, "\", expected none: models come from the repository"));
    }
    return options_.manager->Load(request.model_name());
  }

  absl::Status ListModels(const inference::RepositoryIndexRequest& request,
                          inference::RepositoryIndexResponse* response) {
    ASSIGN_OR_RETURN(const std::vector<std::string> names, options_.repository->List());
    for (const std::string& name : names) {
      const absl::StatusOr<std::vector<uint64_t>> versions = options_.repository->Versions(name);
      if (absl::IsNotFound(versions.status())) continue;  // deleted meanwhile
      RETURN_IF_ERROR(versions.status());
      for (const uint64_t version : *versions) {
        const ModelManager::Status status = options_.manager->StateOf(name, version);
        if (request.ready() && status.state != ModelManager::State::kServing) continue;
        auto* model = response->add_models();
        model->set_name(name);
        model->set_version(absl::StrCat(version));
        model->set_state(StateName(status.state));
        model->set_reason(status.message);
      }
    }
    return absl::OkStatus();
  }

  absl::Status ListRegions(const std::string& name,
                           inference::SystemSharedMemoryStatusResponse* response) const {
    for (const RegionSpec& spec : regions_.List()) {
      if (!name.empty() && spec.name != name) continue;
      auto& region = (*response->mutable_regions())[spec.name];
      region.set_name(spec.name);
      region.set_key(spec.key);
      region.set_offset(spec.offset);
      region.set_byte_size(spec.byte_size);
    }
    return name.empty() || !response->regions().empty() ? absl::OkStatus() : NoRegion(name);
  }

  static absl::Status NoRegion(const std::string& name) {
    return absl::NotFoundError(
        absl::StrCat("found no region \"", name, "\", expected one that is registered"));
  }

  // NotFound when the repository has no model of the name, or of its stem; "" is all models.
  absl::Status CheckModel(const std::string& name) const {
    if (name.empty()) return absl::OkStatus();
    const std::optional<std::string> stem = StemOfEncoded(name);
    if (stem.has_value() && options_.repository->Versions(*stem).ok()) return absl::OkStatus();
    return AboutModel(options_.repository->Versions(name).status());
  }

  bool IsLive(const std::string& model, const VersionRef& version) {
    return options_.manager->Live(model, version) != nullptr;
  }

  Method MethodOf(const char* name) {
    return Method(*options_.metrics, absl::StrCat("inference.GRPCInferenceService/", name));
  }

  const InferenceServiceOptions options_;
  SharedMemoryRegions regions_;
  const PredictShared predictions_;
  const Method server_live_ = MethodOf("ServerLive");
  const Method server_ready_ = MethodOf("ServerReady");
  const Method server_metadata_ = MethodOf("ServerMetadata");
  const Method model_ready_ = MethodOf("ModelReady");
  const Method model_metadata_ = MethodOf("ModelMetadata");
  const Method model_config_ = MethodOf("ModelConfig");
  const Method model_stream_infer_ = MethodOf("ModelStreamInfer");
  const Method model_statistics_ = MethodOf("ModelStatistics");
  const Method repository_index_ = MethodOf("RepositoryIndex");
  const Method repository_model_load_ = MethodOf("RepositoryModelLoad");
  const Method repository_model_unload_ = MethodOf("RepositoryModelUnload");
  const Method model_infer_ = MethodOf("ModelInfer");
  const Method system_shared_memory_status_ = MethodOf("SystemSharedMemoryStatus");
  const Method system_shared_memory_register_ = MethodOf("SystemSharedMemoryRegister");
  const Method system_shared_memory_unregister_ = MethodOf("SystemSharedMemoryUnregister");
  const Method cuda_shared_memory_status_ = MethodOf("CudaSharedMemoryStatus");
  const Method cuda_shared_memory_register_ = MethodOf("CudaSharedMemoryRegister");
  const Method cuda_shared_memory_unregister_ = MethodOf("CudaSharedMemoryUnregister");
  const Method trace_setting_ = MethodOf("TraceSetting");
  const Method log_settings_ = MethodOf("LogSettings");
  LogLevelSettings log_level_settings_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeInferenceService(InferenceServiceOptions options) {
  return std::make_unique<InferenceService>(std::move(options));
}

}  // namespace fovea
