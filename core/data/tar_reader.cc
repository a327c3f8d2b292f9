#include "core/data/tar_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "core/base/file_system.h"
#include "core/base/status.h"

namespace fovea {
namespace {

constexpr int64_t kBlock = 512;
constexpr int64_t kMaxExtension = int64_t{1} << 20;

// Where the fields of a header lie (POSIX.1-1988, "ustar").
constexpr size_t kNameBytes = 100, kSizeAt = 124, kSizeBytes = 12, kChecksumAt = 148,
                 kChecksumBytes = 8, kTypeAt = 156, kMagicAt = 257, kPrefixAt = 345,
                 kPrefixBytes = 155;

// Up to the first NUL.
std::string Text(const char* field, size_t bytes) {
  return std::string(field, std::find(field, field + bytes, '\0'));
}

// Octal digits that end with a NUL or a blank; or, with the highest bit set, a number in base 256.
std::optional<int64_t> Number(const char* field, size_t bytes) {
  constexpr int64_t kLimit = int64_t{1} << 54;  // no file is so large
  int64_t value = 0;
  if ((static_cast<unsigned char>(field[0]) & 0x80) != 0) {
    if (field[0] != '\x80') return std::nullopt;  // negative, or beyond any file
    for (size_t i = 1; i < bytes; ++i) {
      if (value >= kLimit >> 8) return std::nullopt;
      value = value << 8 | static_cast<unsigned char>(field[i]);
    }
    return value;
  }
  size_t i = 0;
  while (i < bytes && field[i] == ' ') ++i;
  const size_t first = i;
  for (; i < bytes && field[i] >= '0' && field[i] <= '7'; ++i) {
    if (value >= kLimit >> 3) return std::nullopt;
    value = value << 3 | (field[i] - '0');
  }
  if (i == first || (i < bytes && field[i] != '\0' && field[i] != ' ')) return std::nullopt;
  return value;
}

// The sum of all bytes, those of the checksum as blanks.
bool ChecksumIsRight(const char* block) {
  int64_t sum = 0;
  for (size_t i = 0; i < kBlock; ++i) {
    const bool own = i >= kChecksumAt && i < kChecksumAt + kChecksumBytes;
    sum += own ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return Number(block + kChecksumAt, kChecksumBytes) == sum;
}

std::string NameOf(const char* block) {
  const std::string name = Text(block, kNameBytes);
  const bool is_ustar = std::memcmp(block + kMagicAt, "ustar\0", 6) == 0;
  const std::string prefix = is_ustar ? Text(block + kPrefixAt, kPrefixBytes) : "";
  return prefix.empty() ? name : absl::StrCat(prefix, "/", name);
}

int64_t Padded(int64_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

}  // namespace

struct TarReader::Extension {
  std::optional<std::string> name;
  std::optional<int64_t> size;
};

absl::StatusOr<std::unique_ptr<TarReader>> TarReader::Open(std::string name,
                                                           const std::string& path) {
  const absl::StatusOr<int64_t> bytes = FileSystem::Real()->Size(path);
  std::FILE* file = bytes.ok() ? std::fopen(path.c_str(), "rbe") : nullptr;
  if (file == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("tar file \"", name, "\" is no regular file"));
  }
  return std::unique_ptr<TarReader>(new TarReader(std::move(name), file, *bytes));
}

absl::Status TarReader::Damaged(absl::string_view what) const {
  return absl::InvalidArgumentError(
      absl::StrCat("tar file \"", name_, "\" ", what, " (at byte ", at_, " of ", bytes_, ")"));
}

absl::Status TarReader::CheckEnd(int64_t size) const {
  if (size <= bytes_ - at_) return absl::OkStatus();
  return Damaged(
      absl::StrCat("is truncated: ", bytes_ - at_, " bytes are left, a header announces ", size));
}

absl::Status TarReader::ReadBlock(char* block) {
  if (bytes_ - at_ < kBlock) return Damaged("is truncated: it has no end mark");
  if (fseeko(file_.get(), at_, SEEK_SET) != 0 || std::fread(block, kBlock, 1, file_.get()) != 1) {
    return Damaged("cannot be read");
  }
  at_ += kBlock;
  return absl::OkStatus();
}

absl::StatusOr<std::string> TarReader::Read() {
  std::string content(static_cast<size_t>(size_), '\0');
  if (fseeko(file_.get(), at_, SEEK_SET) != 0 ||
      (size_ > 0 && std::fread(content.data(), content.size(), 1, file_.get()) != 1)) {
    return Damaged("cannot be read");
  }
  return content;
}

// The content of a header that says something of the next one.
absl::StatusOr<std::string> TarReader::ReadExtension(int64_t size) {
  if (size > kMaxExtension) {
    return Damaged(absl::StrCat("has an extended header of ", size, " bytes, expected at most ",
                                kMaxExtension));
  }
  RETURN_IF_ERROR(CheckEnd(size));
  size_ = size;
  ASSIGN_OR_RETURN(std::string content, Read());
  at_ += Padded(size);
  size_ = 0;
  return content;
}

// Records "LENGTH KEY=VALUE\n" (POSIX.1-2001); LENGTH counts the whole record.
absl::Status TarReader::ReadPax(int64_t size, Extension* extension) {
  ASSIGN_OR_RETURN(const std::string content, ReadExtension(size));
  absl::string_view rest = content;
  while (!rest.empty() && rest[0] != '\0') {
    const size_t blank = rest.find(' ');
    size_t length = 0;
    if (blank == absl::string_view::npos || !absl::SimpleAtoi(rest.substr(0, blank), &length) ||
        length <= blank + 1 || length > rest.size() || rest[length - 1] != '\n') {
      return Damaged("has a bad extended header");
    }
    const absl::string_view record = rest.substr(blank + 1, length - blank - 2);
    const size_t equals = record.find('=');
    if (equals == absl::string_view::npos) return Damaged("has a bad extended header");
    const absl::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
    if (key == "path") extension->name = std::string(value);
    if (key == "size") {
      int64_t bytes = 0;
      if (!absl::SimpleAtoi(value, &bytes) || bytes < 0) {
        return Damaged("has a bad size in an extended header");
      }
      extension->size = bytes;
    }
    rest.remove_prefix(length);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<TarMember>> TarReader::Next() {
  at_ += Padded(size_);
  size_ = 0;
  Extension extension;
  while (true) {
    char block[kBlock];
    RETURN_IF_ERROR(ReadBlock(block));
    if (std::all_of(block, block + kBlock, [](char c) { return c == '\0'; })) return std::nullopt;
    if (!ChecksumIsRight(block)) return Damaged("has a header with a wrong checksum");
    const std::optional<int64_t> size = Number(block + kSizeAt, kSizeBytes);
    if (!size.has_value()) return Damaged("has a header with a bad size");
    const char type = block[kTypeAt];
    if (type == 'x') {
      RETURN_IF_ERROR(ReadPax(*size, &extension));
    } else if (type == 'L') {  // GNU: the next member's name
      ASSIGN_OR_RETURN(const std::string name, ReadExtension(*size));
      extension.name = Text(name.data(), name.size());
    } else if (type == 'K' || type == 'g') {  // GNU: the target of a link; pax: for all members
      RETURN_IF_ERROR(ReadExtension(*size).status());
    } else {
      TarMember member;
      member.name = extension.name.value_or(NameOf(block));
      member.is_file = type == '0' || type == '\0' || type == '7';
      // Links, folders and devices have no content, whatever their size says.
      const bool is_empty = type >= '1' && type <= '6';
      member.size = is_empty ? 0 : extension.size.value_or(*size);
      RETURN_IF_ERROR(CheckEnd(member.size));
      size_ = member.size;
      return member;
    }
  }
}

}  // namespace fovea
