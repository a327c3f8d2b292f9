#include "server/services/jobs_service.h"

#include <string>
#include <utility>
#include <vector>

#include "core/base/status.h"
#include "fovea/v1/jobs.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/errors.h"
#include "server/services/paging.h"
#include "server/services/watch_reactor.h"

namespace fovea {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;

absl::Status AboutJob(absl::Status status) {
  if (absl::IsNotFound(status)) return WithReason(std::move(status), "JOB_NOT_FOUND");
  if (absl::IsFailedPrecondition(status)) return WithReason(std::move(status), "JOB_STATE");
  return status;
}

class JobsService : public v1::Jobs::CallbackService {
 public:
  explicit JobsService(JobsServiceOptions options)
      : options_(options),
        streams_{options.store, options.feed, options.watchers, options.limits.max_watchers} {}

  ServerUnaryReactor* List(CallbackServerContext* context, const v1::ListJobsRequest* request,
                           v1::ListJobsResponse* response) override {
    return AnswerFrom(*options_.workers, list_, context,
                      [=, this](const CancelToken&) { return DoList(*request, response); });
  }

  ServerUnaryReactor* Get(CallbackServerContext* context, const v1::GetJobRequest* request,
                          v1::Job* response) override {
    return Answer(get_, context, response,
                  [=, this] { return options_.store->Get(request->id()); });
  }

  grpc::ServerWriteReactor<v1::JobEvent>* Watch(CallbackServerContext* context,
                                                const v1::WatchJobRequest* request) override {
    auto* reactor = new WatchReactor(watch_, context, &streams_);  // deletes itself: OnDone
    options_.watchers->Schedule([=, this] {
      absl::Status status = reactor->Admit();
      if (status.ok()) status = AboutJob(options_.store->Get(request->id()).status());
      if (!status.ok()) return reactor->Refuse(status);
      reactor->Begin(request->id(), request->after_event());
    });
    return reactor;
  }

  ServerUnaryReactor* Cancel(CallbackServerContext* context, const v1::CancelJobRequest* request,
                             v1::Job* response) override {
    return Answer(cancel_, context, response,
                  [=, this] { return options_.runner->Cancel(request->id()); });
  }

  ServerUnaryReactor* Resume(CallbackServerContext* context, const v1::ResumeJobRequest* request,
                             v1::Job* response) override {
    return Answer(resume_, context, response,
                  [=, this] { return options_.runner->Resume(request->id()); });
  }

 private:
  template <typename Body>  // absl::StatusOr<v1::Job>()
  ServerUnaryReactor* Answer(const Method& method, CallbackServerContext* context,
                             v1::Job* response, Body body) {
    return AnswerFrom(*options_.workers, method, context,
                      [=, this](const CancelToken&) -> absl::Status {
                        absl::StatusOr<v1::Job> job = body();
                        if (!job.ok()) return AboutJob(job.status());
                        *response = WithProgress(*std::move(job));
                        return absl::OkStatus();
                      });
  }

  absl::Status DoList(const v1::ListJobsRequest& request, v1::ListJobsResponse* response) {
    ASSIGN_OR_RETURN(const int page_size, PageSize(request.page_size()));
    ASSIGN_OR_RETURN(const std::string last, LastKey(request.page_token()));
    ASSIGN_OR_RETURN(std::vector<v1::Job> jobs, options_.store->List(last, page_size + 1));
    const bool more = jobs.size() > static_cast<size_t>(page_size);
    if (more) jobs.resize(page_size);
    for (v1::Job& job : jobs) {
      *response->add_jobs() = WithProgress(std::move(job));
      response->mutable_jobs()->rbegin()->clear_choices();
    }
    if (more) response->set_next_page_token(PageToken(response->jobs().rbegin()->id()));
    return absl::OkStatus();
  }

  v1::Job WithProgress(v1::Job job) const {
    if (const auto latest = options_.feed->Progress(job.id()); latest.has_value()) {
      *job.mutable_progress() = latest->event.progress();
    }
    return job;
  }

  const JobsServiceOptions options_;
  WatchReactor::Shared streams_;
  const Method list_{*options_.metrics, "fovea.v1.Jobs/List"};
  const Method get_{*options_.metrics, "fovea.v1.Jobs/Get"};
  const Method watch_{*options_.metrics, "fovea.v1.Jobs/Watch"};
  const Method cancel_{*options_.metrics, "fovea.v1.Jobs/Cancel"};
  const Method resume_{*options_.metrics, "fovea.v1.Jobs/Resume"};
};

}  // namespace

std::unique_ptr<grpc::Service> MakeJobsService(JobsServiceOptions options) {
  return std::make_unique<JobsService>(options);
}

}  // namespace fovea
