// The engine's speed and memory, as ratios taken in one run. Prints `name=value` lines.
//
//   bench_engine [--steps] [NAME…]    NAME: resnet50, resnet18, resnet20 (all without)
//
// Share of peak: FLOPs of the graph (2 a multiply-add; training counts 3 × forward) over time, over
// what MeasurePeakFlops reaches. Peak and step alternate five times; the median of the ratios
// counts. --steps prints where the time of a step goes, on stderr.
#include <sys/resource.h>

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/cpu/peak.h"
#include "core/base/check.h"
#include "core/base/cpu_budget.h"
#include "core/base/random.h"
#include "core/compile/compile.h"
#include "core/compile/training_graph.h"
#include "core/graph/op_def.h"
#include "core/nets/net.h"
#include "core/runtime/executor.h"
#include "tests/bench/allocations.h"
#include "tests/bench/measure.h"
#include "tests/bench/or_die.h"

namespace fovea::bench {
namespace {

constexpr int kRepeats = 5;

struct Case {
  const char* net;
  int side, labels, batch;
  bool training;

  std::string Name() const {
    return std::string(net) + ".b" + std::to_string(batch) + ".fp32." +
           (training ? "training" : "inference");
  }
};

// A compiled net with its memory and random inputs.
struct Bench {
  explicit Bench(const Case& c) {
    NetOptions options;
    options.name = c.net;
    options.height = options.width = c.side;
    options.channels = 3;
    options.labels = c.labels;
    const Net net = OrDie(BuildNet(options, c.batch));
    flops = GraphFlops(net.graph) * (c.training ? 3 : 1);
    Graph graph = c.training ? Training(net) : OrDie(WithHead(net, Head::kSoftmax));
    weights = OrDie(Weights::Create(CpuBackend(), graph,
                                    {.slots = c.training ? 1 : 0, .gradients = c.training}));
    OrDie(Initialize(net, 1, *weights));
    program = OrDie(Compile(std::move(graph), CpuBackend(), {.training = c.training}));
    executor = OrDie(Executor::Create(program, weights));
    FillInputs();
  }

  static Graph Training(const Net& net) {
    TrainingGraphOptions options;
    options.update = SgdMomentum{0.9f, false, {.weight_decay = 1e-4f}};
    return OrDie(TrainingGraph(net.graph, net.logits, options));
  }

  void FillInputs() {
    Random random(1);
    for (size_t i = 0; i < program->inputs().size(); ++i) {
      const TensorView input = executor->input(static_cast<int>(i));
      const std::string& name = program->inputs()[i].name;
      for (int64_t k = 0; k < input.count(); ++k) {
        if (input.type.dtype == DType::kU8) {
          input.as<uint8_t>()[k] = static_cast<uint8_t>(random.Next());
        } else if (name == "targets") {
          const int64_t labels = input.type.dims[1];
          input.as<float>()[k] = k % labels == k / labels % labels ? 1.0f : 0.0f;
        } else {
          input.as<float>()[k] = name == "learning_rate" ? 1e-3f : 1.0f;
        }
      }
    }
  }

  double Step() {
    FillInputs();  // a run may have reused their memory
    const double start = Now();
    OrDie(executor->Run());
    return Now() - start;
  }

  double flops = 0;
  std::shared_ptr<Weights> weights;
  std::shared_ptr<const Program> program;
  std::unique_ptr<Executor> executor;
};

void ReportShareOfPeak(const std::string& name, Bench& bench) {
  const int width = bench.program->width();
  std::vector<double> shares, seconds;
  for (int repeat = 0; repeat < kRepeats; ++repeat) {
    const double peak = MeasurePeakFlops(width, 0.5);
    std::vector<double> steps;
    double total = 0;
    while (total < 1.0 || steps.size() < 3) total += steps.emplace_back(bench.Step());
    seconds.push_back(Median(steps));
    shares.push_back(bench.flops / seconds.back() / peak);
  }
  Print(name + ".seconds", Median(seconds));
  Print(name + ".share_of_peak", Median(shares));
}

// Seconds of every kernel, and the wall time of the run they were taken in: the fastest of some.
struct Profile {
  explicit Profile(Bench& bench) {
    for (int run = 0; run < kRepeats; ++run) {
      std::vector<double> taken;
      bench.FillInputs();
      const double start = Now();
      OrDie(bench.executor->RunTimed(taken));
      const double elapsed = Now() - start;
      if (run > 0 && elapsed >= wall) continue;
      wall = elapsed;
      seconds = std::move(taken);
    }
  }

  double wall = 0;
  std::vector<double> seconds;
};

void ReportWhereTimeGoes(const std::string& name, Bench& bench) {
  const Profile profile(bench);
  double convolutions = 0, kernels = 0;
  for (size_t i = 0; i < profile.seconds.size(); ++i) {
    kernels += profile.seconds[i];
    if (bench.program->steps()[i].op.starts_with("Conv")) convolutions += profile.seconds[i];
  }
  Print(name + ".convolution_share", convolutions / profile.wall);
  Print(name + ".outside_kernels", 1 - kernels / profile.wall);
}

void PrintSteps(Bench& bench, double peak) {
  const Profile profile(bench);
  std::map<std::string, double> by_op;
  for (size_t i = 0; i < profile.seconds.size(); ++i) {
    const Step& step = bench.program->steps()[i];
    by_op[step.op + " " + step.kernel_name] += profile.seconds[i];
    std::fprintf(stderr, "%8.3f ms %5.2f of peak  %-22s %-32s %s\n", profile.seconds[i] * 1e3,
                 step.flops / profile.seconds[i] / peak, step.op.c_str(), step.kernel_name.c_str(),
                 step.name.c_str());
  }
  std::vector<std::pair<double, std::string>> sorted;
  for (const auto& [op, seconds] : by_op) sorted.emplace_back(seconds, op);
  std::sort(sorted.rbegin(), sorted.rend());
  for (const auto& [seconds, op] : sorted) {
    std::fprintf(stderr, "%8.3f ms %5.1f %%  %s\n", seconds * 1e3, 100 * seconds / profile.wall,
                 op.c_str());
  }
}

void ReportAllocations(const std::string& name, Bench& bench) {
  constexpr int kRuns = 3;
  bench.Step();
  const AllocationCounts before = Allocations();
  for (int run = 0; run < kRuns; ++run) OrDie(bench.executor->Run());
  const AllocationCounts after = Allocations();
  Print(name + ".allocations", static_cast<double>(after.engine - before.engine) / kRuns);
  Print(name + ".allocations_inside_onednn",
        static_cast<double>(after.library - before.library) / kRuns);
  Print(name + ".primitives_created",
        static_cast<double>(after.primitives_created - before.primitives_created));
}

// The process must have done nothing larger before.
void ReportMemory(const std::string& name, Bench& bench) {
  bench.Step();
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const double planned =
      static_cast<double>(bench.program->arena_bytes() + bench.weights->total_bytes());
  constexpr double kMiB = 1 << 20;
  Print(name + ".arena_mib", static_cast<double>(bench.program->arena_bytes()) / kMiB);
  Print(name + ".unshared_mib", static_cast<double>(bench.program->unshared_bytes()) / kMiB);
  Print(name + ".planned_mib", planned / kMiB);
  Print(name + ".process_peak_over_plan", static_cast<double>(usage.ru_maxrss) * 1024 / planned);
}

constexpr Case kCases[] = {
    {"resnet18", 224, 1000, 32, true},
    {"resnet50", 224, 1000, 8, false},
    {"resnet20", 32, 10, 128, true},
};

void Run(const Case& c, bool steps) {
  Bench bench(c);
  const std::string name = c.Name();
  if (std::string(c.net) == "resnet18") ReportMemory(name, bench);
  ReportShareOfPeak(name, bench);
  ReportWhereTimeGoes(name, bench);
  ReportAllocations(name, bench);
  if (steps) PrintSteps(bench, MeasurePeakFlops(bench.program->width(), 0.5));
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  bool steps = false;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--steps") {
      steps = true;
    } else {
      names.push_back(argument);
    }
  }
  for (const fovea::bench::Case& c : fovea::bench::kCases) {
    const bool chosen =
        names.empty() || std::find(names.begin(), names.end(), c.net) != names.end();
    if (chosen) fovea::bench::Run(c, steps);
  }
}
