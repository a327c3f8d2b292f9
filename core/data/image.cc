#include "core/data/image.h"

#include "absl/strings/str_cat.h"

namespace fovea {

std::string PixelShape::ToString() const { return absl::StrCat(width, "x", height, "x", channels); }

}  // namespace fovea
