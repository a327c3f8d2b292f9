// Readers of pictures below a data root: a folder per class, CSV and JSON-lines manifests, IDX
// files, CIFAR's binary files, tar files.
//
// Each reads one file at a time and passes it on, so memory does not grow with the import. Paths
// are relative to the root; a path, a manifest line or a symbolic link that leads out of the root
// is refused. A bad picture is an item with a fault; a bad folder, manifest or IDX file is an error
// (InvalidArgument, NotFound) of the whole import.
#pragma once

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/base/cancel.h"
#include "core/data/dataset_types.h"
#include "core/data/decode.h"
#include "core/data/import_sink.h"

namespace fovea {

// The absolute path, without links, of `path` below `root`. InvalidArgument when `path` is empty,
// absolute, contains ".." or a NUL, or leads out of the root through a symbolic link; NotFound when
// it does not exist.
absl::StatusOr<std::string> ResolveUnderRoot(const std::string& root, absl::string_view path);

struct ImportPathOptions {
  std::string root;            // the data root; must exist
  std::optional<Split> split;  // of all items; absent: the split plan decides
  DecodeLimits limits;         // files above max_bytes are rejected before they are read
  const CancelToken* cancel = nullptr;
};

// <path>/<label>/<image>: each folder's name is the label; folders and images in order of name.
// Images directly below `path` are passed on without labels; names that begin with "." and folders
// inside label folders are skipped.
absl::Status ImportFolderPerClass(const ImportPathOptions& options, absl::string_view path,
                                  ImportSink* sink);

// A line per image: its path relative to the manifest's folder, then its labels, each in its own
// field: "a.png,cat,dog". A field may also hold several, separated by ";": "a.png,cat;dog".
// "a.png," has none of the labels, "a.png" is not labelled. RFC 4180 quoting (a quoted field is one
// label, ";" included), UTF-8 with or without a byte order mark, CRLF or LF. Empty lines are
// skipped, and so is a first line whose first field is "path", "file", "filename" or "image".
absl::Status ImportCsvManifest(const ImportPathOptions& options, absl::string_view path,
                               ImportSink* sink);

// A pair of IDX files as of MNIST, plain or gzip: unsigned bytes [N, H, W] or [N, H, W, C] with C 1
// or 3, and unsigned bytes [N]. A label's name is its number in decimal; an item's name is
// "<file>#<position>". InvalidArgument when the files disagree, are truncated or go on too long.
absl::Status ImportIdx(const ImportPathOptions& options, absl::string_view images_path,
                       absl::string_view labels_path, ImportSink* sink);

// A JSON object a line: {"file": "a.png", "label": "cat"}; "file" is relative to the manifest's
// folder, "labels" takes a list instead, "split" wins over the options' (json_record.h). Empty
// lines are skipped; a line that is no such object is rejected as corrupt.
absl::Status ImportJsonLines(const ImportPathOptions& options, absl::string_view path,
                             ImportSink* sink);

// A .bin file of CIFAR-10 or CIFAR-100 (the fine label counts), or a folder of them, those with
// "test" in their names into that split unless the options name one. Names of labels are those of
// batches.meta.txt or fine_label_names.txt beside the file, else numbers in decimal; a label beyond
// them is rejected as corrupt. An item's name is "<file>#<position>". InvalidArgument when the size
// is no multiple of a record's.
absl::Status ImportCifarBinary(const ImportPathOptions& options, absl::string_view path,
                               ImportSink* sink);

// A tar file, or a folder of them: KEY.jpg (.jpeg, .png, .webp, .bmp) is an image, KEY.cls or
// KEY.txt holds its labels, one a line, KEY.json an object as of ImportJsonLines without "file".
// Members of one key follow one another; others are skipped. An item's name is "<file>#<member>".
// InvalidArgument when a tar file is truncated or damaged.
absl::Status ImportWebDataset(const ImportPathOptions& options, absl::string_view path,
                              ImportSink* sink);

enum class ImportFormat { kFolderPerClass, kCsvManifest, kJsonLines, kCifarBinary, kWebDataset };

// By what lies at `path`: a folder with .tar files is a WebDataset, with .bin files CIFAR, another
// folder one per class; files go by their endings: .csv, .jsonl, .ndjson, .bin, .tar.
// InvalidArgument for others.
absl::StatusOr<ImportFormat> DetectImportFormat(const std::string& root, absl::string_view path);

}  // namespace fovea
