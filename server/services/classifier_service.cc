#include "server/services/classifier_service.h"

#include <sys/resource.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/names.h"
#include "core/base/status.h"
#include "core/train/config.h"
#include "fovea/v1/classifier.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/rpc/status_mapping.h"
#include "server/services/dataset_convert.h"
#include "server/services/evaluation.h"
#include "server/services/model_errors.h"
#include "server/services/predict_work.h"
#include "server/services/version_of.h"
#include "server/services/watch_reactor.h"
#include "server/services/work_reactors.h"

namespace fovea {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

// Below serving, above training.
constexpr int kEvaluationNice = 10;

absl::Status AboutDataset(absl::Status status) {
  return absl::IsNotFound(status) ? WithReason(std::move(status), "DATASET_NOT_FOUND") : status;
}

// What PredictStream sends.
struct StreamAnswer {
  using Message = v1::PredictStreamResponse;
  static v1::PredictResponse* Response(const v1::PredictRequest&, Message* message) {
    return message->mutable_response();
  }
  static void SetError(const absl::Status& status, Message* message) {
    const grpc::Status error = ToGrpcStatus(status);
    message->mutable_error()->ParseFromString(error.error_details());
    message->mutable_error()->set_code(error.error_code());
    message->mutable_error()->set_message(error.error_message());
  }
};

class ClassifierService : public v1::Classifier::CallbackService {
 public:
  explicit ClassifierService(const ClassifierServiceOptions& options)
      : options_(options),
        streams_{options.store, options.feed, options.watchers, options.limits.max_watchers},
        predictions_{options.manager, options.predictor, options.metrics->predict, options.limits,
                     options.streams} {}

  grpc::ServerWriteReactor<v1::JobEvent>* Train(CallbackServerContext* context,
                                                const v1::TrainRequest* request) override {
    auto* reactor = new WatchReactor(train_, context, &streams_);  // deletes itself: OnDone
    options_.watchers->Schedule([=, this] {
      if (const absl::Status status = reactor->Admit(); !status.ok()) {
        return reactor->Refuse(status);
      }
      const absl::StatusOr<std::string> job = StartJob(*request);
      if (!job.ok()) return reactor->Refuse(job.status());
      reactor->Begin(*job, 0);
    });
    return reactor;
  }

  ServerUnaryReactor* Predict(CallbackServerContext* context, const v1::PredictRequest* request,
                              v1::PredictResponse* response) override {
    return new WorkReactor<PredictWork>(predict_, context, predictions_, request, response);
  }

  grpc::ServerBidiReactor<v1::PredictRequest, v1::PredictStreamResponse>* PredictStream(
      CallbackServerContext* context) override {
    return WorkStream<PredictWork, StreamAnswer>::Open(predict_stream_, context, predictions_);
  }

  ServerUnaryReactor* Evaluate(CallbackServerContext* context, const v1::EvaluateRequest* request,
                               v1::Report* response) override {
    return AnswerFrom(
        *options_.evaluations, evaluate_, context,
        [=, this](const CancelToken& cancel) { return DoEvaluate(*request, cancel, response); });
  }

 private:
  // The id of the job to watch: a new one, or that of an earlier request with the same id.
  absl::StatusOr<std::string> StartJob(const v1::TrainRequest& request) {
    if (request.request_id().size() > kMaxRequestIdBytes) {
      return InvalidField("request_id",
                          absl::StrCat("found ", request.request_id().size(),
                                       " bytes, expected at most ", kMaxRequestIdBytes));
    }
    ASSIGN_OR_RETURN(const std::optional<v1::Job> earlier,
                     options_.store->FindRequest(request.request_id()));
    if (earlier.has_value()) return earlier->id();
    std::string id;
    RETURN_IF_ERROR(options_.datasets->WhileKept([&]() -> absl::Status {
      ASSIGN_OR_RETURN(v1::Job job, NewJob(request));
      ASSIGN_OR_RETURN(const JobStore::Created created, options_.runner->Submit(std::move(job)));
      id = created.job.id();
      return absl::OkStatus();
    }));
    return id;
  }

  absl::StatusOr<v1::Job> NewJob(const v1::TrainRequest& request) {
    const absl::StatusOr<std::shared_ptr<DatasetStore>> store =
        options_.datasets->Get(request.dataset());
    if (!store.ok()) return AboutDataset(AtField(store.status(), "dataset"));
    const std::string& model = request.model().empty() ? request.dataset() : request.model();
    RETURN_IF_ERROR(AtField(ValidateName("model", model), "model"));
    ASSIGN_OR_RETURN(const DatasetStatistics statistics, (*store)->Statistics());
    std::optional<v1::ModelManifest> start;
    if (request.config().has_fine_tune()) {
      ASSIGN_OR_RETURN(start, StartOf(request.config().fine_tune()));
    }
    std::vector<FieldViolation> violations;
    absl::StatusOr<CompleteConfig> complete =
        Complete(request.config(), statistics, options_.training_budget(), &violations,
                 start.has_value() ? &*start : nullptr);
    if (!violations.empty()) return Violated(violations);
    if (!complete.ok()) return WithReason(complete.status(), "DATASET_NOT_TRAINABLE");

    v1::Job job;
    job.set_request_id(request.request_id());
    job.set_model(model);
    job.set_dataset(request.dataset());
    job.set_dataset_revision(statistics.revision);
    *job.mutable_config() = std::move(complete->config);
    for (v1::Choice& choice : complete->choices) *job.add_choices() = std::move(choice);
    return job;
  }

  // The manifest of the version that a training begins with.
  absl::StatusOr<v1::ModelManifest> StartOf(const v1::FineTune& tune) const {
    if (tune.model().empty()) {
      return InvalidField("config.fine_tune.model", "found none, expected a model's name");
    }
    std::optional<uint64_t> version;
    if (tune.has_version()) version = tune.version();
    absl::StatusOr<v1::ModelManifest> manifest =
        options_.repository->ReadManifest(tune.model(), version);
    if (manifest.ok()) return manifest;
    return AboutModel(AtField(manifest.status(), "config.fine_tune.model"));
  }

  static absl::Status Violated(const std::vector<FieldViolation>& violations) {
    std::vector<std::pair<std::string, std::string>> pairs;
    for (const FieldViolation& each : violations) pairs.emplace_back(each.field, each.description);
    return WithReason(InvalidFields(pairs), "BAD_CONFIG");
  }

  absl::Status DoEvaluate(const v1::EvaluateRequest& request, const CancelToken& cancel,
                          v1::Report* response) {
    // Of this thread of the evaluation pool; what it starts inherits it.
    setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kEvaluationNice);
    if (request.model().empty()) {
      return InvalidField("model", "found none, expected a model's name");
    }
    ASSIGN_OR_RETURN(const std::optional<Split> split, ToSplit(request.split()));
    const absl::StatusOr<std::shared_ptr<DatasetStore>> store =
        options_.datasets->Get(request.dataset());
    if (!store.ok()) return AboutDataset(AtField(store.status(), "dataset"));
    ASSIGN_OR_RETURN(const VersionRef version, VersionOf(request));
    const absl::StatusOr<ModelHandle> model =
        options_.manager->AcquireBlocking(request.model(), version);
    if (!model.ok()) return AboutModel(model.status());
    ASSIGN_OR_RETURN(*response, EvaluateOn(**model, **store, split.value_or(Split::kTest),
                                           options_.evaluation_width, cancel, *options_.metrics));
    return absl::OkStatus();
  }

  const ClassifierServiceOptions options_;
  WatchReactor::Shared streams_;
  const PredictShared predictions_;
  const Method train_{*options_.metrics, "fovea.v1.Classifier/Train"};
  const Method predict_{*options_.metrics, "fovea.v1.Classifier/Predict"};
  const Method predict_stream_{*options_.metrics, "fovea.v1.Classifier/PredictStream"};
  const Method evaluate_{*options_.metrics, "fovea.v1.Classifier/Evaluate"};
};

}  // namespace

std::unique_ptr<grpc::Service> MakeClassifierService(const ClassifierServiceOptions& options) {
  return std::make_unique<ClassifierService>(options);
}

}  // namespace fovea
