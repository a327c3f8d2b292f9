#include "core/base/memory_budget.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "core/base/file_system.h"

namespace fovea {
namespace {

constexpr int64_t kWhenUnknown = int64_t{1} << 30;

// The files of one version of cgroups.
struct MemoryFiles {
  const char* limit;
  const char* use;
  const char* droppable;  // key of memory.stat
};
constexpr MemoryFiles kVersion1 = {"memory.limit_in_bytes", "memory.usage_in_bytes",
                                   "total_inactive_file"};
constexpr MemoryFiles kVersion2 = {"memory.max", "memory.current", "inactive_file"};

std::optional<int64_t> ReadNumber(const std::string& path) {
  const absl::StatusOr<std::string> text = FileSystem::Real()->Read(path);
  int64_t value = 0;
  if (!text.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &value) || value < 0) {
    return std::nullopt;
  }
  return value;
}

// The number behind `key` in a file of lines "key number …" or "key: number …".
std::optional<int64_t> ReadEntry(const std::string& path, absl::string_view key) {
  const absl::StatusOr<std::string> text = FileSystem::Real()->Read(path);
  if (!text.ok()) return std::nullopt;
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    const std::vector<absl::string_view> words =
        absl::StrSplit(line, absl::ByAnyChar(": "), absl::SkipEmpty());
    int64_t value = 0;
    if (words.size() >= 2 && words[0] == key && absl::SimpleAtoi(words[1], &value)) return value;
  }
  return std::nullopt;
}

std::optional<int64_t> LeftInGroup(const std::string& folder, const MemoryFiles& files) {
  const std::optional<int64_t> limit = ReadNumber(JoinPath(folder, files.limit));
  const std::optional<int64_t> use = ReadNumber(JoinPath(folder, files.use));
  if (!limit || !use) return std::nullopt;
  const int64_t droppable = ReadEntry(JoinPath(folder, "memory.stat"), files.droppable).value_or(0);
  return std::max<int64_t>(0, *limit - std::max<int64_t>(0, *use - droppable));
}

// From `group` ("/a/b") up to the mount itself. In a container the group's path may be the host's
// and not exist below the mount; the mount's own files still count.
void LowerToGroups(const std::string& mount, absl::string_view group, const MemoryFiles& files,
                   std::optional<int64_t>* left) {
  while (true) {
    const std::optional<int64_t> found =
        LeftInGroup(JoinPath(mount, absl::StripPrefix(group, "/")), files);
    if (found && (!*left || *found < **left)) *left = found;
    if (group.empty() || group == "/") return;
    group = group.substr(0, group.rfind('/'));
  }
}

}  // namespace

int64_t ReadAvailableMemory(const std::string& root) {
  std::optional<int64_t> left;
  if (const auto kib = ReadEntry(JoinPath(root, "proc/meminfo"), "MemAvailable")) {
    left = *kib * 1024;
  }
  const std::string mount = JoinPath(root, "sys/fs/cgroup");
  const absl::StatusOr<std::string> groups =
      FileSystem::Real()->Read(JoinPath(root, "proc/self/cgroup"));
  if (!groups.ok()) return left.value_or(kWhenUnknown);
  // Lines are "<id>:<controllers>:<path>"; cgroup v2 is "0::<path>".
  for (absl::string_view line : absl::StrSplit(*groups, '\n', absl::SkipEmpty())) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, absl::MaxSplits(':', 2));
    if (fields.size() != 3 || fields[2].empty() || fields[2][0] != '/') continue;
    if (fields[0] == "0" && fields[1].empty()) LowerToGroups(mount, fields[2], kVersion2, &left);
    const std::vector<absl::string_view> controllers = absl::StrSplit(fields[1], ',');
    if (std::find(controllers.begin(), controllers.end(), "memory") != controllers.end()) {
      LowerToGroups(JoinPath(mount, "memory"), fields[2], kVersion1, &left);
    }
  }
  return left.value_or(kWhenUnknown);
}

}  // namespace fovea
