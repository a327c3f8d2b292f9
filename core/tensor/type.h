// DType, Dims, Layout, Type: what a tensor is, without its memory.
//
// Dims are logical, N,C,H,W and O,I,H,W as in ONNX (pixels: N,H,W,C). Layout says how a backend
// stores them; layout 0 is dense in logical order, other ids belong to the backend that made them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

#include "absl/types/span.h"

namespace fovea {

enum class DType : uint8_t { kF32, kF64, kBF16, kF16, kU8, kI8, kI32, kI64 };

size_t DTypeBytes(DType dtype);
const char* DTypeName(DType dtype);  // "f32", "u8", …

// The extents of a tensor: at most 8, held inline.
class Dims {
 public:
  static constexpr int kMaxRank = 8;

  constexpr Dims() = default;
  Dims(std::initializer_list<int64_t> extents);
  explicit Dims(absl::Span<const int64_t> extents);

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return extents_[axis]; }
  int64_t& operator[](int axis) { return extents_[axis]; }
  void Append(int64_t extent);
  // The product of the extents; 1 for rank 0.
  int64_t count() const;
  absl::Span<const int64_t> extents() const { return {extents_.data(), size_t(rank_)}; }
  std::string ToString() const;  // "[8,3,224,224]"
  bool operator==(const Dims& other) const;

 private:
  std::array<int64_t, kMaxRank> extents_ = {};
  int32_t rank_ = 0;
};

// 0: dense in logical order. Other ids belong to a backend.
using Layout = uint32_t;
inline constexpr Layout kDense = 0;

struct Type {
  DType dtype = DType::kF32;
  Dims dims;
  Layout layout = kDense;

  // Bytes of the dense form; a backend knows the bytes of its own layouts.
  size_t dense_bytes() const { return static_cast<size_t>(dims.count()) * DTypeBytes(dtype); }
  std::string ToString() const;  // "f32[8,64,56,56]", with "@1" when the layout is not dense
  bool operator==(const Type&) const = default;
};

}  // namespace fovea
