// JSON-lines manifests: an object a line tells a picture and its labels.
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "core/data/import_private.h"
#include "core/data/json_record.h"

namespace fovea {
namespace {

absl::Status ImportLine(const ImportPathOptions& options, const std::string& folder, int64_t line,
                        absl::string_view text, ImportSink* sink) {
  const std::string name = absl::StrCat("line ", line);
  const absl::StatusOr<JsonRecord> record = ParseJsonRecord(text);
  if (!record.ok()) {
    return sink->Reject(name, ImportFault::kCorrupt,
                        absl::StrCat(name, ": ", record.status().message()));
  }
  if (!record->file.has_value() || record->file->empty()) {
    return sink->Reject(name, ImportFault::kNotFound,
                        absl::StrCat(name, " names no image, expected its path in \"file\""));
  }
  // Before it is joined with the manifest's folder, which would hide a leading slash.
  if (const absl::Status status = internal::CheckRelative(*record->file); !status.ok()) {
    return sink->Reject(*record->file, ImportFault::kOutsideDataRoot,
                        std::string(status.message()));
  }
  ImportPathOptions own = options;
  if (record->split.has_value()) own.split = record->split;
  return internal::ImportFile(own, folder == "." ? *record->file : JoinPath(folder, *record->file),
                              record->labels, sink);
}

}  // namespace

absl::Status ImportJsonLines(const ImportPathOptions& options, absl::string_view path,
                             ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::string manifest, ResolveUnderRoot(options.root, path));
  if (!FileSystem::Real()->Size(manifest).ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" is not a JSON-lines manifest: it is not a regular file"));
  }
  ASSIGN_OR_RETURN(const std::string text, FileSystem::Real()->Read(manifest));
  const std::string folder = ParentPath(path);
  int64_t line = 0;
  for (absl::string_view each : absl::StrSplit(absl::StripPrefix(text, "\xef\xbb\xbf"), '\n')) {
    ++line;
    each = absl::StripAsciiWhitespace(each);
    if (each.empty()) continue;
    RETURN_IF_ERROR(ImportLine(options, folder, line, each, sink));
  }
  return absl::OkStatus();
}

}  // namespace fovea
