#include "core/base/cpu_model.h"

#include <fstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace fovea {
namespace {

const char* InstructionSet() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f")) {
    return __builtin_cpu_supports("avx512vnni") ? "avx512_vnni" : "avx512";
  }
  if (__builtin_cpu_supports("avx2")) return "avx2";
  return "sse";
#else
  return "generic";
#endif
}

std::string ModelName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!absl::StartsWith(line, "model name")) continue;
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    return std::string(absl::StripAsciiWhitespace(line.substr(colon + 1)));
  }
  return "unknown";
}

}  // namespace

std::string DescribeCpu() { return absl::StrCat(ModelName(), ", ", InstructionSet()); }

}  // namespace fovea
