// Images a second of inference, by precision and layout plan. Prints `name=value` lines.
//
//   bench_serving_speed [--seconds S] [--steps] [NET:BATCH…]
//   bench_serving_speed --serve-step VARIANT NET:BATCH
//   bench_serving_speed --export FILE.onnx NET
//
// Nets have 224 × 224 × 3 pixels and 1000 labels; without cases all nine of the comparison. A step
// writes the pixels of a batch, runs it on all threads and reads the probabilities. The variants of
// a case take turns, at least S seconds (default 3) and five rounds each; medians count, and so do
// ratios taken round by round:
//   resnet50.b8.fp32_nhwc.images_per_second
//   resnet50.b8.fp32_blocked.over_fp32_nhwc
// --steps prints where the time of a step goes, on stderr. With --serve-step each line on stdin
// runs one step and answers its seconds, so that another process can take turns. --export writes
// the net for those.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
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
#include "core/compile/calibrate.h"
#include "core/compile/compile.h"
#include "core/compile/plan_chooser.h"
#include "core/model/model.h"
#include "core/nets/net.h"
#include "core/onnx/export.h"
#include "core/runtime/executor.h"
#include "core/runtime/weights.h"
#include "tests/bench/measure.h"
#include "tests/bench/or_die.h"
#include "tests/bench/turns.h"

namespace fovea::bench {
namespace {

constexpr int kLabels = 1000, kSide = 224, kProfileRuns = 20;

struct Case {
  std::string net;
  int batch = 0;

  std::string Name() const { return absl::StrCat(net, ".b", batch); }
};

struct Variant {
  const char* name;
  DType compute_type;
  LayoutPlan plan;
};
// Those named auto have the plan that a server would choose, by timing.
constexpr Variant kVariants[] = {
    {"fp32_nhwc", DType::kF32, LayoutPlan::kNhwc},
    {"fp32_blocked", DType::kF32, LayoutPlan::kBlocked},
    {"fp32_blocked_winograd", DType::kF32, LayoutPlan::kBlockedWinograd},
    {"fp32_auto", DType::kF32, LayoutPlan::kDefault},
    {"bf16_nhwc", DType::kBF16, LayoutPlan::kNhwc},
    {"bf16_blocked", DType::kBF16, LayoutPlan::kBlocked},
    {"bf16_auto", DType::kBF16, LayoutPlan::kDefault},
    {"int8_auto", DType::kI8, LayoutPlan::kDefault},
};

Net MakeNet(const std::string& name, int batch) {
  NetOptions options;
  options.name = name;
  options.height = options.width = kSide;
  options.channels = 3;
  options.labels = kLabels;
  return OrDie(BuildNet(options, batch));
}

// A net ready to serve, with random weights.
struct Served {
  explicit Served(const Case& c) {
    const Net net = MakeNet(c.net, c.batch);
    graph = OrDie(WithHead(net, Head::kSoftmax));
    weights = OrDie(Weights::Create(CpuBackend(), graph, {}));
    OrDie(Initialize(net, 1, *weights));
  }
  Graph graph;
  std::shared_ptr<Weights> weights;
};

// Calibrated on noise: the time of a step does not depend on the scales.
std::shared_ptr<const Quantization> QuantizationOf(const Served& served) {
  const auto calibrator = OrDie(Calibrator::Create(served.graph, served.weights, 0));
  std::vector<uint8_t> pixels(kSide * kSide * 3);
  Random random(1);
  for (uint8_t& pixel : pixels) pixel = static_cast<uint8_t>(random.Next());
  OrDie(calibrator->Observe(pixels.data()));
  return std::make_shared<Quantization>(OrDie(calibrator->Find(1)));
}

absl::StatusOr<std::shared_ptr<const Program>> CompileAs(const Variant& variant, const Case& c,
                                                         const Served& served) {
  CompileOptions compile;
  compile.layout_plan = variant.plan;
  compile.compute_type = variant.compute_type;
  if (variant.compute_type == DType::kI8) compile.quantization = QuantizationOf(served);
  if (variant.plan != LayoutPlan::kDefault) return Compile(served.graph, CpuBackend(), compile);
  PlanChooser plans({});
  const auto chosen = plans.Choose(served.graph, {c.batch}, served.weights, compile);
  if (!chosen.ok()) return chosen.status();
  const std::shared_ptr<const Program>& program = chosen->front().program;
  std::fprintf(stderr, "%s %s: %s\n", c.Name().c_str(), variant.name,
               LayoutPlanName(program->layout_plan()));
  return program;
}

// A compiled net with random pixels.
class Step {
 public:
  static absl::StatusOr<std::unique_ptr<Step>> Create(const Case& c, const Variant& variant) {
    const Served served(c);
    const auto program = CompileAs(variant, c, served);
    if (!program.ok()) return program.status();
    std::unique_ptr<Step> step(new Step);
    step->executor_ = OrDie(Executor::Create(*program, served.weights));
    step->pixels_ = Tensor({DType::kU8, {c.batch, kSide, kSide, 3}});
    step->probabilities_ = Tensor({DType::kF32, {c.batch, kLabels}});
    Random random(1);
    for (int64_t i = 0; i < step->pixels_.count(); ++i) {
      step->pixels_.as<uint8_t>()[i] = static_cast<uint8_t>(random.Next());
    }
    return step;
  }

  // Seconds of one step.
  double Run() {
    const double start = Now();
    OrDie(executor_->SetInput("pixels", pixels_));
    OrDie(executor_->Run());
    OrDie(executor_->GetOutput("probabilities", probabilities_));
    return Now() - start;
  }

  // Prints the median seconds of each kernel, and their sums by op and kernel.
  void PrintProfile() {
    const std::vector<fovea::Step>& steps = executor_->program().steps();
    std::vector<std::vector<double>> runs(steps.size());
    for (int run = 0; run < kProfileRuns; ++run) {
      std::vector<double> seconds;
      OrDie(executor_->SetInput("pixels", pixels_));
      OrDie(executor_->RunTimed(seconds));
      for (size_t i = 0; i < steps.size(); ++i) runs[i].push_back(seconds[i]);
    }
    std::map<std::string, double> by_kernel;
    for (size_t i = 0; i < steps.size(); ++i) {
      const double taken = Median(runs[i]);
      by_kernel["all"] += taken;
      by_kernel[absl::StrCat(steps[i].op, " ", steps[i].kernel_name)] += taken;
      std::fprintf(stderr, "%8.3f ms %7.1f GF/s  %-28s %-12s %s\n", taken * 1e3,
                   steps[i].flops / taken * 1e-9, steps[i].name.c_str(), steps[i].op.c_str(),
                   steps[i].kernel_name.c_str());
    }
    std::vector<std::pair<double, std::string>> sorted;
    for (const auto& [kernel, taken] : by_kernel) sorted.emplace_back(taken, kernel);
    std::sort(sorted.rbegin(), sorted.rend());
    for (const auto& [taken, kernel] : sorted) {
      std::fprintf(stderr, "%8.3f ms  %s\n", taken * 1e3, kernel.c_str());
    }
  }

 private:
  std::unique_ptr<Executor> executor_;
  Tensor pixels_, probabilities_;
};

void Run(const Case& c, double seconds, bool profile) {
  const auto all = TakeTurns<Step>(c, absl::MakeConstSpan(kVariants), seconds);
  if (!profile) return;
  for (const auto& measured : all) {
    std::fprintf(stderr, "%s %s\n", c.Name().c_str(), measured.variant->name);
    measured.step->PrintProfile();
  }
}

int Export(const std::string& file, const std::string& net) {
  const Served served({net, 1});
  const auto values = OrDie(ReadValues(served.graph, *served.weights));
  std::ofstream(file, std::ios::binary) << OrDie(ExportOnnx(served.graph, values, {}));
  return 0;
}

int Serve(const Case& c, const std::string& name) {
  return ServeSteps<Step>(c, absl::MakeConstSpan(kVariants), name);
}

Case ParseCase(const std::string& text) {
  const std::vector<std::string> parts = absl::StrSplit(text, ':');
  Case c;
  if (parts.size() == 2 && absl::SimpleAtoi(parts[1], &c.batch)) {
    c.net = parts[0];
    return c;
  }
  std::fprintf(stderr, "found \"%s\", expected NET:BATCH\n", text.c_str());
  std::exit(1);
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  double seconds = 3;
  bool steps = false;
  std::string served, file;
  std::vector<std::string> cases;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--steps") {
      steps = true;
    } else if (argument == "--serve-step" && i + 1 < argc) {
      served = argv[++i];
    } else if (argument == "--export" && i + 1 < argc) {
      file = argv[++i];
    } else if (argument == "--seconds" && i + 1 < argc) {
      seconds = std::atof(argv[++i]);
    } else {
      cases.push_back(argument);
    }
  }
  if (!file.empty() && !cases.empty()) return fovea::bench::Export(file, cases[0]);
  if (cases.empty()) {
    for (const char* net : {"resnet50", "resnet18", "mobilenet_v2"}) {
      for (const int batch : {1, 8, 32}) cases.push_back(absl::StrCat(net, ":", batch));
    }
  }
  if (!served.empty()) return fovea::bench::Serve(fovea::bench::ParseCase(cases[0]), served);
  for (const std::string& text : cases) {
    fovea::bench::Run(fovea::bench::ParseCase(text), seconds, steps);
  }
}
