#include "core/base/cpu_budget.h"

#include <sched.h>

#include <algorithm>
#include <cmath>

#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/file_system.h"

namespace fovea {
namespace {

int CoresOfAffinityMask() {
  cpu_set_t mask;
  if (sched_getaffinity(0, sizeof(mask), &mask) == 0) return std::max(1, CPU_COUNT(&mask));
  return std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
}

std::optional<double> ReadNumber(const std::string& path) {
  const absl::StatusOr<std::string> text = FileSystem::Real()->Read(path);
  double value = 0;
  if (!text.ok() || !absl::SimpleAtod(absl::StripAsciiWhitespace(*text), &value)) {
    return std::nullopt;
  }
  return value;
}

// cpu.max: "<quota> <period>" in microseconds, or "max <period>".
std::optional<double> QuotaOfV2Group(const std::string& folder) {
  const absl::StatusOr<std::string> text = FileSystem::Real()->Read(JoinPath(folder, "cpu.max"));
  if (!text.ok()) return std::nullopt;
  const std::vector<absl::string_view> fields =
      absl::StrSplit(*text, absl::ByAnyChar(" \n"), absl::SkipEmpty());
  double quota = 0, period = 0;
  if (fields.size() != 2 || !absl::SimpleAtod(fields[0], &quota) ||
      !absl::SimpleAtod(fields[1], &period) || quota <= 0 || period <= 0) {
    return std::nullopt;
  }
  return quota / period;
}

std::optional<double> QuotaOfV1Group(const std::string& folder) {
  const std::optional<double> quota = ReadNumber(JoinPath(folder, "cpu.cfs_quota_us"));
  const std::optional<double> period = ReadNumber(JoinPath(folder, "cpu.cfs_period_us"));
  if (!quota || !period || *quota <= 0 || *period <= 0) return std::nullopt;
  return *quota / *period;
}

// The smallest quota from `group` ("/a/b") up to the mount itself. In a container the group's path
// may be the host's and not exist below the mount; the mount's own files still count.
template <typename QuotaOfGroup>
void LowerQuota(const std::string& mount, absl::string_view group, QuotaOfGroup quota_of_group,
                std::optional<double>* quota) {
  while (true) {
    const std::optional<double> found =
        quota_of_group(JoinPath(mount, absl::StripPrefix(group, "/")));
    if (found && (!*quota || *found < **quota)) *quota = found;
    if (group.empty() || group == "/") return;
    group = group.substr(0, group.rfind('/'));
  }
}

}  // namespace

int CpuBudget::threads() const {
  if (!quota) return std::max(1, cores);
  return std::max(1, std::min(cores, static_cast<int>(std::floor(*quota))));
}

CpuBudget ReadCpuBudget(const std::string& root) {
  CpuBudget budget;
  budget.cores = CoresOfAffinityMask();
  const std::string mount = JoinPath(root, "sys/fs/cgroup");
  const absl::StatusOr<std::string> groups =
      FileSystem::Real()->Read(JoinPath(root, "proc/self/cgroup"));
  if (!groups.ok()) return budget;
  // Lines are "<id>:<controllers>:<path>"; cgroup v2 is "0::<path>".
  for (absl::string_view line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[2].empty() || fields[2][0] != '/') continue;
    if (fields[0] == "0" && fields[1].empty()) {
      LowerQuota(mount, fields[2], QuotaOfV2Group, &budget.quota);
    }
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "cpu") != controllers.end()) {
      LowerQuota(JoinPath(mount, "cpu"), fields[2], QuotaOfV1Group, &budget.quota);
    }
  }
  return budget;
}

}  // namespace fovea
