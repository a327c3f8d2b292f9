// The four formats' headers and ends, parsed by hand; private to decode.cc, one .cc per idea.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "core/data/decode.h"

namespace fovea::internal {

absl::StatusOr<ImageInfo> ProbeJpeg(absl::string_view bytes);
absl::StatusOr<ImageInfo> ProbePng(absl::string_view bytes);
absl::StatusOr<ImageInfo> ProbeWebp(absl::string_view bytes);
absl::StatusOr<ImageInfo> ProbeBmp(absl::string_view bytes);

// InvalidArgument when the file ends before its format says it may: decoders would fill in grey.
// `bytes` have passed the probe of their format.
absl::Status CheckJpegComplete(absl::string_view bytes);
absl::Status CheckPngComplete(absl::string_view bytes);  // and the checksums of its chunks
absl::Status CheckWebpComplete(absl::string_view bytes);
absl::Status CheckBmpComplete(absl::string_view bytes);

}  // namespace fovea::internal
