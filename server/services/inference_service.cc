#include "server/services/inference_service.h"

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "inference/inference.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/services/infer_work.h"
#include "server/services/model_errors.h"
#include "server/services/tensors.h"
#include "server/services/work_reactors.h"

namespace fovea {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

constexpr char kName[] = "fovea";

inference::DataType ToDataType(const std::string& datatype) {
  if (datatype == "BYTES") return inference::TYPE_STRING;
  return datatype == "UINT8" ? inference::TYPE_UINT8 : inference::TYPE_FP32;
}

void FillTensor(const TensorSpec& spec,
                inference::ModelMetadataResponse::TensorMetadata* metadata) {
  metadata->set_name(spec.name);
  metadata->set_datatype(spec.datatype);
  metadata->add_shape(-1);
  for (const int64_t dim : spec.shape) metadata->add_shape(dim);
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
        predictions_{options_.manager, options_.predictor, options_.metrics->predict,
                     options_.limits} {}

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
      response->set_name(kName);
      response->set_version(options_.version);
      for (const char* extension : {"classification", "model_configuration"}) {
        response->add_extensions(extension);
      }
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
      response->set_name(model.name());
      for (const uint64_t version : options_.manager->LiveVersions(model.handle->name())) {
        response->add_versions(absl::StrCat(version));
      }
      response->set_platform(kName);
      FillTensor(InputSpec(model), response->add_inputs());
      FillTensor(OutputSpec(model), response->add_outputs());
      const v1::ModelManifest& manifest = model.handle->manifest();
      auto& properties = *response->mutable_properties();
      properties["labels"] = absl::StrJoin(manifest.labels(), ",");
      properties["task"] = v1::Task_Name(manifest.task());
    });
  }

  ServerUnaryReactor* ModelConfig(CallbackServerContext* context,
                                  const inference::ModelConfigRequest* request,
                                  inference::ModelConfigResponse* response) override {
    return AnswerAbout(model_config_, context, *request, [=, this](const TensorModel& model) {
      inference::ModelConfig* config = response->mutable_config();
      config->set_name(model.name());
      config->set_platform(kName);
      config->set_backend(kName);
      config->set_max_batch_size(options_.limits.max_images);
      config->mutable_dynamic_batching();
      const TensorSpec in = InputSpec(model), out = OutputSpec(model);
      inference::ModelInput* input = config->add_input();
      input->set_name(in.name);
      input->set_data_type(ToDataType(in.datatype));
      if (!model.encoded) input->set_format(inference::ModelInput::FORMAT_NHWC);
      input->mutable_dims()->Assign(in.shape.begin(), in.shape.end());
      inference::ModelOutput* output = config->add_output();
      output->set_name(out.name);
      output->set_data_type(ToDataType(out.datatype));
      output->mutable_dims()->Assign(out.shape.begin(), out.shape.end());
    });
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context,
                                 const inference::ModelInferRequest* request,
                                 inference::ModelInferResponse* response) override {
    return new WorkReactor<InferWork>(model_infer_, context, predictions_, request, response);
  }

  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
  ModelStreamInfer(CallbackServerContext* context) override {
    return new WorkStream<InferWork, StreamAnswer>(model_stream_infer_, context, predictions_);
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

  bool IsLive(const std::string& model, std::optional<uint64_t> version) {
    return options_.manager->Live(model, version) != nullptr;
  }

  Method MethodOf(const char* name) {
    return Method(*options_.metrics, absl::StrCat("inference.GRPCInferenceService/", name));
  }

  const InferenceServiceOptions options_;
  const PredictShared predictions_;
  const Method server_live_ = MethodOf("ServerLive");
  const Method server_ready_ = MethodOf("ServerReady");
  const Method server_metadata_ = MethodOf("ServerMetadata");
  const Method model_ready_ = MethodOf("ModelReady");
  const Method model_metadata_ = MethodOf("ModelMetadata");
  const Method model_config_ = MethodOf("ModelConfig");
  const Method model_stream_infer_ = MethodOf("ModelStreamInfer");
  const Method model_infer_ = MethodOf("ModelInfer");
};

}  // namespace

std::unique_ptr<grpc::Service> MakeInferenceService(InferenceServiceOptions options) {
  return std::make_unique<InferenceService>(std::move(options));
}

}  // namespace fovea
