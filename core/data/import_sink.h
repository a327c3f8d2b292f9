// ImportSink: where the readers of folders, manifests and IDX files put what they find.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "core/data/dataset_types.h"

namespace fovea {

class ImportSink {
 public:
  virtual ~ImportSink() = default;
  // Takes one item. A bad item is recorded and is no error; an error ends the import.
  virtual absl::Status Add(const ImportItem& item) = 0;
  // Records an item that could not even be read.
  virtual absl::Status Reject(const std::string& name, ImportFault fault,
                              const std::string& message) = 0;
};

}  // namespace fovea
