#include "core/model/serving.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/names.h"
#include "core/base/status.h"

namespace fovea {
namespace {

constexpr int kMaxAliases = 100;

bool Has(absl::Span<const uint64_t> versions, uint64_t version) {
  return std::binary_search(versions.begin(), versions.end(), version);
}

}  // namespace

absl::Status ValidateAlias(absl::string_view alias) {
  RETURN_IF_ERROR(ValidateName("alias", alias));
  if (!std::all_of(alias.begin(), alias.end(), absl::ascii_isdigit)) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("found alias \"", alias, "\", expected more than digits: those are versions"));
}

absl::Status CheckPolicy(const v1::VersionPolicy& policy, absl::Span<const uint64_t> versions) {
  if (policy.choice_case() == v1::VersionPolicy::kLatest && policy.latest() == 0) {
    return absl::InvalidArgumentError("policy: found latest 0, expected at least 1");
  }
  if (!policy.has_versions()) return absl::OkStatus();
  if (policy.versions().versions().empty()) {
    return absl::InvalidArgumentError(
        "policy: found an empty list of versions, expected at least one");
  }
  for (const uint64_t version : policy.versions().versions()) {
    if (Has(versions, version)) continue;
    return absl::NotFoundError(absl::StrCat("found version ", version, ", expected one of ",
                                            absl::StrJoin(versions, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckAliases(const v1::Serving& serving, absl::Span<const uint64_t> versions) {
  if (serving.aliases().size() > kMaxAliases) {
    return absl::InvalidArgumentError(absl::StrCat("found ", serving.aliases().size(),
                                                   " aliases, expected at most ", kMaxAliases));
  }
  for (const auto& [alias, version] : serving.aliases()) {
    RETURN_IF_ERROR(ValidateAlias(alias));
    if (Has(versions, version)) continue;
    return absl::NotFoundError(absl::StrCat("alias \"", alias, "\": found version ", version,
                                            ", expected one of ", absl::StrJoin(versions, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckNotNamed(const v1::Serving& serving, uint64_t version) {
  for (const auto& [alias, target] : serving.aliases()) {
    if (target != version) continue;
    return absl::FailedPreconditionError(absl::StrCat("version ", version, " has the alias \"",
                                                      alias, "\", expected none: move it first"));
  }
  for (const uint64_t listed : serving.policy().versions().versions()) {
    if (listed != version) continue;
    return absl::FailedPreconditionError(absl::StrCat("version ", version,
                                                      " is in the list of the version policy, "
                                                      "expected it not to be: change that first"));
  }
  return absl::OkStatus();
}

}  // namespace fovea
