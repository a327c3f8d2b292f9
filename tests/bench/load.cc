// Load for a service: unary calls over one connection, from one thread. Prints `name=value` lines.
//
//   bench_load --target HOST:PORT [--method /fovea.v1.Classifier/Predict]
//              (--outstanding N | --rate R [--even]) [--seconds S] [--warmup S] [--check] REQUEST…
//
// REQUEST… are files, each a serialised request; they take turns. --outstanding is a closed loop of
// N calls: the next begins when one ends. --rate is an open loop of R calls a second with
// exponential gaps (a Poisson process), or with --even equal ones; a call's latency counts from the
// moment it was due, so that a late generator or a stalled service is not left out. The first
// --warmup seconds are not counted.
//   requests_per_second, p50_ms, p99_ms   of the answers
//   refused      ended by the service with ResourceExhausted, Unavailable or DeadlineExceeded
//   failed       with another error
//   unanswered   still open kPatience seconds after the last began
//   cpu_share    that this process took of all cores
// --check asks for each request once before the load, and compares: each answer's best label with
// the first answer's; `wrong` counts those that differ.
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "fovea/v1/classifier.pb.h"
#include "grpcpp/generic/generic_stub.h"
#include "grpcpp/grpcpp.h"
#include "tests/bench/measure.h"
#include "tests/bench/or_die.h"

namespace fovea::bench {
namespace {

constexpr double kPatience = 120;    // seconds
constexpr double kTolerance = 1e-3;  // of a probability: batches of different sizes round otherwise

struct Options {
  std::string target, method = "/fovea.v1.Classifier/Predict";
  int outstanding = 0;
  double rate = 0;
  bool even = false;
  double seconds = 3, warmup = 0.5;
  bool check = false;
  std::vector<std::string> requests;
};

struct Best {
  uint32_t index = 0;
  float probability = 0;

  bool operator==(const Best& other) const {
    return index == other.index &&
           std::abs(probability - other.probability) <= kTolerance * other.probability;
  }
};

absl::StatusOr<Best> BestLabel(const grpc::ByteBuffer& bytes) {
  v1::PredictResponse response;
  grpc::Slice slice;
  if (!bytes.DumpToSingleSlice(&slice).ok() ||
      !response.ParseFromArray(slice.begin(), static_cast<int>(slice.size())) ||
      response.predictions_size() != 1 || response.predictions(0).labels_size() == 0) {
    return absl::DataLossError("found an answer without a label");
  }
  const v1::ScoredLabel& best = response.predictions(0).labels(0);
  return Best{best.index(), best.probability()};
}

grpc::ByteBuffer ReadRequest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  if (bytes.empty()) OrDie(absl::NotFoundError(absl::StrCat("cannot read ", path)));
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

double CpuSeconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

class Load {
 public:
  explicit Load(Options options)
      : options_(std::move(options)),
        stub_(grpc::CreateCustomChannel(options_.target, grpc::InsecureChannelCredentials(),
                                        Unlimited())) {
    for (const std::string& path : options_.requests) requests_.push_back(ReadRequest(path));
  }

  void Run() {
    if (options_.check) LearnAnswers();
    const double start = Now();
    begin_ = start + options_.warmup;
    end_ = begin_ + options_.seconds;
    if (options_.rate > 0) {
      RunOpen(start);
    } else {
      RunClosed();
    }
    const double taken = Now() - begin_;
    const double cores = std::thread::hardware_concurrency();
    const double cpu_share = (CpuSeconds() - cpu_at_begin_) / taken / cores;
    WaitForTheRest();
    Report(cpu_share);
  }

 private:
  struct Call {
    grpc::ClientContext context;
    grpc::ByteBuffer response;
    grpc::Status status;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
    double due = 0;
    size_t request = 0;
  };

  static grpc::ChannelArguments Unlimited() {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    return arguments;
  }

  void Start(double due) {
    auto* call = new Call;  // ends in Take
    call->due = due;
    call->request = next_request_++ % requests_.size();
    call->reader =
        stub_.PrepareUnaryCall(&call->context, options_.method, requests_[call->request], &queue_);
    call->reader->StartCall();
    call->reader->Finish(&call->response, &call->status, call);
    ++open_;
  }

  // What came of a call; counted when it ended within the measured time.
  std::unique_ptr<Call> Take(void* tag) {
    std::unique_ptr<Call> call(static_cast<Call*>(tag));
    --open_;
    return call;
  }

  void Count(Call& call) {
    const double now = Now();
    if (now < begin_) return;
    if (cpu_at_begin_ == 0) cpu_at_begin_ = CpuSeconds();
    switch (call.status.error_code()) {
      case grpc::StatusCode::OK:
        if (now <= end_) {
          ++answered_in_time_;
          latencies_.push_back((now - call.due) * 1e3);
        }
        if (options_.check) Check(call);
        return;
      case grpc::StatusCode::RESOURCE_EXHAUSTED:
      case grpc::StatusCode::UNAVAILABLE:
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        ++refused_;
        return;
      default:
        ++failed_;
        std::fprintf(stderr, "%s\n", call.status.error_message().c_str());
    }
  }

  void Check(Call& call) {
    const auto best = BestLabel(call.response);
    if (!best.ok() || !(*best == answers_[call.request])) ++wrong_;
  }

  void LearnAnswers() {
    for (size_t i = 0; i < requests_.size(); ++i) {
      Start(Now());
      const std::unique_ptr<Call> call = Next();
      if (!call->status.ok()) OrDie(absl::UnavailableError(call->status.error_message()));
      answers_.push_back(OrDie(BestLabel(call->response)));
      for (size_t other = 0; other < i; ++other) {
        if (!(answers_[other] == answers_[i])) continue;
        OrDie(absl::InvalidArgumentError(
            absl::StrCat("requests ", other, " and ", i, " have the same answer: no check")));
      }
    }
    next_request_ = 0;
  }

  std::unique_ptr<Call> Next() {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    return Take(tag);
  }

  void RunClosed() {
    for (int i = 0; i < options_.outstanding; ++i) Start(Now());
    while (Now() < end_) {
      const std::unique_ptr<Call> call = Next();
      Count(*call);
      Start(Now());
    }
  }

  void RunOpen(double start) {
    std::mt19937_64 random(1);
    std::exponential_distribution<double> exponential(options_.rate);
    const auto gap = [&] { return options_.even ? 1 / options_.rate : exponential(random); };
    double due = start;
    while (due < end_) {
      for (; due <= Now(); due += gap()) Start(due);
      void* tag = nullptr;
      bool ok = false;
      const auto wait = std::chrono::duration<double>(due - Now());
      const auto until = std::chrono::system_clock::now() +
                         std::chrono::duration_cast<std::chrono::system_clock::duration>(wait);
      if (queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) {
        Count(*Take(tag));
      }
    }
  }

  void WaitForTheRest() {
    const auto until =
        std::chrono::system_clock::now() + std::chrono::seconds(static_cast<int>(kPatience));
    void* tag = nullptr;
    bool ok = false;
    while (open_ > 0 && queue_.AsyncNext(&tag, &ok, until) == grpc::CompletionQueue::GOT_EVENT) {
      Count(*Take(tag));
    }
  }

  void Report(double cpu_share) {
    Print("requests_per_second", static_cast<double>(answered_in_time_) / options_.seconds);
    if (!latencies_.empty()) {
      std::sort(latencies_.begin(), latencies_.end());
      for (const auto& [name, p] : {std::pair("p50_ms", 0.5), std::pair("p99_ms", 0.99)}) {
        Print(name,
              latencies_[static_cast<size_t>(p * static_cast<double>(latencies_.size() - 1))]);
      }
    }
    Print("refused", static_cast<double>(refused_));
    Print("failed", static_cast<double>(failed_));
    Print("unanswered", static_cast<double>(open_));
    if (options_.check) Print("wrong", static_cast<double>(wrong_));
    Print("cpu_share", cpu_share);
  }

  const Options options_;
  grpc::TemplatedGenericStub<grpc::ByteBuffer, grpc::ByteBuffer> stub_;
  grpc::CompletionQueue queue_;
  std::vector<grpc::ByteBuffer> requests_;
  std::vector<Best> answers_;  // of requests_
  size_t next_request_ = 0;
  double begin_ = 0, end_ = 0;  // of what is counted
  double cpu_at_begin_ = 0;
  std::vector<double> latencies_;  // ms
  int64_t answered_in_time_ = 0, refused_ = 0, failed_ = 0, wrong_ = 0, open_ = 0;
};

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  fovea::bench::Options options;
  CLI::App app("Load for a service", "bench_load");
  app.add_option("--target", options.target)->required();
  app.add_option("--method", options.method)->capture_default_str();
  app.add_option("--outstanding", options.outstanding);
  app.add_option("--rate", options.rate, "Calls a second");
  app.add_flag("--even", options.even, "Equal gaps between them");
  app.add_option("--seconds", options.seconds)->capture_default_str();
  app.add_option("--warmup", options.warmup, "Seconds")->capture_default_str();
  app.add_flag("--check", options.check);
  app.add_option("requests", options.requests, "Files")->required();
  CLI11_PARSE(app, argc, argv);
  if ((options.outstanding > 0) == (options.rate > 0)) {
    std::fprintf(stderr, "found both or none of --outstanding and --rate, expected one\n");
    return 1;
  }
  fovea::bench::Load(std::move(options)).Run();
  std::fflush(stdout);
  std::_Exit(0);  // calls that nobody answered keep the queue open
}
