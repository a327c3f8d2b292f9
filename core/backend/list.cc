// The list of backends in this build.
#include "absl/strings/str_cat.h"
#include "core/backend/backend.h"
#include "core/backend/cpu/cpu_backend.h"
#include "core/backend/reference/reference_backend.h"

namespace fovea {

absl::StatusOr<const Backend*> FindBackend(absl::string_view name) {
  for (const Backend* backend : {&CpuBackend(), &ReferenceBackend()}) {
    if (name == backend->name()) return backend;
  }
  return absl::NotFoundError(absl::StrCat("unknown backend \"", name, "\"; known: cpu, reference"));
}

}  // namespace fovea
