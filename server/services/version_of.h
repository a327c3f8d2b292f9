// The version of a model that a request names, by number or alias. Private to server/services.
#pragma once

#include "absl/status/statusor.h"
#include "core/model/serving.h"
#include "server/rpc/errors.h"
#include "server/serving/version_ref.h"

namespace fovea {

// InvalidArgument for an alias that none can have.
template <typename Request>
absl::StatusOr<VersionRef> VersionOf(const Request& request) {
  if (request.has_version()) return VersionRef(request.version());
  if (!request.has_alias()) return VersionRef();
  const absl::Status status = ValidateAlias(request.alias());
  if (!status.ok()) return AtField(status, "alias");
  return VersionRef(request.alias());
}

}  // namespace fovea
