#include "core/onnx/tensor_proto.h"

#include <algorithm>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/tensor/half.h"

namespace fovea {

namespace {

using onnx::TensorProto;

// Copies the elements, from raw bytes or from the typed field.
template <typename Stored, typename Field, typename Wanted>
void Copy(const TensorProto& tensor, const Field& field, std::vector<Wanted>& values) {
  if (!tensor.has_raw_data()) {
    for (int i = 0; i < field.size(); ++i) values.push_back(static_cast<Wanted>(field[i]));
    return;
  }
  const std::string& raw = tensor.raw_data();
  for (size_t at = 0; at + sizeof(Stored) <= raw.size(); at += sizeof(Stored)) {
    Stored element;
    std::memcpy(&element, raw.data() + at, sizeof(Stored));
    values.push_back(static_cast<Wanted>(element));
  }
}

// How many elements the data holds; −1 for a type that is not read.
int64_t StoredCount(const TensorProto& tensor) {
  const auto count = [&](int typed, size_t element_bytes) -> int64_t {
    if (!tensor.has_raw_data()) return typed;
    const size_t bytes = tensor.raw_data().size();
    return bytes % element_bytes == 0 ? static_cast<int64_t>(bytes / element_bytes) : -2;
  };
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      return count(tensor.float_data_size(), 4);
    case TensorProto::DOUBLE:
      return count(tensor.double_data_size(), 8);
    case TensorProto::FLOAT16:
      return count(tensor.int32_data_size(), 2);
    case TensorProto::INT64:
      return count(tensor.int64_data_size(), 8);
    case TensorProto::INT32:
      return count(tensor.int32_data_size(), 4);
    case TensorProto::BOOL:
      return count(tensor.int32_data_size(), 1);
    default:
      return -1;
  }
}

std::string Quoted(const TensorProto& tensor) { return absl::StrCat("\"", tensor.name(), "\""); }

// Fails unless the tensor's data is in the file, of a known type and as long as its dims say.
absl::StatusOr<Dims> CheckedDims(const TensorProto& tensor) {
  if (tensor.data_location() == TensorProto::EXTERNAL || tensor.external_data_size() > 0) {
    return absl::UnimplementedError(
        absl::StrCat("tensor ", Quoted(tensor), ": data outside of the file"));
  }
  const int64_t stored = StoredCount(tensor);
  if (stored == -1) {
    return absl::UnimplementedError(
        absl::StrCat("tensor ", Quoted(tensor), ": element type ", tensor.data_type()));
  }
  if (tensor.dims_size() > Dims::kMaxRank) {
    return absl::DataLossError(absl::StrCat("tensor ", Quoted(tensor), ": ", tensor.dims_size(),
                                            " axes, expected at most ", Dims::kMaxRank));
  }
  Dims dims;
  int64_t count = 1;
  for (int64_t extent : tensor.dims()) {
    if (extent < 1 || __builtin_mul_overflow(count, extent, &count)) {
      return absl::DataLossError(absl::StrCat("tensor ", Quoted(tensor), ": extent ", extent));
    }
    dims.Append(extent);
  }
  if (count != stored) {
    return absl::DataLossError(absl::StrCat("tensor ", Quoted(tensor), ": ", stored,
                                            " elements stored, expected ", dims.ToString()));
  }
  return dims;
}

absl::Status WrongType(const TensorProto& tensor, absl::string_view expected) {
  return absl::UnimplementedError(absl::StrCat("tensor ", Quoted(tensor), ": element type ",
                                               tensor.data_type(), ", expected ", expected));
}

}  // namespace

absl::StatusOr<Dims> DimsOf(const TensorProto& tensor) { return CheckedDims(tensor); }

absl::StatusOr<std::vector<float>> FloatsOf(const TensorProto& tensor) {
  ASSIGN_OR_RETURN(const Dims dims, CheckedDims(tensor));
  std::vector<float> values;
  values.reserve(dims.count());
  switch (tensor.data_type()) {
    case TensorProto::FLOAT:
      Copy<float>(tensor, tensor.float_data(), values);
      return values;
    case TensorProto::DOUBLE:
      Copy<double>(tensor, tensor.double_data(), values);
      return values;
    case TensorProto::FLOAT16: {
      std::vector<uint16_t> bits;
      Copy<uint16_t>(tensor, tensor.int32_data(), bits);
      for (uint16_t element : bits) values.push_back(FromF16Bits(element));
      return values;
    }
    default:
      return WrongType(tensor, "FLOAT");
  }
}

absl::StatusOr<std::vector<int64_t>> IntsOf(const TensorProto& tensor) {
  // A list of no sizes is legal here, unlike a weight without elements.
  if (tensor.dims_size() == 1 && tensor.dims(0) == 0) return std::vector<int64_t>();
  ASSIGN_OR_RETURN(const Dims dims, CheckedDims(tensor));
  std::vector<int64_t> values;
  values.reserve(dims.count());
  switch (tensor.data_type()) {
    case TensorProto::INT64:
      Copy<int64_t>(tensor, tensor.int64_data(), values);
      return values;
    case TensorProto::INT32:
      Copy<int32_t>(tensor, tensor.int32_data(), values);
      return values;
    case TensorProto::BOOL:
      Copy<uint8_t>(tensor, tensor.int32_data(), values);
      return values;
    default:
      return WrongType(tensor, "INT64");
  }
}

void SetFloats(const std::string& name, absl::Span<const int64_t> dims,
               absl::Span<const float> values, TensorProto& tensor) {
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::FLOAT);
  for (int64_t extent : dims) tensor.add_dims(extent);
  tensor.set_raw_data(values.data(), values.size() * sizeof(float));
}

void SetF16s(const std::string& name, absl::Span<const int64_t> dims,
             absl::Span<const float> values, TensorProto& tensor) {
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::FLOAT16);
  for (int64_t extent : dims) tensor.add_dims(extent);
  std::vector<uint16_t> bits;
  for (float value : values) bits.push_back(F16Bits(std::clamp(value, -kF16Max, kF16Max)));
  tensor.set_raw_data(bits.data(), bits.size() * sizeof(uint16_t));
}

void SetInts(const std::string& name, absl::Span<const int64_t> values, TensorProto& tensor) {
  tensor.set_name(name);
  tensor.set_data_type(TensorProto::INT64);
  tensor.add_dims(values.size());
  tensor.set_raw_data(values.data(), values.size() * sizeof(int64_t));
}

}  // namespace fovea
