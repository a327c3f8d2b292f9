#include "client/client.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "client/grpc_status.h"
#include "core/base/cancel.h"
#include "core/base/status.h"
#include "fovea/v1/classifier.grpc.pb.h"
#include "fovea/v1/datasets.grpc.pb.h"
#include "fovea/v1/jobs.grpc.pb.h"
#include "fovea/v1/models.grpc.pb.h"
#include "grpcpp/channel.h"
#include "grpcpp/client_context.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/security/credentials.h"
#include "grpcpp/support/channel_arguments.h"

namespace fovea {
namespace {

constexpr absl::Duration kFirstWait = absl::Milliseconds(250);
constexpr absl::Duration kLongestWait = absl::Seconds(4);

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);           // reports of many labels are large
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);  // a service next door, not the web
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

bool Finished(v1::JobState state) {
  return state == v1::JOB_STATE_SUCCEEDED || state == v1::JOB_STATE_FAILED ||
         state == v1::JOB_STATE_CANCELLED;
}

// How far a job was followed.
struct Followed {
  std::string id;  // empty until the first event
  uint64_t last_event = 0;
  bool stopped = false;  // by the observer
  bool heard = false;    // an event since the last connection
};

}  // namespace

// The channel, its stubs, and the calls under way.
class Client::Connection {
 public:
  Connection(const std::string& address, Options options)
      : address_(address), options_(options), channel_(MakeChannel(address)) {}

  // Makes one unary call.
  template <typename Stub, typename Request, typename Response>
  absl::Status Run(const std::unique_ptr<Stub>& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response* response, absl::Duration timeout);
  // With the call timeout of the options.
  template <typename Stub, typename Request, typename Response>
  absl::Status Run(const std::unique_ptr<Stub>& stub,
                   grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   const Request& request, Response* response) {
    return Run(stub, method, request, response, options_.call_timeout);
  }

  absl::StatusOr<v1::ImportSummary> Import(const v1::ImportHeader& header, NextItem next);
  absl::Status TrainOnce(const v1::TrainRequest& request, Followed* followed,
                         const JobObserver& observer);
  absl::Status WatchOnce(Followed* followed, const JobObserver& observer);
  absl::StatusOr<v1::Job> GetJob(const std::string& id);
  absl::StatusOr<v1::Job> Follow(absl::Status status, Followed followed,
                                 const JobObserver& observer);
  void Cancel();

 private:
  class Call;

  absl::Status Read(grpc::ClientReader<v1::JobEvent>* reader, Call* call, Followed* followed,
                    const JobObserver& observer);

  const std::string address_;
  const Options options_;
  const std::shared_ptr<grpc::Channel> channel_;

 public:
  const std::unique_ptr<v1::Classifier::Stub> classifier = v1::Classifier::NewStub(channel_);
  const std::unique_ptr<v1::Datasets::Stub> datasets = v1::Datasets::NewStub(channel_);
  const std::unique_ptr<v1::Jobs::Stub> jobs = v1::Jobs::NewStub(channel_);
  const std::unique_ptr<v1::Models::Stub> models = v1::Models::NewStub(channel_);

 private:
  CancelToken cancel_;
  absl::Mutex mutex_;
  std::set<grpc::ClientContext*> calls_ ABSL_GUARDED_BY(mutex_);
};

// One call's context, known to the connection while it is under way so that Cancel() reaches it.
class Client::Connection::Call {
 public:
  explicit Call(Connection* connection) : connection_(connection) {
    absl::MutexLock lock(&connection_->mutex_);
    connection_->calls_.insert(&context_);
    if (connection_->cancel_.cancelled()) context_.TryCancel();
  }
  ~Call() {
    absl::MutexLock lock(&connection_->mutex_);
    connection_->calls_.erase(&context_);
  }
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  grpc::ClientContext* context() { return &context_; }

  // The result of the call; a server out of reach is named.
  absl::Status Result(const grpc::Status& status) const {
    const absl::Status result = FromGrpcStatus(status);
    if (!absl::IsUnavailable(result)) return result;
    absl::Status named = absl::UnavailableError(
        absl::StrCat("server at ", connection_->address_, ": ", result.message()));
    result.ForEachPayload([&named](absl::string_view type_url, const absl::Cord& payload) {
      named.SetPayload(type_url, payload);
    });
    return named;
  }

 private:
  Connection* connection_;
  grpc::ClientContext context_;
};

template <typename Stub, typename Request, typename Response>
absl::Status Client::Connection::Run(const std::unique_ptr<Stub>& stub,
                                     grpc::Status (Stub::*method)(grpc::ClientContext*,
                                                                  const Request&, Response*),
                                     const Request& request, Response* response,
                                     absl::Duration timeout) {
  Call call(this);
  if (timeout != absl::InfiniteDuration()) {
    call.context()->set_deadline(absl::ToChronoTime(absl::Now() + timeout));
  }
  return call.Result((stub.get()->*method)(call.context(), request, response));
}

absl::StatusOr<v1::ImportSummary> Client::Connection::Import(const v1::ImportHeader& header,
                                                             NextItem next) {
  Call call(this);
  v1::ImportSummary summary;
  const auto writer = datasets->Import(call.context(), &summary);
  v1::ImportRequest request;
  *request.mutable_header() = header;
  bool writing = writer->Write(request);
  while (writing) {  // a failed Write means that the server has answered already
    absl::StatusOr<std::optional<v1::ImportItem>> item = next();
    if (!item.ok()) {
      call.context()->TryCancel();
      (void)writer->Finish();
      return item.status();
    }
    if (!item->has_value()) break;
    *request.mutable_item() = std::move(**item);
    writing = writer->Write(request);
  }
  if (writing) writer->WritesDone();
  RETURN_IF_ERROR(call.Result(writer->Finish()));
  return summary;
}

absl::Status Client::Connection::Read(grpc::ClientReader<v1::JobEvent>* reader, Call* call,
                                      Followed* followed, const JobObserver& observer) {
  v1::JobEvent event;
  while (reader->Read(&event)) {
    followed->id = event.job_id();
    followed->last_event = event.number();
    followed->heard = true;
    if (!observer.on_event(event)) {
      followed->stopped = true;
      call->context()->TryCancel();
      break;
    }
  }
  const absl::Status status = call->Result(reader->Finish());
  return followed->stopped ? absl::OkStatus() : status;
}

absl::Status Client::Connection::TrainOnce(const v1::TrainRequest& request, Followed* followed,
                                           const JobObserver& observer) {
  Call call(this);
  const auto reader = classifier->Train(call.context(), request);
  return Read(reader.get(), &call, followed, observer);
}

absl::Status Client::Connection::WatchOnce(Followed* followed, const JobObserver& observer) {
  Call call(this);
  v1::WatchJobRequest request;
  request.set_id(followed->id);
  request.set_after_event(followed->last_event);
  const auto reader = jobs->Watch(call.context(), request);
  return Read(reader.get(), &call, followed, observer);
}

absl::StatusOr<v1::Job> Client::Connection::GetJob(const std::string& id) {
  v1::GetJobRequest request;
  request.set_id(id);
  v1::Job job;
  RETURN_IF_ERROR(Run(jobs, &v1::Jobs::Stub::Get, request, &job));
  return job;
}

// Goes on with Watch until the job has finished. `status` is how the stream before ended: OK when
// the server closed it, Unavailable when the connection broke; all else ends the following.
absl::StatusOr<v1::Job> Client::Connection::Follow(absl::Status status, Followed followed,
                                                   const JobObserver& observer) {
  absl::Duration wait = kFirstWait;
  absl::Time give_up = absl::Now() + options_.reconnect_timeout;
  while (true) {
    if (status.ok()) {
      absl::StatusOr<v1::Job> job = GetJob(followed.id);
      if (job.ok() && (followed.stopped || Finished(job->state()))) return job;
      status = job.ok() ? absl::UnavailableError("the stream of events ended early") : job.status();
    }
    if (!absl::IsUnavailable(status) || absl::Now() >= give_up) return status;
    if (observer.on_lost) observer.on_lost(status);
    cancel_.WaitFor(wait);  // when cancelled, the next call says so
    wait = std::min(wait * 2, kLongestWait);
    followed.heard = false;
    status = WatchOnce(&followed, observer);
    if (followed.heard) {
      wait = kFirstWait;
      give_up = absl::Now() + options_.reconnect_timeout;
    }
  }
}

void Client::Connection::Cancel() {
  cancel_.Cancel();
  absl::MutexLock lock(&mutex_);
  for (grpc::ClientContext* call : calls_) call->TryCancel();
}

Client::Client(const std::string& address, Options options)
    : connection_(std::make_unique<Connection>(address, options)) {}
Client::~Client() = default;

absl::StatusOr<v1::Dataset> Client::CreateDataset(const v1::CreateDatasetRequest& request) {
  v1::Dataset dataset;
  RETURN_IF_ERROR(
      connection_->Run(connection_->datasets, &v1::Datasets::Stub::Create, request, &dataset));
  return dataset;
}

absl::StatusOr<v1::Dataset> Client::GetDataset(const std::string& name) {
  v1::GetDatasetRequest request;
  request.set_name(name);
  v1::Dataset dataset;
  RETURN_IF_ERROR(
      connection_->Run(connection_->datasets, &v1::Datasets::Stub::Get, request, &dataset));
  return dataset;
}

absl::StatusOr<std::vector<v1::Dataset>> Client::ListDatasets() {
  std::vector<v1::Dataset> datasets;
  v1::ListDatasetsRequest request;
  do {
    v1::ListDatasetsResponse page;
    RETURN_IF_ERROR(
        connection_->Run(connection_->datasets, &v1::Datasets::Stub::List, request, &page));
    datasets.insert(datasets.end(), page.datasets().begin(), page.datasets().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return datasets;
}

absl::Status Client::DeleteDataset(const std::string& name) {
  v1::DeleteDatasetRequest request;
  request.set_name(name);
  google::protobuf::Empty nothing;
  return connection_->Run(connection_->datasets, &v1::Datasets::Stub::Delete, request, &nothing);
}

absl::StatusOr<v1::ImportSummary> Client::Import(const v1::ImportHeader& header, NextItem next) {
  return connection_->Import(header, next);
}

absl::StatusOr<v1::DatasetPreview> Client::PreviewDataset(
    const v1::PreviewDatasetRequest& request) {
  v1::DatasetPreview preview;
  RETURN_IF_ERROR(
      connection_->Run(connection_->datasets, &v1::Datasets::Stub::Preview, request, &preview));
  return preview;
}

absl::StatusOr<v1::ImportSummary> Client::ImportPath(const v1::ImportPathRequest& request) {
  v1::ImportSummary summary;
  RETURN_IF_ERROR(connection_->Run(connection_->datasets, &v1::Datasets::Stub::ImportPath, request,
                                   &summary, absl::InfiniteDuration()));
  return summary;
}

absl::StatusOr<v1::Job> Client::Train(const v1::TrainRequest& request,
                                      const JobObserver& observer) {
  Followed followed;
  absl::Status status = connection_->TrainOnce(request, &followed, observer);
  if (followed.id.empty()) {
    return status.ok() ? absl::InternalError("Train ended without an event") : status;
  }
  return connection_->Follow(std::move(status), std::move(followed), observer);
}

absl::StatusOr<v1::Job> Client::Watch(const std::string& id, uint64_t after_event,
                                      const JobObserver& observer) {
  Followed followed{.id = id, .last_event = after_event};
  absl::Status status = connection_->WatchOnce(&followed, observer);
  if (!followed.heard && !status.ok()) return status;
  return connection_->Follow(std::move(status), std::move(followed), observer);
}

absl::StatusOr<std::vector<v1::Job>> Client::ListJobs() {
  std::vector<v1::Job> jobs;
  v1::ListJobsRequest request;
  do {
    v1::ListJobsResponse page;
    RETURN_IF_ERROR(connection_->Run(connection_->jobs, &v1::Jobs::Stub::List, request, &page));
    jobs.insert(jobs.end(), page.jobs().begin(), page.jobs().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return jobs;
}

absl::StatusOr<v1::Job> Client::GetJob(const std::string& id) { return connection_->GetJob(id); }

absl::StatusOr<v1::Job> Client::CancelJob(const std::string& id) {
  v1::CancelJobRequest request;
  request.set_id(id);
  v1::Job job;
  RETURN_IF_ERROR(connection_->Run(connection_->jobs, &v1::Jobs::Stub::Cancel, request, &job));
  return job;
}

absl::StatusOr<v1::Job> Client::ResumeJob(const std::string& id) {
  v1::ResumeJobRequest request;
  request.set_id(id);
  v1::Job job;
  RETURN_IF_ERROR(connection_->Run(connection_->jobs, &v1::Jobs::Stub::Resume, request, &job));
  return job;
}

absl::StatusOr<v1::PredictResponse> Client::Predict(const v1::PredictRequest& request) {
  v1::PredictResponse response;
  RETURN_IF_ERROR(connection_->Run(connection_->classifier, &v1::Classifier::Stub::Predict, request,
                                   &response));
  return response;
}

absl::StatusOr<v1::Report> Client::Evaluate(const v1::EvaluateRequest& request) {
  v1::Report report;
  RETURN_IF_ERROR(connection_->Run(connection_->classifier, &v1::Classifier::Stub::Evaluate,
                                   request, &report, absl::InfiniteDuration()));
  return report;
}

absl::StatusOr<std::vector<v1::Model>> Client::ListModels(const std::string& name) {
  std::vector<v1::Model> models;
  v1::ListModelsRequest request;
  request.set_name(name);
  do {
    v1::ListModelsResponse page;
    RETURN_IF_ERROR(connection_->Run(connection_->models, &v1::Models::Stub::List, request, &page));
    models.insert(models.end(), page.models().begin(), page.models().end());
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  return models;
}

absl::StatusOr<v1::Model> Client::GetModel(const std::string& name, const std::string& version) {
  v1::GetModelRequest request;
  request.set_name(name);
  SetVersion(version, &request);
  v1::Model model;
  RETURN_IF_ERROR(connection_->Run(connection_->models, &v1::Models::Stub::Get, request, &model));
  return model;
}

absl::Status Client::DeleteModel(const std::string& name, std::optional<uint64_t> version) {
  v1::DeleteModelRequest request;
  request.set_name(name);
  if (version.has_value()) request.set_version(*version);
  google::protobuf::Empty nothing;
  return connection_->Run(connection_->models, &v1::Models::Stub::Delete, request, &nothing);
}

absl::StatusOr<v1::Serving> Client::GetServing(const std::string& name) {
  v1::GetServingRequest request;
  request.set_name(name);
  v1::Serving serving;
  RETURN_IF_ERROR(
      connection_->Run(connection_->models, &v1::Models::Stub::GetServing, request, &serving));
  return serving;
}

absl::StatusOr<v1::Serving> Client::UpdateServing(const v1::UpdateServingRequest& request) {
  v1::Serving serving;
  RETURN_IF_ERROR(
      connection_->Run(connection_->models, &v1::Models::Stub::UpdateServing, request, &serving));
  return serving;
}

void Client::Cancel() { connection_->Cancel(); }

}  // namespace fovea
