// Variants of one step that take turns, and a step that another process asks for.
//
// A Step has `static absl::StatusOr<std::unique_ptr<Step>> Create(const Case&, const Variant&)` and
// `double Run()`, the seconds of one step. A Case has `batch` and `Name()`; a Variant has `name`.
#pragma once

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "tests/bench/measure.h"
#include "tests/bench/or_die.h"

namespace fovea::bench {

template <typename Step, typename Variant>
struct Measured {
  const Variant* variant;
  std::unique_ptr<Step> step;
  std::vector<double> seconds, over_first;
};

// Runs the variants that this machine can compute in turns, at least `seconds` and five rounds
// each, and prints the images a second of each, and its speed over the first one's round by round.
template <typename Step, typename Case, typename Variant>
std::vector<Measured<Step, Variant>> TakeTurns(const Case& c, absl::Span<const Variant> variants,
                                               double seconds) {
  constexpr int kMinRounds = 5;
  std::vector<Measured<Step, Variant>> all;
  for (const Variant& variant : variants) {
    auto step = Step::Create(c, variant);
    if (absl::IsFailedPrecondition(step.status())) {
      std::fprintf(stderr, "%s: %s\n", variant.name, std::string(step.status().message()).c_str());
      continue;
    }
    all.push_back({&variant, OrDie(std::move(step)), {}, {}});
    all.back().step->Run();  // the first touches memory
  }
  const double start = Now();
  for (int round = 0;
       round < kMinRounds || Now() - start < seconds * static_cast<double>(all.size()); ++round) {
    for (auto& measured : all) {
      measured.seconds.push_back(measured.step->Run());
      measured.over_first.push_back(all.front().seconds.back() / measured.seconds.back());
    }
  }
  for (auto& measured : all) {
    const std::string name = absl::StrCat(c.Name(), ".", measured.variant->name);
    Print(name + ".images_per_second", c.batch / Median(measured.seconds));
    if (&measured == &all.front()) continue;
    Print(absl::StrCat(name, ".over_", all.front().variant->name), Median(measured.over_first));
  }
  return all;
}

// Prints "ready BATCH NAME"; then runs one step for each line on stdin and answers its seconds.
// Answers the exit code of the process.
template <typename Step, typename Case, typename Variant>
int ServeSteps(const Case& c, absl::Span<const Variant> variants, const std::string& name) {
  const auto variant = std::find_if(variants.begin(), variants.end(),
                                    [&](const Variant& v) { return v.name == name; });
  if (variant == variants.end()) {
    std::fprintf(stderr, "found no variant \"%s\"\n", name.c_str());
    return 1;
  }
  auto step = Step::Create(c, *variant);
  if (!step.ok()) {
    std::fprintf(stderr, "%s\n", std::string(step.status().message()).c_str());
    return 1;
  }
  (*step)->Run();
  (*step)->Run();
  std::printf("ready %d %s\n", c.batch, variant->name);
  std::fflush(stdout);
  for (int read = std::getchar(); read != EOF; read = std::getchar()) {
    if (read != '\n') continue;
    std::printf("%.6f\n", (*step)->Run());
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace fovea::bench
