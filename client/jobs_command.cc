// fovea jobs list | get | watch | cancel | resume
#include <memory>

#include "absl/strings/str_cat.h"
#include "client/commands.h"
#include "client/describe.h"
#include "client/job_view.h"
#include "core/base/status.h"

namespace fovea::cli {
namespace {

struct JobOptions {
  std::string id;
  uint64_t after = 0;
};

absl::StatusOr<int> List(Session& session) {
  ASSIGN_OR_RETURN(const std::vector<v1::Job> jobs, session.client().ListJobs());
  if (session.json()) {
    for (const v1::Job& job : jobs) session.Print(job, "");
  } else {
    session.out() << DescribeJobs(jobs);
  }
  return kExitOk;
}

absl::StatusOr<int> Get(const JobOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::Job job, session.client().GetJob(options.id));
  session.Print(job, DescribeJob(job));
  return kExitOk;
}

absl::StatusOr<int> Watch(const JobOptions& options, Session& session) {
  JobView view(&session);
  const JobObserver observer = {
      .on_event =
          [&](const v1::JobEvent& event) {
            view.Show(event);
            return true;
          },
      .on_lost = [&](const absl::Status& status) { view.ShowLost(status); }};
  const absl::StatusOr<v1::Job> job = session.client().Watch(options.id, options.after, observer);
  if (!job.ok()) {
    view.Clear();
    return job.status();
  }
  view.ShowEnd(*job);
  return ExitCodeOf(*job);
}

absl::StatusOr<int> Cancel(const JobOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::Job job, session.client().CancelJob(options.id));
  session.Print(job,
                absl::StrCat("asked job ", job.id(), " to stop (", StateName(job.state()), ")\n"));
  return kExitOk;
}

absl::StatusOr<int> Resume(const JobOptions& options, Session& session) {
  ASSIGN_OR_RETURN(const v1::Job job, session.client().ResumeJob(options.id));
  session.Print(job, absl::StrCat("job ", job.id(), " ", StateName(job.state()), "\n"));
  return kExitOk;
}

using Verb = absl::StatusOr<int> (*)(const JobOptions&, Session&);

CLI::App* AddVerb(CLI::App* jobs, const char* name, const char* help, Verb verb,
                  const std::shared_ptr<JobOptions>& options, Action* action) {
  CLI::App* app = jobs->add_subcommand(name, help);
  app->add_option("JOB", options->id, "Id of the job")->required();
  app->callback([=] { *action = [=](Session& session) { return verb(*options, session); }; });
  return app;
}

}  // namespace

void AddJobs(CLI::App* app, Action* action) {
  CLI::App* jobs = app->add_subcommand("jobs", "Look at training jobs, stop and resume them");
  jobs->require_subcommand(1);
  jobs->add_subcommand("list", "List jobs, the newest first")->callback([=] { *action = List; });
  const auto options = std::make_shared<JobOptions>();
  AddVerb(jobs, "get", "Show a job with its whole configuration", Get, options, action);
  AddVerb(jobs, "watch", "Follow a job to its end", Watch, options, action)
      ->add_option("--after", options->after, "Only events after this number");
  AddVerb(jobs, "cancel", "Stop a job; its checkpoint is kept", Cancel, options, action);
  AddVerb(jobs, "resume", "Queue a failed or cancelled job again", Resume, options, action);
}

}  // namespace fovea::cli
