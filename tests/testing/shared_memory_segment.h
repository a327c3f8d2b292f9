// SharedMemorySegment: POSIX shared memory of one test, as a client makes it; removed at the end.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace fovea::testing {

class SharedMemorySegment {
 public:
  // What all keys begin with.
  static std::string Prefix() { return absl::StrCat("/fovea_test_", getpid(), "_"); }

  SharedMemorySegment(const std::string& name, size_t bytes) : key_(Prefix() + name) {
    file_ = shm_open(key_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(file_ >= 0);
    Resize(bytes);
  }
  ~SharedMemorySegment() {
    close(file_);
    shm_unlink(key_.c_str());
  }
  SharedMemorySegment(const SharedMemorySegment&) = delete;
  SharedMemorySegment& operator=(const SharedMemorySegment&) = delete;

  const std::string& key() const { return key_; }
  void Resize(size_t bytes) { CHECK(ftruncate(file_, static_cast<off_t>(bytes)) == 0); }
  void Write(size_t offset, const std::string& bytes) {
    const ssize_t written = pwrite(file_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    CHECK(written == static_cast<ssize_t>(bytes.size()));
  }
  std::string Read(size_t offset, size_t size) const {
    std::string bytes(size, '\0');
    const ssize_t read = pread(file_, bytes.data(), size, static_cast<off_t>(offset));
    CHECK(read == static_cast<ssize_t>(size));
    return bytes;
  }

 private:
  const std::string key_;
  int file_ = -1;
};

}  // namespace fovea::testing
