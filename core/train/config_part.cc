#include "core/train/config_part.h"

#include "core/base/check.h"
#include "google/protobuf/descriptor.h"

namespace fovea {
namespace {

using google::protobuf::FieldDescriptor;

const FieldDescriptor& FindField(const google::protobuf::Message& part, const std::string& name) {
  const FieldDescriptor* field = part.GetDescriptor()->FindFieldByName(name);
  CHECK(field != nullptr);
  return *field;
}

}  // namespace

void PartFill::Default(const std::string& name, double value, absl::string_view reason) {
  const FieldDescriptor& field = FindField(part_, name);
  const google::protobuf::Reflection& access = *part_.GetReflection();
  if (access.HasField(part_, &field)) return;
  if (field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32) {
    access.SetUInt32(&part_, &field, static_cast<uint32_t>(value));
  } else {
    access.SetDouble(&part_, &field, value);
  }
  fill_.Chose(absl::StrCat(path_, ".", name), value, reason);
}

double PartCheck::Value(const std::string& name) const {
  const FieldDescriptor& field = FindField(part_, name);
  const google::protobuf::Reflection& access = *part_.GetReflection();
  return field.cpp_type() == FieldDescriptor::CPPTYPE_UINT32 ? access.GetUInt32(part_, &field)
                                                             : access.GetDouble(part_, &field);
}

void PartCheck::Between(const std::string& field, double low, double high) {
  const double found = Value(field);
  check_.Range(Path(field), found, found >= low && found <= high,
               absl::StrCat("a number in [", low, ", ", high, "]"));
}

void PartCheck::UpTo(const std::string& field, double high) {
  const double found = Value(field);
  check_.Range(Path(field), found, found > 0 && found <= high,
               absl::StrCat("a number in (0, ", high, "]"));
}

void PartCheck::Bounds(const std::string& low, const std::string& high, double least, double most) {
  Between(low, least, most);
  const double found = Value(high), floor = Value(low);
  check_.Range(Path(high), found, found >= floor && found <= most,
               absl::StrCat("a number in [", low, ", ", most, "], ", low, " is ", floor));
}

}  // namespace fovea
