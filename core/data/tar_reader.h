// Reads a tar file from front to back: ustar, GNU (long names, sizes in base 256) and pax (path and
// size); what a header says is held against the file's size before it is believed.
#pragma once

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fovea {

struct TarMember {
  std::string name;
  int64_t size = 0;      // bytes
  bool is_file = false;  // else a folder, a link or a device
};

// Not thread-safe.
class TarReader {
 public:
  // `name` is what messages say, `path` what is opened. InvalidArgument when it is no regular file.
  static absl::StatusOr<std::unique_ptr<TarReader>> Open(std::string name, const std::string& path);

  // The next member, skipping what is unread of the one before; nothing at the end. InvalidArgument
  // when the file is truncated or damaged; then it cannot go on.
  absl::StatusOr<std::optional<TarMember>> Next();
  // The bytes of the member that Next answered last; once. At most its size is allocated, which was
  // found to be in the file.
  absl::StatusOr<std::string> Read();

 private:
  struct Extension;  // what the headers before a member say of it

  TarReader(std::string name, std::FILE* file, int64_t bytes)
      : name_(std::move(name)), file_(file, std::fclose), bytes_(bytes) {}

  absl::Status ReadBlock(char* block);
  absl::StatusOr<std::string> ReadExtension(int64_t size);
  absl::Status ReadPax(int64_t size, Extension* extension);
  absl::Status CheckEnd(int64_t size) const;
  absl::Status Damaged(absl::string_view what) const;

  const std::string name_;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file_;
  const int64_t bytes_;  // of the whole file
  int64_t at_ = 0;       // where the last header ended
  int64_t size_ = 0;     // of the member behind it
};

}  // namespace fovea
