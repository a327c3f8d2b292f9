// What the service adds to the engine's own time: a unary Predict of a tiny model over loopback.
//
//   bench_service [CALLS]             CALLS of each kind, 5000 by default
//
// One run, one process, in turn: the engine alone (one example of raw pixels), and Predict of the
// same example through gRPC. Prints `name=value` lines: percentiles in microseconds, and Predict's
// less the engine's. Client and server share the cores, so this is more than a remote client adds.
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/backend/backend.h"
#include "core/base/file_system.h"
#include "core/base/log.h"
#include "core/compile/buckets.h"
#include "core/model/model.h"
#include "fovea/v1/classifier.grpc.pb.h"
#include "fovea/v1/models.grpc.pb.h"
#include "grpcpp/grpcpp.h"
#include "server/app.h"
#include "tests/bench/or_die.h"
#include "tests/bench/random_model.h"

namespace fovea::bench {
namespace {

constexpr int kSide = 8, kLabels = 10, kBlocks = 5;
constexpr int kMinCalls = 500;  // fewer have no 99th percentile

void CallOrDie(const grpc::Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s\n", status.error_message().c_str());
  std::exit(1);
}

// The times of calls of one kind, in microseconds.
struct Times {
  explicit Times(std::string name) : name(std::move(name)) {}

  void Measure(int calls, const std::function<void()>& call) {
    using Clock = std::chrono::steady_clock;
    for (int i = 0; i < calls; ++i) {
      const Clock::time_point start = Clock::now();
      call();
      values.push_back(std::chrono::duration<double, std::micro>(Clock::now() - start).count());
    }
  }
  double Percentile(double p) {
    std::sort(values.begin(), values.end());
    return values[static_cast<size_t>(p * static_cast<double>(values.size() - 1))];
  }

  std::string name;
  std::vector<double> values;
};

// A folder that is removed at the end.
struct TempFolder {
  TempFolder() {
    if (mkdtemp(path.data()) == nullptr) OrDie(absl::UnavailableError("no temporary folder"));
  }
  ~TempFolder() { FileSystem::Real()->RemoveAll(path).IgnoreError(); }
  std::string path = "/tmp/fovea-bench-XXXXXX";
};

class Bench {
 public:
  explicit Bench(int calls) : calls_(calls), pixels_(kSide * kSide, 128) {
    const Backend& backend = *OrDie(FindBackend("cpu"));
    const Model model = RandomModel("tiny", backend);
    StartEngine(model, backend);
    StartService(model);
  }

  void Run() {
    Times engine("engine"), predict("predict");
    for (int i = 0; i < 200; ++i) Predict();  // warm-up
    for (int block = 0; block < kBlocks; ++block) {
      engine.Measure(calls_ / kBlocks, [this] { RunEngine(); });
      predict.Measure(calls_ / kBlocks, [this] { Predict(); });
    }
    for (const auto& [name, p] : {std::pair("p50", 0.5), std::pair("p99", 0.99)}) {
      for (Times* times : {&engine, &predict}) {
        std::printf("tiny.%s.%s_microseconds=%.1f\n", times->name.c_str(), name,
                    times->Percentile(p));
      }
      std::printf("tiny.service_adds.%s_microseconds=%.1f\n", name,
                  predict.Percentile(p) - engine.Percentile(p));
    }
  }

 private:
  void StartEngine(const Model& model, const Backend& backend) {
    BucketPrograms::Options options;
    options.max_batch = 1;
    options.compile.width = 1;
    executor_ = OrDie(BucketExecutor::Create(
        OrDie(BucketPrograms::Create(model.graph, OrDie(MakeWeights(model, backend)), options))));
  }

  void StartService(const Model& model) {
    PublishModel(folder_, model);
    Config config;
    config.data_dir = folder_;
    config.listen = config.metrics = "127.0.0.1:0";
    config.trainer = "/bin/true";  // nothing is trained here
    OrDie(SetLogLevel("warning"));
    app_ = OrDie(App::Start(config));
    const auto channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(app_->grpc_port()),
                                             grpc::InsecureChannelCredentials());
    classifier_ = v1::Classifier::NewStub(channel);
    request_.set_model("tiny");
    request_.set_top_k(1);
    v1::RawImage& raw = *request_.add_images()->mutable_raw();
    raw.set_width(kSide);
    raw.set_height(kSide);
    raw.set_channels(1);
    raw.set_pixels(std::string(pixels_.begin(), pixels_.end()));
    WaitUntilServed(*v1::Models::NewStub(channel));
  }

  static void WaitUntilServed(v1::Models::Stub& models) {
    v1::GetModelRequest request;
    request.set_name("tiny");
    for (int i = 0; i < 1000; ++i) {
      grpc::ClientContext context;
      v1::Model model;
      CallOrDie(models.Get(&context, request, &model));
      if (model.state() == v1::MODEL_STATE_SERVING) return;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    OrDie(absl::DeadlineExceededError("the model is not served after 10 s"));
  }

  void RunEngine() {
    const uint8_t* example = pixels_.data();
    float probabilities[kLabels];
    OrDie(executor_->Run({&example, 1}, probabilities));
  }

  void Predict() {
    grpc::ClientContext context;
    v1::PredictResponse response;
    CallOrDie(classifier_->Predict(&context, request_, &response));
  }

  const int calls_;
  const std::vector<uint8_t> pixels_;
  TempFolder folder_guard_;
  const std::string folder_ = folder_guard_.path;
  std::unique_ptr<BucketExecutor> executor_;
  std::unique_ptr<App> app_;
  std::unique_ptr<v1::Classifier::Stub> classifier_;
  v1::PredictRequest request_;
};

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  const int calls = argc > 1 ? std::atoi(argv[1]) : 5000;
  fovea::bench::Bench(std::max(calls, fovea::bench::kMinCalls)).Run();
}
