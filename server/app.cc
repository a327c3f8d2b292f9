#include "server/app.h"

#include <grpc/grpc.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "core/backend/backend.h"
#include "core/base/cancel.h"
#include "core/base/cpu_budget.h"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/base/memory_budget.h"
#include "core/base/status.h"
#include "core/base/thread_pool.h"
#include "core/compile/plan_cache.h"
#include "core/compile/plan_chooser.h"
#include "core/model/repository.h"
#include "grpcpp/ext/proto_server_reflection_plugin.h"
#include "grpcpp/grpcpp.h"
#include "grpcpp/health_check_service_interface.h"
#include "grpcpp/impl/service_type.h"
#include "server/data_dir.h"
#include "server/jobs/job_feed.h"
#include "server/jobs/job_runner.h"
#include "server/jobs/job_store.h"
#include "server/rpc/open_streams.h"
#include "server/services/classifier_service.h"
#include "server/services/dataset_registry.h"
#include "server/services/datasets_service.h"
#include "server/services/inference_service.h"
#include "server/services/jobs_service.h"
#include "server/services/models_service.h"
#include "server/serving/decode_queue.h"
#include "server/serving/model_manager.h"
#include "server/serving/predictor.h"
#include "server/serving/repository_poller.h"
#include "server/serving/response_cache.h"
#include "server/telemetry/metrics.h"

namespace fovea {
namespace {

constexpr const char* kServices[] = {"fovea.v1.Classifier", "fovea.v1.Jobs", "fovea.v1.Models",
                                     "fovea.v1.Datasets", "inference.GRPCInferenceService"};
constexpr int kWorkers = 4;
constexpr int kWorkerQueue = 1024;
constexpr int kWatchers = 2;
constexpr int kMaxCallsOfAConnection = 4096;

// The trainer beside this executable, unless one is named.
absl::StatusOr<std::string> FindTrainer(const std::string& named) {
  std::string path = named;
  if (path.empty()) {
    std::error_code error;
    const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
    path = (self.parent_path() / "fovea-trainer").string();
  }
  path = std::filesystem::absolute(path).string();
  if (access(path.c_str(), X_OK) == 0) return path;
  return absl::NotFoundError(
      absl::StrCat("found no executable ", path, ", expected fovea-trainer (--trainer)"));
}

// How serving and training share the cores (DESIGN, decision 15).
struct Cores {
  int serving = 1;    // executors × width, and decode threads
  int executors = 1;  // of one model version
  int training = 1;   // threads of a step
};

Cores ShareCores(const Config& config, const CpuBudget& budget) {
  Cores cores;
  cores.serving = config.threads > 0 ? config.threads : budget.threads();
  cores.executors = std::max(1, cores.serving / config.width);
  // Under a quota SCHED_IDLE does not help: what training burns, serving lacks.
  const bool quota_binds = budget.quota.has_value() && *budget.quota < budget.cores;
  cores.training = quota_binds ? std::max(1, budget.threads() - cores.executors) : budget.cores;
  return cores;
}

// The data root without links, as a path from "/"; empty when there is none.
absl::StatusOr<std::string> FindDataRoot(const std::string& path) {
  if (path.empty()) return path;
  std::error_code error;
  const auto root = std::filesystem::canonical(path, error);
  if (error || !std::filesystem::is_directory(root)) {
    return absl::NotFoundError(
        absl::StrCat("--data-root: found no folder \"", path, "\", expected one"));
  }
  return root.string();
}

std::string WithPort(const std::string& address, int port) {
  return absl::StrCat(address.substr(0, address.rfind(':') + 1), port);
}

class ServerApp : public App {
 public:
  explicit ServerApp(const Config& config) : config_(config) {}
  ~ServerApp() override { Drain(); }

  absl::Status Start();
  int grpc_port() const override { return grpc_port_; }
  int metrics_port() const override { return metrics_port_; }
  void Drain() override;

 private:
  absl::Status OpenState();
  absl::Status MakeServing(const Cores& cores);
  absl::Status MakeJobs(const std::string& trainer);
  void MakeServices(const Cores& cores);
  absl::Status Listen();
  void SetHealth(const std::string& service, bool serving);
  void LetClientsReadTheEnd();
  // Whether every model has been tried, and the server is not draining.
  bool IsReady();
  absl::Status CheckUnused(const std::string& dataset);

  const Config config_;
  std::string data_root_;
  int grpc_port_ = 0, metrics_port_ = 0;

  // In the order of construction; destroyed in the opposite one.
  Metrics metrics_;
  std::unique_ptr<DataDir> data_dir_;
  std::unique_ptr<DatasetRegistry> datasets_;
  std::unique_ptr<JobStore> job_store_;
  JobFeed job_feed_;
  std::unique_ptr<ModelRepository> repository_;
  std::unique_ptr<CpuSlots> slots_;
  std::unique_ptr<DecodeQueue> decoders_;
  std::unique_ptr<ResponseCache> response_cache_;
  CancelToken stop_timing_;
  std::unique_ptr<PlanCache> plan_cache_;
  std::unique_ptr<PlanChooser> plans_;
  std::unique_ptr<ModelManager> models_;
  std::unique_ptr<ThreadPool> workers_, imports_, watchers_, evaluations_;
  std::unique_ptr<Predictor> predictor_;
  std::unique_ptr<RepositoryPoller> poller_;
  std::unique_ptr<JobRunner> runner_;
  OpenStreams streams_;
  std::vector<std::unique_ptr<grpc::Service>> services_;
  std::unique_ptr<grpc::Server> server_;

  absl::Mutex health_mutex_;
  bool listening_ ABSL_GUARDED_BY(health_mutex_) = false;  // the server exists
  bool ready_ ABSL_GUARDED_BY(health_mutex_) = false;      // every model has been tried
  bool draining_ ABSL_GUARDED_BY(health_mutex_) = false;
};

absl::Status ServerApp::Start() {
  RETURN_IF_ERROR(ValidateConfig(config_));
  ASSIGN_OR_RETURN(const std::string trainer, FindTrainer(config_.trainer));
  ASSIGN_OR_RETURN(data_root_, FindDataRoot(config_.data_root));
  const Cores cores = ShareCores(config_, ReadCpuBudget());
  RETURN_IF_ERROR(OpenState());
  RETURN_IF_ERROR(MakeServing(cores));
  RETURN_IF_ERROR(MakeJobs(trainer));
  MakeServices(cores);
  RETURN_IF_ERROR(Listen());
  for (const char* service : kServices) SetHealth(service, true);
  // Ready once every model has been tried; until then requests wait for theirs.
  models_->Start([this] { SetHealth("", true); });
  if (config_.repository_poll > absl::ZeroDuration()) {
    poller_ =
        std::make_unique<RepositoryPoller>(config_.repository_poll, [this] { models_->Look(); });
  }
  runner_->Start();
  LogInfo("server started", {{"grpc", WithPort(config_.listen, grpc_port_)},
                             {"metrics", WithPort(config_.metrics, metrics_port_)},
                             {"data_dir", data_dir_->path()},
                             {"backend", config_.backend},
                             {"executors", cores.executors},
                             {"width", config_.width},
                             {"training_width", cores.training}});
  return absl::OkStatus();
}

absl::Status ServerApp::OpenState() {
  ASSIGN_OR_RETURN(data_dir_, DataDir::Lock(config_.data_dir));
  DatasetStore::Options store;
  store.limits = config_.limits.decode;
  ASSIGN_OR_RETURN(datasets_, DatasetRegistry::Create(data_dir_->Below("datasets"), store));
  ASSIGN_OR_RETURN(job_store_, JobStore::Open(data_dir_->Below("fovea.sqlite"), {}));
  const bool own = config_.models_dir.empty();
  repository_ = std::make_unique<ModelRepository>(
      FileSystem::Real(), own ? data_dir_->Below("models") : config_.models_dir);
  // Of a folder that others share, they may just be writing what would be removed.
  return own ? repository_->CleanUp() : absl::OkStatus();
}

absl::Status ServerApp::MakeServing(const Cores& cores) {
  slots_ = std::make_unique<CpuSlots>(cores.serving);
  decoders_ = std::make_unique<DecodeQueue>(
      DecodeQueue::Options{cores.serving, config_.batch.max_queue, slots_.get()});
  plan_cache_ = std::make_unique<PlanCache>(FileSystem::Real(), data_dir_->Below("plans"));
  PlanChooser::Options plans;
  plans.cache = plan_cache_.get();
  plans.gate = [slots = slots_.get()](int cores, absl::FunctionRef<void()> work) {
    const CpuSlots::Hold hold(*slots, cores);
    work();
  };
  plans.cancel = &stop_timing_;
  plans_ = std::make_unique<PlanChooser>(std::move(plans));
  ModelManager::Options options;
  ASSIGN_OR_RETURN(options.served.backend, FindBackend(config_.backend));
  options.served.policy = config_.batch;
  options.served.executors = cores.executors;
  options.served.width = config_.width;
  options.served.slots = slots_.get();
  options.served.decoders = decoders_.get();
  options.served.plans = plans_.get();
  options.served.metrics = &metrics_;
  if (config_.response_cache_mib > 0) {
    response_cache_ = std::make_unique<ResponseCache>(
        static_cast<size_t>(config_.response_cache_mib) << 20, metrics_.cache_bytes);
  }
  options.served.cache = response_cache_.get();
  options.metrics = &metrics_;
  options.on_health = [this](const std::string& model, bool serving) { SetHealth(model, serving); };
  models_ = std::make_unique<ModelManager>(std::move(options), repository_.get());

  const auto pool = [](int threads, int max_queue, const char* name) {
    return std::make_unique<ThreadPool>(ThreadPool::Options{threads, max_queue, name});
  };
  workers_ = pool(kWorkers, kWorkerQueue, "workers");
  imports_ = pool(std::max(2, cores.serving), 0, "imports");
  watchers_ = pool(kWatchers, 0, "watchers");
  evaluations_ = pool(config_.evaluations, 4 * config_.evaluations, "evaluations");
  predictor_ = std::make_unique<Predictor>(
      Predictor::Options{decoders_.get(), config_.limits.decode, metrics_.predict});
  return absl::OkStatus();
}

absl::Status ServerApp::MakeJobs(const std::string& trainer) {
  JobRunner::Options options;
  options.folder = data_dir_->Below("jobs");
  options.trainer = trainer;
  options.background = config_.idle_trainer;
  options.grace = config_.grace;
  options.dataset_path = [this](const std::string& name) { return datasets_->PathOf(name); };
  options.on_published = [this](const std::string& model, uint64_t version) {
    return models_->Publish(model, version);
  };
  runner_ = std::make_unique<JobRunner>(
      std::move(options), JobRunner::Parts{job_store_.get(), &job_feed_, repository_.get(),
                                           FileSystem::Real(), &metrics_});
  return absl::OkStatus();
}

void ServerApp::MakeServices(const Cores& cores) {
  DatasetsServiceOptions datasets;
  datasets.registry = datasets_.get();
  datasets.metrics = &metrics_;
  datasets.workers = workers_.get();
  datasets.imports = imports_.get();
  datasets.data_root = data_root_;
  datasets.limits = config_.limits;
  datasets.check_unused = [this](const std::string& name) { return CheckUnused(name); };
  services_.push_back(MakeDatasetsService(std::move(datasets)));

  services_.push_back(MakeJobsService({job_store_.get(), &job_feed_, runner_.get(), &metrics_,
                                       workers_.get(), watchers_.get(), config_.limits}));
  services_.push_back(
      MakeModelsService({repository_.get(), models_.get(), &metrics_, workers_.get()}));

  ClassifierServiceOptions classifier;
  classifier.datasets = datasets_.get();
  classifier.store = job_store_.get();
  classifier.feed = &job_feed_;
  classifier.runner = runner_.get();
  classifier.manager = models_.get();
  classifier.repository = repository_.get();
  classifier.predictor = predictor_.get();
  classifier.streams = &streams_;
  classifier.metrics = &metrics_;
  classifier.watchers = watchers_.get();
  classifier.evaluations = evaluations_.get();
  classifier.training_budget = [threads = cores.training] {
    return TrainingBudget(threads, ReadAvailableMemory() / 2);
  };
  classifier.evaluation_width = config_.width;
  classifier.limits = config_.limits;
  services_.push_back(MakeClassifierService(classifier));

  InferenceServiceOptions inference;
  inference.manager = models_.get();
  inference.repository = repository_.get();
  inference.predictor = predictor_.get();
  inference.streams = &streams_;
  inference.workers = workers_.get();
  inference.metrics = &metrics_;
  inference.ready = [this] { return IsReady(); };
  inference.version = FOVEA_VERSION;
  inference.shared_memory_prefix = config_.shared_memory_prefix;
  inference.limits = config_.limits;
  services_.push_back(MakeInferenceService(std::move(inference)));
}

absl::Status ServerApp::Listen() {
  grpc::EnableDefaultHealthCheckService(true);
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  builder.AddListeningPort(config_.listen, grpc::InsecureServerCredentials(), &grpc_port_);
  builder.SetMaxReceiveMessageSize(config_.limits.max_message_bytes);
  builder.SetMaxSendMessageSize(config_.limits.max_message_bytes);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // What a client sends beyond these waits with it, not here.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, kMaxCallsOfAConnection);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);  // finds clients that are gone
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  for (const auto& service : services_) builder.RegisterService(service.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || grpc_port_ == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on \"", config_.listen, "\""));
  }
  ASSIGN_OR_RETURN(metrics_port_, metrics_.Serve(config_.metrics));
  absl::MutexLock lock(&health_mutex_);
  listening_ = true;
  server_->GetHealthCheckService()->SetServingStatus(false);
  return absl::OkStatus();
}

void ServerApp::SetHealth(const std::string& service, bool serving) {
  absl::MutexLock lock(&health_mutex_);
  if (!listening_ || draining_) return;
  if (service.empty()) ready_ = serving;
  server_->GetHealthCheckService()->SetServingStatus(service, serving);
}

bool ServerApp::IsReady() {
  absl::MutexLock lock(&health_mutex_);
  return ready_ && !draining_;
}

absl::Status ServerApp::CheckUnused(const std::string& dataset) {
  ASSIGN_OR_RETURN(const std::optional<std::string> job, job_store_->UserOf(dataset));
  if (!job.has_value()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "data set \"", dataset, "\" is used by unfinished job ", *job, ", expected none"));
}

// A connection that is closed while requests of its client lie unread is reset, and the client may
// then lose the answers and the status that it has not read yet. So the connections stay open until
// the clients have heard that their streams ended, and what they sent meanwhile was read.
void ServerApp::LetClientsReadTheEnd() {
  constexpr absl::Duration kLongestEnd = absl::Seconds(5), kOnTheWay = absl::Milliseconds(250);
  streams_.AwaitEnd(std::min(kLongestEnd, config_.grace));
  absl::SleepFor(std::min(kOnTheWay, config_.grace));
}

void ServerApp::Drain() {
  {
    absl::MutexLock lock(&health_mutex_);
    if (draining_) return;
    draining_ = true;
    if (listening_) server_->GetHealthCheckService()->Shutdown();
  }
  LogInfo("server drains");
  job_feed_.Close();
  const size_t streams = streams_.BeginDrain();
  if (runner_ != nullptr) runner_->BeginStop();
  const auto deadline =
      std::chrono::system_clock::now() + absl::ToChronoMilliseconds(config_.grace);
  if (streams > 0) LetClientsReadTheEnd();
  if (server_ != nullptr) server_->Shutdown(deadline);
  stop_timing_.Cancel();  // nobody waits for these loads any more
  if (runner_ != nullptr) runner_->Stop();
  poller_.reset();
  server_.reset();
  LogInfo("server stopped");
}

}  // namespace

absl::StatusOr<std::unique_ptr<App>> App::Start(const Config& config) {
  auto app = std::make_unique<ServerApp>(config);
  RETURN_IF_ERROR(app->Start());
  return app;
}

}  // namespace fovea
