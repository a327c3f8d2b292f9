#include "core/train/execution.h"

#include "absl/strings/str_cat.h"
#include "core/base/cpu_model.h"

namespace fovea {
namespace {

LayoutPlan LayoutPlanOf(const v1::TrainingConfig& config) {
  switch (config.layout_plan()) {
    case v1::LAYOUT_PLAN_NHWC:
      return LayoutPlan::kNhwc;
    case v1::LAYOUT_PLAN_BLOCKED:
      return LayoutPlan::kBlocked;
    case v1::LAYOUT_PLAN_BLOCKED_WINOGRAD:
      return LayoutPlan::kBlockedWinograd;
    default:
      return LayoutPlan::kDefault;
  }
}

}  // namespace

v1::Execution ChooseExecution(const v1::TrainingConfig& config) {
  v1::Execution execution;
  execution.set_backend(config.backend());
  execution.set_cpu_model(DescribeCpu());
  execution.set_width(config.width());
  execution.set_layout_plan(LayoutPlanName(LayoutPlanOf(config)));
  return execution;
}

CompileOptions CompileOptionsOf(const v1::Execution& recorded, std::vector<std::string>& notes) {
  CompileOptions options;
  options.width = static_cast<int>(recorded.width());
  bool known = false;
  for (const LayoutPlan plan : kLayoutPlans) {
    if (recorded.layout_plan() != LayoutPlanName(plan)) continue;
    options.layout_plan = plan;
    known = true;
  }
  if (!known) {
    notes.push_back(absl::StrCat("the layout plan \"", recorded.layout_plan(),
                                 "\" of the earlier attempt is not known here; losses may differ "
                                 "in their last digits"));
  }
  if (const std::string cpu = DescribeCpu(); recorded.cpu_model() != cpu) {
    notes.push_back(absl::StrCat("the earlier attempt ran on \"", recorded.cpu_model(),
                                 "\", this one runs on \"", cpu,
                                 "\"; losses may differ in their last digits"));
  }
  return options;
}

}  // namespace fovea
