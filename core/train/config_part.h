// Defaults and ranges of the fields of one message of a configuration, by name.
#pragma once

#include <string>
#include <utility>

#include "absl/strings/string_view.h"
#include "core/train/config_sections.h"
#include "google/protobuf/message.h"

namespace fovea {

// Completes optional double and uint32 fields of `part`, which lies at `path`.
class PartFill {
 public:
  PartFill(ConfigFill& fill, std::string path, google::protobuf::Message& part)
      : fill_(fill), path_(std::move(path)), part_(part) {}

  // Sets the field to `value` where it is absent, and says so.
  void Default(const std::string& field, double value, absl::string_view reason = "the default");

 private:
  ConfigFill& fill_;
  const std::string path_;
  google::protobuf::Message& part_;
};

// Tests double and uint32 fields of `part`.
class PartCheck {
 public:
  PartCheck(ConfigCheck& check, std::string path, const google::protobuf::Message& part)
      : check_(check), path_(std::move(path)), part_(part) {}

  void Share(const std::string& field) { Between(field, 0, 1); }
  // In [low, high].
  void Between(const std::string& field, double low, double high);
  // In (0, high].
  void UpTo(const std::string& field, double high);
  // `low` in [least, most] and `high` in [low, most].
  void Bounds(const std::string& low, const std::string& high, double least, double most);

 private:
  double Value(const std::string& field) const;
  std::string Path(absl::string_view field) const { return absl::StrCat(path_, ".", field); }

  ConfigCheck& check_;
  const std::string path_;
  const google::protobuf::Message& part_;
};

}  // namespace fovea
