// Images a second of the engine alone, decoding included: what a service on top of it can reach.
//
//   bench_engine_with_decode NET REQUEST…
//
// REQUEST… are what bench_publish wrote. The pictures in them are decoded, brought to the net's
// size and computed in this process on all cores, by executors × threads of one, in batches; every
// executor's own threads decode for it. Tries the arrangements, keeps the fastest and prints "ready
// BATCH ARRANGEMENT"; then each line on stdin is a number of seconds to work and is answered by
// images a second. One more line, "latency", is answered by the seconds of batch 1, decoding not
// included, on one thread.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "core/backend/backend.h"
#include "core/base/scoped_width.h"
#include "core/base/thread_pool.h"
#include "core/compile/buckets.h"
#include "core/compile/plan_chooser.h"
#include "core/data/preprocess.h"
#include "fovea/v1/classifier.pb.h"
#include "tests/bench/measure.h"
#include "tests/bench/or_die.h"
#include "tests/bench/random_model.h"

namespace fovea::bench {
namespace {

constexpr int kBatches[] = {1, 4, 16}, kTries = 3;
constexpr double kTrySeconds = 0.6;

struct Arrangement {
  int executors = 1;
  int width = 1;
  int batch = 1;

  std::string Name() const { return absl::StrCat(executors, "x", width, "_batch_", batch); }
};

std::vector<std::string> ReadPictures(int count, char** paths) {
  std::vector<std::string> pictures;
  for (int i = 0; i < count; ++i) {
    std::ifstream file(paths[i], std::ios::binary);
    v1::PredictRequest request;
    if (!request.ParseFromIstream(&file) || request.images_size() != 1 ||
        !request.images(0).has_encoded()) {
      OrDie(absl::DataLossError(absl::StrCat("found no request with a picture in ", paths[i])));
    }
    pictures.push_back(request.images(0).encoded());
  }
  return pictures;
}

class Engine {
 public:
  Engine(const std::string& net, std::vector<std::string> pictures)
      : pictures_(std::move(pictures)), model_(RandomModel(net, *OrDie(FindBackend("cpu")))) {
    const v1::Preprocessing& input = model_.manifest.preprocessing();
    shape_ = {static_cast<int>(input.width()), static_cast<int>(input.height()),
              static_cast<int>(input.channels())};
    const int cores = static_cast<int>(std::thread::hardware_concurrency());
    for (const int width : {1, cores}) {
      auto& programs = width == 1 ? narrow_ : wide_;
      BucketPrograms::Options options;
      options.compile.width = width;
      PlanChooser plans({});  // as the server does
      options.plans = &plans;
      const ScopedWidth scoped(width);
      programs = OrDie(BucketPrograms::Create(
          model_.graph, OrDie(MakeWeights(model_, *OrDie(FindBackend("cpu")))), options));
      for (const int batch : kBatches) arrangements_.push_back({cores / width, width, batch});
    }
  }

  Arrangement Fastest() {
    std::vector<std::vector<double>> speeds(arrangements_.size());
    for (int i = 0; i < kTries; ++i) {
      for (size_t each = 0; each < speeds.size(); ++each) {
        speeds[each].push_back(Run(arrangements_[each], kTrySeconds));
      }
    }
    size_t fastest = 0;
    for (size_t each = 0; each < speeds.size(); ++each) {
      if (Median(speeds[each]) > Median(speeds[fastest])) fastest = each;
    }
    return arrangements_[fastest];
  }

  // Images a second, once every executor has run a batch and so has its memory.
  double Run(const Arrangement& arrangement, double seconds) {
    std::atomic<int64_t> images = 0;
    std::atomic<bool> stop = false;
    absl::BlockingCounter warm(arrangement.executors);
    std::vector<std::thread> executors;
    for (int i = 0; i < arrangement.executors; ++i) {
      executors.emplace_back([&] { Execute(arrangement, warm, stop, images); });
    }
    warm.Wait();
    images = 0;
    const double start = Now();
    std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    stop = true;
    for (std::thread& executor : executors) executor.join();
    return static_cast<double>(images) / (Now() - start);
  }

  // Median seconds of batch 1 on one thread, the other cores idle.
  double SecondsOfOne() {
    const ScopedWidth scoped(1);
    const auto executor = OrDie(BucketExecutor::Create(narrow_));
    std::vector<uint8_t> pixels(shape_.bytes());
    std::vector<float> output(static_cast<size_t>(narrow_->row_count()));
    Decode(0, pixels.data());
    const uint8_t* example = pixels.data();
    std::vector<double> seconds;
    OrDie(executor->Run({&example, 1}, output.data()));
    for (int i = 0; i < 21; ++i) {
      const double start = Now();
      OrDie(executor->Run({&example, 1}, output.data()));
      seconds.push_back(Now() - start);
    }
    return Median(seconds);
  }

 private:
  void Decode(int64_t number, uint8_t* pixels) const {
    const std::string& picture = pictures_[static_cast<size_t>(number) % pictures_.size()];
    OrDie(PreprocessEncoded(picture, {}, shape_, pixels));
  }

  void Execute(const Arrangement& arrangement, absl::BlockingCounter& warm,
               const std::atomic<bool>& stop, std::atomic<int64_t>& images) const {
    const ScopedWidth scoped(arrangement.width);
    const auto& programs = arrangement.width == 1 ? narrow_ : wide_;
    const auto executor = OrDie(BucketExecutor::Create(programs));
    std::unique_ptr<ThreadPool> helpers;
    if (arrangement.width > 1) {
      helpers =
          std::make_unique<ThreadPool>(ThreadPool::Options{arrangement.width - 1, 0, "decode"});
    }
    std::vector<uint8_t> pixels(shape_.bytes() * static_cast<size_t>(arrangement.batch));
    std::vector<const uint8_t*> examples;
    for (int i = 0; i < arrangement.batch; ++i) {
      examples.push_back(pixels.data() + shape_.bytes() * static_cast<size_t>(i));
    }
    std::vector<float> output(static_cast<size_t>(programs->row_count() * arrangement.batch));
    const auto decode = [&](int64_t i) {
      Decode(i, pixels.data() + shape_.bytes() * static_cast<size_t>(i));
    };
    for (bool first = true; !stop; first = false) {
      if (helpers == nullptr) {
        for (int i = 0; i < arrangement.batch; ++i) decode(i);
      } else {
        ParallelFor(helpers.get(), arrangement.batch, decode);
      }
      OrDie(executor->Run(examples, output.data()));
      images += arrangement.batch;
      if (first) warm.DecrementCount();
    }
  }

  const std::vector<std::string> pictures_;
  const Model model_;
  PixelShape shape_;
  std::shared_ptr<BucketPrograms> narrow_, wide_;  // width 1, and all cores
  std::vector<Arrangement> arrangements_;
};

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  using namespace fovea::bench;  // NOLINT(google-build-using-namespace)
  if (argc < 3) {
    std::fprintf(stderr, "found no NET REQUEST…\n");
    return 1;
  }
  Engine engine(argv[1], ReadPictures(argc - 2, argv + 2));
  const Arrangement fastest = engine.Fastest();
  std::printf("ready %d %s\n", fastest.batch, fastest.Name().c_str());
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    double seconds = 0;
    const double answer =
        absl::SimpleAtod(line, &seconds) ? engine.Run(fastest, seconds) : engine.SecondsOfOne();
    std::printf("%.6g\n", answer);
    std::fflush(stdout);
  }
}
