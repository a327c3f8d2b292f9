// FaultyFileSystem: fails the n-th change, as a full disk or a crash would.
#pragma once

#include <atomic>
#include <cerrno>
#include <limits>
#include <string>
#include <vector>

#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea::testing {

// Changes (writes, folders, renames, removals) are counted from 1; reads never fail. Thread-safe.
class FaultyFileSystem : public FileSystem {
 public:
  enum class Fault {
    kFullDisk,  // writing and making folders fail with ResourceExhausted from the n-th change on
    kCrash,     // nothing changes from the n-th change on; a write leaves half a temporary file
  };

  explicit FaultyFileSystem(FileSystem* real = FileSystem::Real()) : real_(real) {}

  void FailFrom(int n, Fault fault) {
    fault_ = fault;
    fail_from_ = n;
    changes_ = 0;
  }
  void Heal() { fail_from_ = std::numeric_limits<int>::max(); }
  // Changes tried since the last FailFrom: run once without faults to learn how many there are.
  int changes() const { return changes_; }

  absl::StatusOr<std::string> Read(const std::string& path) override { return real_->Read(path); }
  using FileSystem::WriteAtomically;
  absl::Status WriteAtomically(const std::string& path,
                               absl::Span<const absl::string_view> parts) override {
    if (!Fails()) return real_->WriteAtomically(path, parts);
    if (fault_ == Fault::kCrash && !parts.empty()) {
      const absl::string_view half = parts[0].substr(0, parts[0].size() / 2);
      real_->WriteAtomically(path + ".torn.tmp", half).IgnoreError();
    }
    return Error("write", path);
  }
  absl::Status MakeDirs(const std::string& path) override {
    return Fails() ? Error("make folder", path) : real_->MakeDirs(path);
  }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    const bool fails = Fails() && fault_ == Fault::kCrash;  // a full disk still renames
    return fails ? Error("rename", from) : real_->Rename(from, to);
  }
  absl::Status RemoveAll(const std::string& path) override {
    const bool fails = Fails() && fault_ == Fault::kCrash;
    return fails ? Error("remove", path) : real_->RemoveAll(path);
  }
  absl::StatusOr<std::vector<std::string>> List(const std::string& path) override {
    return real_->List(path);
  }
  bool Exists(const std::string& path) override { return real_->Exists(path); }
  bool IsDirectory(const std::string& path) override { return real_->IsDirectory(path); }
  absl::StatusOr<int64_t> Size(const std::string& path) override { return real_->Size(path); }

 private:
  bool Fails() { return ++changes_ >= fail_from_; }
  absl::Status Error(absl::string_view doing, const std::string& path) const {
    return ErrnoToStatus(fault_ == Fault::kFullDisk ? ENOSPC : EIO, doing, path);
  }

  FileSystem* const real_;
  std::atomic<int> changes_ = 0;
  std::atomic<int> fail_from_ = std::numeric_limits<int>::max();
  std::atomic<Fault> fault_ = Fault::kFullDisk;
};

}  // namespace fovea::testing
