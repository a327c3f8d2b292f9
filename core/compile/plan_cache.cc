#include "core/compile/plan_cache.h"

#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/sha256.h"
#include "core/base/status.h"

namespace fovea {
namespace {

std::optional<LayoutPlan> PlanOf(absl::string_view name) {
  for (const LayoutPlan plan : kLayoutPlans) {
    if (name == LayoutPlanName(plan)) return plan;
  }
  return std::nullopt;
}

// "8 blocked 0.0831"
bool ParseLine(absl::string_view line, TimedPlans& plans) {
  const std::vector<absl::string_view> words = absl::StrSplit(line, ' ');
  int batch = 0;
  TimedPlan timed;
  if (words.size() != 3 || !absl::SimpleAtoi(words[0], &batch) || batch < 1) return false;
  const std::optional<LayoutPlan> plan = PlanOf(words[1]);
  if (!plan.has_value() || !absl::SimpleAtod(words[2], &timed.seconds)) return false;
  if (!std::isfinite(timed.seconds) || timed.seconds < 0) return false;
  timed.plan = *plan;
  return plans.emplace(batch, timed).second;
}

}  // namespace

std::string PlanKey::ToText() const {
  return absl::StrCat("cpu: ", cpu, "\nkernels: ", kernels, "\ngraph: ", graph, "\nwidth: ", width,
                      "\ntype: ", DTypeName(type), "\n");
}

std::string FormatPlans(const PlanKey& key, const TimedPlans& plans) {
  std::string text = absl::StrCat(key.ToText(), "batch, layout plan, seconds:\n");
  for (const auto& [batch, timed] : plans) {
    absl::StrAppendFormat(&text, "%d %s %.9g\n", batch, LayoutPlanName(timed.plan), timed.seconds);
  }
  return text;
}

TimedPlans ParsePlans(const PlanKey& key, absl::string_view text) {
  if (!absl::ConsumePrefix(&text, FormatPlans(key, {})) || !absl::ConsumeSuffix(&text, "\n")) {
    return {};
  }
  TimedPlans plans;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    if (!ParseLine(line, plans)) return {};
  }
  return plans;
}

TimedPlans PlanCache::Find(const PlanKey& key) const {
  const absl::StatusOr<std::string> text = files_->Read(PathOf(key));
  return text.ok() ? ParsePlans(key, *text) : TimedPlans();
}

absl::Status PlanCache::Store(const PlanKey& key, const TimedPlans& plans) const {
  RETURN_IF_ERROR(files_->MakeDirs(folder_));
  return files_->WriteAtomically(PathOf(key), FormatPlans(key, plans));
}

std::string PlanCache::PathOf(const PlanKey& key) const {
  return JoinPath(folder_, absl::StrCat(Sha256Hex(key.ToText()).substr(0, 32), ".txt"));
}

}  // namespace fovea
