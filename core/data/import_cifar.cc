// The binary version of CIFAR-10 and CIFAR-100 (Krizhevsky 2009): records of one label byte, or of
// a coarse and a fine one, and 3072 bytes of pixels, plane by plane: red, green, blue.
#include <cstdio>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "core/data/import_private.h"

namespace fovea {
namespace {

constexpr int kSide = 32;
constexpr size_t kPlane = size_t{kSide} * kSide;
constexpr size_t kPixelBytes = 3 * kPlane;

// How a file is read.
struct CifarFormat {
  size_t label_bytes = 1;           // the last one counts
  std::vector<std::string> labels;  // by index; as many as there may be
};

// The non-empty lines of a file of names; empty when there is none.
absl::StatusOr<std::vector<std::string>> ReadNames(const std::string& root,
                                                   const std::string& path) {
  const absl::StatusOr<std::string> resolved = ResolveUnderRoot(root, path);
  if (absl::IsNotFound(resolved.status())) return std::vector<std::string>();
  RETURN_IF_ERROR(resolved.status());
  ASSIGN_OR_RETURN(const std::string text, FileSystem::Real()->Read(*resolved));
  std::vector<std::string> names;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) names.emplace_back(line);
  }
  return names;
}

absl::StatusOr<CifarFormat> FormatOf(const std::string& root, const std::string& path,
                                     int64_t size) {
  const bool ten = size > 0 && size % static_cast<int64_t>(1 + kPixelBytes) == 0;
  const bool hundred = size > 0 && size % static_cast<int64_t>(2 + kPixelBytes) == 0;
  if (!ten && !hundred) {
    return absl::InvalidArgumentError(
        absl::StrCat("CIFAR file \"", path, "\" has ", size, " bytes, expected a multiple of ",
                     1 + kPixelBytes, " (CIFAR-10) or ", 2 + kPixelBytes, " (CIFAR-100)"));
  }
  const std::string folder = ParentPath(path);
  const auto beside = [&](const char* name) {
    return folder == "." ? std::string(name) : JoinPath(folder, name);
  };
  CifarFormat format;
  ASSIGN_OR_RETURN(std::vector<std::string> fine, ReadNames(root, beside("fine_label_names.txt")));
  // A size that fits both is CIFAR-100's where its names lie beside the file.
  if (hundred && (!ten || !fine.empty())) {
    format.label_bytes = 2;
    format.labels = std::move(fine);
  } else {
    ASSIGN_OR_RETURN(format.labels, ReadNames(root, beside("batches.meta.txt")));
  }
  if (format.labels.empty()) {
    const int count = format.label_bytes == 2 ? 100 : 10;
    for (int i = 0; i < count; ++i) format.labels.push_back(absl::StrCat(i));
  }
  return format;
}

// From planes to pixels.
absl::StatusOr<std::string> EncodePlanes(const uint8_t* planes) {
  Image image{kSide, kSide, 3, std::vector<uint8_t>(kPixelBytes)};
  for (size_t i = 0; i < kPlane; ++i) {
    for (size_t c = 0; c < 3; ++c) image.pixels[3 * i + c] = planes[c * kPlane + i];
  }
  return EncodePng(image);
}

absl::Status ImportCifarFile(const ImportPathOptions& options, const std::string& path,
                             ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::string real_path, ResolveUnderRoot(options.root, path));
  const absl::StatusOr<int64_t> size = FileSystem::Real()->Size(real_path);
  if (!size.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("CIFAR file \"", path, "\" is no regular file"));
  }
  ASSIGN_OR_RETURN(const CifarFormat format, FormatOf(options.root, path, *size));
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(real_path.c_str(), "rbe"),
                                                             std::fclose);
  if (file == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("CIFAR file \"", path, "\" cannot be opened"));
  }
  std::vector<uint8_t> record(format.label_bytes + kPixelBytes);
  const int64_t count = *size / static_cast<int64_t>(record.size());
  for (int64_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(CheckNotCancelled(options.cancel));
    if (std::fread(record.data(), record.size(), 1, file.get()) != 1) {
      return absl::InvalidArgumentError(absl::StrCat(
          "CIFAR file \"", path, "\" is truncated: ", "found ", i, " records, expected ", count));
    }
    const std::string name = absl::StrCat(path, "#", i);
    const size_t label = record[format.label_bytes - 1];
    if (label >= format.labels.size()) {
      RETURN_IF_ERROR(sink->Reject(
          name, ImportFault::kCorrupt,
          absl::StrCat("label is ", label, ", expected at most ", format.labels.size() - 1)));
      continue;
    }
    ASSIGN_OR_RETURN(std::string png, EncodePlanes(record.data() + format.label_bytes));
    RETURN_IF_ERROR(sink->Add(
        {name, std::move(png), std::vector<std::string>{format.labels[label]}, options.split}));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ImportCifarBinary(const ImportPathOptions& options, absl::string_view path,
                               ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files,
                   internal::ListFilesOf(options.root, path, ".bin"));
  for (const std::string& file : files) {
    ImportPathOptions own = options;
    const bool is_one_of_a_folder = file != path;
    if (is_one_of_a_folder && !options.split.has_value()) {
      own.split =
          absl::StrContains(file.substr(file.rfind('/') + 1), "test") ? Split::kTest : own.split;
    }
    RETURN_IF_ERROR(ImportCifarFile(own, file, sink));
  }
  return absl::OkStatus();
}

}  // namespace fovea
