// TempDir: an empty folder for one test, removed with all it holds.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <string>

#include "core/base/check.h"
#include "core/base/file_system.h"

namespace fovea::testing {

class TempDir {
 public:
  TempDir() : path_(::testing::TempDir() + "fovea-XXXXXX") {
    CHECK(mkdtemp(path_.data()) != nullptr);
  }
  ~TempDir() { FileSystem::Real()->RemoveAll(path_).IgnoreError(); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  // The path of `name` in the folder.
  std::string File(absl::string_view name) const { return JoinPath(path_, name); }

 private:
  std::string path_;
};

}  // namespace fovea::testing
