#include "core/model/quantization.h"

#include "absl/strings/str_cat.h"

namespace fovea {

v1::Quantization ToProto(const Quantization& quantization) {
  v1::Quantization proto;
  for (const auto& [name, value] : quantization.values) {
    v1::QuantizedValue& each = *proto.add_values();
    each.set_name(name);
    each.set_is_signed(value.dtype == DType::kI8);
    each.mutable_scales()->Add(value.scales.begin(), value.scales.end());
  }
  return proto;
}

Quantization FromProto(const v1::Quantization& quantization) {
  Quantization result;
  for (const v1::QuantizedValue& value : quantization.values()) {
    result.values[value.name()] = {value.is_signed() ? DType::kI8 : DType::kU8,
                                   {value.scales().begin(), value.scales().end()}};
  }
  return result;
}

absl::Status CheckQuantization(const Model& model) {
  if (model.manifest.precision() == v1::SERVED_PRECISION_INT8 &&
      model.quantization.values().empty()) {
    return absl::InvalidArgumentError(
        "the model is served in INT8 and has no scales, expected those of its calibration");
  }
  for (const v1::QuantizedValue& value : model.quantization.values()) {
    if (value.scales().empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("value \"", value.name(), "\" has no scale, expected at least one"));
    }
    for (float scale : value.scales()) {
      if (scale > 0) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("value \"", value.name(), "\" has scale ", scale, ", expected more than 0"));
    }
  }
  return absl::OkStatus();
}

}  // namespace fovea
