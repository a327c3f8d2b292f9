#include "core/runtime/program.h"

namespace fovea {
namespace {

int FindPort(const std::vector<Port>& ports, absl::string_view name) {
  for (size_t i = 0; i < ports.size(); ++i) {
    if (ports[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace

int Program::FindInput(absl::string_view name) const { return FindPort(inputs_, name); }
int Program::FindOutput(absl::string_view name) const { return FindPort(outputs_, name); }

}  // namespace fovea
