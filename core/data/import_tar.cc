// WebDataset: tar files whose members of one key make one labelled picture.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/status.h"
#include "core/data/import_private.h"
#include "core/data/json_record.h"
#include "core/data/tar_reader.h"

namespace fovea {
namespace {

constexpr int64_t kMaxLabelFile = int64_t{1} << 20;

// "dir/a.b/0001.jpg" is ("dir/a.b/0001", "jpg"); the key ends at the first dot of the file name.
std::pair<std::string, std::string> KeyAndExtension(absl::string_view name) {
  const size_t slash = name.rfind('/');
  const size_t file = slash == absl::string_view::npos ? 0 : slash + 1;
  const size_t dot = name.find('.', file);
  if (dot == absl::string_view::npos || dot == file) return {std::string(name), ""};
  return {std::string(name.substr(0, dot)), absl::AsciiStrToLower(name.substr(dot + 1))};
}

bool IsImage(absl::string_view extension) {
  return extension == "jpg" || extension == "jpeg" || extension == "png" || extension == "webp" ||
         extension == "bmp";
}

std::vector<std::string> Lines(absl::string_view text) {
  std::vector<std::string> lines;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    line = absl::StripAsciiWhitespace(line);
    if (!line.empty()) lines.emplace_back(line);
  }
  return lines;
}

// What the members of one key have brought so far.
struct Sample {
  std::string key;
  std::string image_name;  // empty: no image yet
  ImportItem item;
  std::optional<ImportFault> fault;  // the first
  std::string message;
  bool is_empty = true;

  void Fail(ImportFault what, std::string why) {
    if (fault.has_value()) return;
    fault = what;
    message = std::move(why);
  }
};

absl::Status Finish(const ImportPathOptions& options, const std::string& path, Sample sample,
                    ImportSink* sink) {
  if (sample.is_empty) return absl::OkStatus();
  RETURN_IF_ERROR(CheckNotCancelled(options.cancel));
  const std::string name =
      absl::StrCat(path, "#", sample.image_name.empty() ? sample.key : sample.image_name);
  if (sample.image_name.empty()) {
    sample.Fail(ImportFault::kNotFound, "found labels but no image of this key");
  }
  if (sample.fault.has_value()) return sink->Reject(name, *sample.fault, sample.message);
  sample.item.name = name;
  return sink->Add(sample.item);
}

absl::Status TakeLabels(const std::string& extension, const std::string& text, Sample& sample) {
  if (extension != "json") {
    sample.item.labels = Lines(text);
    return absl::OkStatus();
  }
  const absl::StatusOr<JsonRecord> record = ParseJsonRecord(text);
  RETURN_IF_ERROR(record.status());
  // .cls and .txt say more plainly what the label is; .json often holds other things as well.
  if (!sample.item.labels.has_value()) sample.item.labels = record->labels;
  if (record->split.has_value()) sample.item.split = record->split;
  return absl::OkStatus();
}

absl::Status TakeMember(const ImportPathOptions& options, const TarMember& member,
                        const std::string& extension, TarReader& tar, Sample& sample) {
  sample.is_empty = false;
  const bool is_image = IsImage(extension);
  const int64_t most = is_image ? options.limits.max_bytes : kMaxLabelFile;
  if (is_image) {
    if (!sample.image_name.empty()) {
      sample.Fail(ImportFault::kCorrupt, absl::StrCat("found a second image of this key, \"",
                                                      member.name, "\", expected one"));
      return absl::OkStatus();
    }
    sample.image_name = member.name;
  }
  if (member.size > most) {
    sample.Fail(ImportFault::kOversized, absl::StrCat("\"", member.name, "\" has ", member.size,
                                                      " bytes, at most ", most, " allowed"));
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(std::string content, tar.Read());
  if (is_image) {
    sample.item.bytes = std::move(content);
  } else if (const absl::Status taken = TakeLabels(extension, content, sample); !taken.ok()) {
    sample.Fail(ImportFault::kCorrupt, absl::StrCat("\"", member.name, "\": ", taken.message()));
  }
  return absl::OkStatus();
}

absl::Status ImportTar(const ImportPathOptions& options, const std::string& path,
                       ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::string real_path, ResolveUnderRoot(options.root, path));
  ASSIGN_OR_RETURN(const std::unique_ptr<TarReader> tar, TarReader::Open(path, real_path));
  Sample sample;
  while (true) {
    ASSIGN_OR_RETURN(const std::optional<TarMember> member, tar->Next());
    if (!member.has_value()) break;
    const auto [key, extension] = KeyAndExtension(member->name);
    const bool has_labels = extension == "cls" || extension == "txt" || extension == "json";
    if (!member->is_file || (!IsImage(extension) && !has_labels)) continue;
    if (sample.is_empty || key != sample.key) {
      RETURN_IF_ERROR(Finish(options, path, std::move(sample), sink));
      sample = Sample();
      sample.key = key;
      sample.item.split = options.split;
    }
    RETURN_IF_ERROR(TakeMember(options, *member, extension, *tar, sample));
  }
  return Finish(options, path, std::move(sample), sink);
}

}  // namespace

absl::Status ImportWebDataset(const ImportPathOptions& options, absl::string_view path,
                              ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::vector<std::string> files,
                   internal::ListFilesOf(options.root, path, ".tar"));
  for (const std::string& file : files) RETURN_IF_ERROR(ImportTar(options, file, sink));
  return absl::OkStatus();
}

}  // namespace fovea
