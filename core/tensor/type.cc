#include "core/tensor/type.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/check.h"

namespace fovea {

size_t DTypeBytes(DType dtype) {
  switch (dtype) {
    case DType::kF64:
    case DType::kI64:
      return 8;
    case DType::kF32:
    case DType::kI32:
      return 4;
    case DType::kBF16:
    case DType::kF16:
      return 2;
    case DType::kU8:
    case DType::kI8:
      return 1;
  }
  return 0;
}

const char* DTypeName(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "f32";
    case DType::kF64:
      return "f64";
    case DType::kBF16:
      return "bf16";
    case DType::kF16:
      return "f16";
    case DType::kU8:
      return "u8";
    case DType::kI8:
      return "i8";
    case DType::kI32:
      return "i32";
    case DType::kI64:
      return "i64";
  }
  return "?";
}

Dims::Dims(std::initializer_list<int64_t> extents)
    : Dims(absl::Span<const int64_t>(extents.begin(), extents.size())) {}

Dims::Dims(absl::Span<const int64_t> extents) {
  for (int64_t extent : extents) Append(extent);
}

void Dims::Append(int64_t extent) {
  CHECK(rank_ < kMaxRank);
  extents_[rank_++] = extent;
}

int64_t Dims::count() const {
  int64_t product = 1;
  for (int64_t extent : extents()) product *= extent;
  return product;
}

std::string Dims::ToString() const { return absl::StrCat("[", absl::StrJoin(extents(), ","), "]"); }

bool Dims::operator==(const Dims& other) const {
  const auto a = extents(), b = other.extents();
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

std::string Type::ToString() const {
  std::string text = absl::StrCat(DTypeName(dtype), dims.ToString());
  if (layout != kDense) absl::StrAppend(&text, "@", layout);
  return text;
}

}  // namespace fovea
