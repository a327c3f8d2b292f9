// Images a second of a training step, by precision and layout plan. Prints `name=value` lines.
//
//   bench_training_speed [--seconds S] [--steps] [--serve-step VARIANT] [NET:SIDE:CHANNELS:BATCH…]
//
// Without cases: resnet8:28:1:128 resnet20:32:3:128 resnet18:224:3:32, with ten labels. A step is
// what the trainer does with a decoded batch: write the inputs, forward, loss, gradients, update by
// SGD with momentum, read the loss. The variants of a case take turns, at least S seconds (default
// 3) and five rounds each; medians count, and so do ratios taken round by round.
//   resnet8_28x28x1_b128.fp32_blocked_winograd.images_per_second
//   resnet8_28x28x1_b128.fp32_blocked_winograd.over_fp32_blocked
// --steps prints where the time of a step goes, on stderr. tests/bench/torch_training.py prints the
// same of PyTorch. With --serve-step VARIANT only that variant of the first case is kept, and each
// line on stdin runs one step and answers its seconds, so that another process can take turns
// (tests/bench/training/speed.py).
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/backend/cpu/cpu_backend.h"
#include "core/base/random.h"
#include "core/compile/compile.h"
#include "core/compile/training_graph.h"
#include "core/nets/net.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"
#include "tests/bench/measure.h"
#include "tests/bench/or_die.h"
#include "tests/bench/turns.h"

namespace fovea::bench {
namespace {

constexpr int kLabels = 10, kProfileRuns = 20;

struct Case {
  std::string net;
  int side = 0, channels = 0, batch = 0;

  std::string Name() const {
    return absl::StrCat(net, "_", side, "x", side, "x", channels, "_b", batch);
  }
};

struct Variant {
  const char* name;
  DType compute_type;
  LayoutPlan plan;
};
constexpr Variant kVariants[] = {
    {"fp32_blocked", DType::kF32, LayoutPlan::kBlocked},
    {"fp32_blocked_winograd", DType::kF32, LayoutPlan::kBlockedWinograd},
    {"bf16_blocked", DType::kBF16, LayoutPlan::kBlocked},
    {"bf16_blocked_winograd", DType::kBF16, LayoutPlan::kBlockedWinograd},
};

// One compiled training step with random inputs.
class Step {
 public:
  static absl::StatusOr<std::unique_ptr<Step>> Create(const Case& c, const Variant& variant) {
    NetOptions options;
    options.name = c.net;
    options.height = options.width = c.side;
    options.channels = c.channels;
    options.labels = kLabels;
    const Net net = OrDie(BuildNet(options, c.batch));
    TrainingGraphOptions training;
    training.update = SgdMomentum{0.9f, false, {.weight_decay = 5e-4f}};
    Graph graph = OrDie(TrainingGraph(net.graph, net.logits, training));
    std::unique_ptr<Step> step(new Step);
    step->weights_ = OrDie(Weights::Create(CpuBackend(), graph, {.slots = 1, .gradients = true}));
    OrDie(Initialize(net, 1, *step->weights_));
    CompileOptions compile;
    compile.training = true;
    compile.layout_plan = variant.plan;
    compile.compute_type = variant.compute_type;
    auto program = Compile(std::move(graph), CpuBackend(), compile);
    if (!program.ok()) return program.status();
    step->executor_ = OrDie(Executor::Create(*program, step->weights_));
    step->MakeInputs(c);
    return step;
  }

  // Seconds of one step.
  double Run() {
    const double start = Now();
    WriteInputs();
    OrDie(executor_->Run());
    OrDie(executor_->GetOutput("loss", loss_));
    return Now() - start;
  }

  // Seconds by op and kernel: of each kernel the fastest of some runs, so that a busy machine shows
  // little.
  std::map<std::string, double> Profile() {
    const std::vector<fovea::Step>& steps = executor_->program().steps();
    std::vector<double> least(steps.size(), 1e9);
    for (int run = 0; run < kProfileRuns; ++run) {
      std::vector<double> seconds;
      WriteInputs();
      OrDie(executor_->RunTimed(seconds));
      for (size_t i = 0; i < steps.size(); ++i) least[i] = std::min(least[i], seconds[i]);
    }
    std::map<std::string, double> by_kernel;
    for (size_t i = 0; i < steps.size(); ++i) {
      by_kernel["all"] += least[i];
      std::fprintf(stderr, "%8.3f %7.1f GF  %-28s %-22s %s\n", least[i] * 1e3,
                   steps[i].flops / least[i] * 1e-9, steps[i].name.c_str(), steps[i].op.c_str(),
                   steps[i].kernel_name.c_str());
      by_kernel[absl::StrCat(steps[i].op, " ", steps[i].kernel_name)] += least[i];
    }
    return by_kernel;
  }

 private:
  void MakeInputs(const Case& c) {
    Random random(1);
    pixels_ = Tensor({DType::kU8, {c.batch, c.side, c.side, c.channels}});
    for (int64_t i = 0; i < pixels_.count(); ++i) {
      pixels_.as<uint8_t>()[i] = static_cast<uint8_t>(random.Next());
    }
    targets_ = Tensor({DType::kF32, {c.batch, kLabels}});
    example_weights_ = Tensor({DType::kF32, {c.batch}});
    for (int i = 0; i < c.batch; ++i) {
      targets_.as<float>()[i * kLabels + i % kLabels] = 1;
      example_weights_.as<float>()[i] = 1;
    }
    loss_ = Tensor({DType::kF32, {1}});
  }

  void WriteInputs() {
    OrDie(executor_->SetInput("pixels", pixels_));
    OrDie(executor_->SetInput("targets", targets_));
    OrDie(executor_->SetInput("example_weights", example_weights_));
    OrDie(executor_->SetScalar("learning_rate", 1e-3));
  }

  std::shared_ptr<Weights> weights_;
  std::unique_ptr<Executor> executor_;
  Tensor pixels_, targets_, example_weights_, loss_;
};

void Run(const Case& c, double seconds, bool profile) {
  const auto all = TakeTurns<Step>(c, absl::MakeConstSpan(kVariants), seconds);
  if (!profile) return;
  for (const auto& measured : all) {
    std::fprintf(stderr, "%s %s\n", c.Name().c_str(), measured.variant->name);
    std::vector<std::pair<double, std::string>> sorted;
    for (const auto& [op, taken] : measured.step->Profile()) sorted.emplace_back(taken, op);
    std::sort(sorted.rbegin(), sorted.rend());
    for (const auto& [taken, op] : sorted) {
      std::fprintf(stderr, "  %8.3f ms  %s\n", taken * 1e3, op.c_str());
    }
  }
}

int Serve(const Case& c, const std::string& name) {
  return ServeSteps<Step>(c, absl::MakeConstSpan(kVariants), name);
}

Case ParseCase(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  Case c;
  if (parts.size() == 4 && absl::SimpleAtoi(parts[1], &c.side) &&
      absl::SimpleAtoi(parts[2], &c.channels) && absl::SimpleAtoi(parts[3], &c.batch)) {
    c.net = parts[0];
    return c;
  }
  std::fprintf(stderr, "found \"%s\", expected NET:SIDE:CHANNELS:BATCH\n", text.c_str());
  std::exit(1);
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  double seconds = 3;
  bool steps = false;
  std::string served;
  std::vector<std::string> cases;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--steps") {
      steps = true;
    } else if (argument == "--serve-step" && i + 1 < argc) {
      served = argv[++i];
    } else if (argument == "--seconds" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else {
      cases.push_back(argument);
    }
  }
  if (cases.empty()) cases = {"resnet8:28:1:128", "resnet20:32:3:128", "resnet18:224:3:32"};
  if (!served.empty()) return fovea::bench::Serve(fovea::bench::ParseCase(cases[0]), served);
  for (const std::string& text : cases) {
    fovea::bench::Run(fovea::bench::ParseCase(text), seconds, steps);
  }
}
