// CSV manifests: which picture has which labels.
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "core/data/csv.h"
#include "core/data/import_private.h"

namespace fovea {
namespace {

bool IsHeading(const CsvRecord& record) {
  const std::string first = absl::AsciiStrToLower(record.fields[0].text);
  return first == "path" || first == "file" || first == "filename" || first == "image";
}

// Fields behind the path. None: not labelled. Empty ones stand for no label.
std::optional<std::vector<std::string>> LabelsOf(const CsvRecord& record) {
  if (record.fields.size() < 2) return std::nullopt;
  std::vector<std::string> labels;
  for (size_t i = 1; i < record.fields.size(); ++i) {
    const CsvField& field = record.fields[i];
    if (field.quoted) {
      if (!field.text.empty()) labels.push_back(field.text);
      continue;
    }
    for (absl::string_view label : absl::StrSplit(field.text, ';')) {
      label = absl::StripAsciiWhitespace(label);
      if (!label.empty()) labels.emplace_back(label);
    }
  }
  return labels;
}

absl::Status ImportRecord(const ImportPathOptions& options, const std::string& folder,
                          const CsvRecord& record, ImportSink* sink) {
  const std::string& path = record.fields[0].text;
  if (path.empty()) {
    return sink->Reject(absl::StrCat("line ", record.line), ImportFault::kNotFound,
                        absl::StrCat("line ", record.line, " names no image, expected its path"));
  }
  // Before it is joined with the manifest's folder, which would hide a leading slash.
  if (const absl::Status status = internal::CheckRelative(path); !status.ok()) {
    return sink->Reject(path, ImportFault::kOutsideDataRoot, std::string(status.message()));
  }
  return internal::ImportFile(options, folder == "." ? path : JoinPath(folder, path),
                              LabelsOf(record), sink);
}

}  // namespace

absl::Status ImportCsvManifest(const ImportPathOptions& options, absl::string_view path,
                               ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::string manifest, ResolveUnderRoot(options.root, path));
  if (const absl::Status status = FileSystem::Real()->Size(manifest).status(); !status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\" is not a CSV manifest: it is ", "not a regular file"));
  }
  ASSIGN_OR_RETURN(const std::string text, FileSystem::Real()->Read(manifest));
  const std::string folder = ParentPath(path);
  CsvReader reader(text);
  CsvRecord record;
  bool is_first = true;
  while (true) {
    const absl::StatusOr<bool> more = reader.Next(&record);
    if (!more.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("CSV manifest \"", path, "\", ", more.status().message()));
    }
    if (!*more) return absl::OkStatus();
    if (!std::exchange(is_first, false) || !IsHeading(record)) {
      RETURN_IF_ERROR(ImportRecord(options, folder, record, sink));
    }
  }
}

}  // namespace fovea
