#include "core/base/names.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace fovea {
namespace {

constexpr size_t kMaxNameLength = 63;

bool IsFirst(char c) { return absl::ascii_islower(c) || absl::ascii_isdigit(c); }
bool IsLater(char c) { return IsFirst(c) || c == '.' || c == '_' || c == '-'; }

}  // namespace

absl::Status ValidateName(absl::string_view what, absl::string_view name) {
  const auto fault = [&](absl::string_view reason) {
    return absl::InvalidArgumentError(absl::StrCat(what, " name \"",
                                                   absl::CHexEscape(name.substr(0, 80)), "\" ",
                                                   reason, "; expected [a-z0-9][a-z0-9._-]{0,62}"));
  };
  if (name.empty()) return fault("is empty");
  if (name.size() > kMaxNameLength) {
    return fault(absl::StrCat("has ", name.size(), " characters, at most ", kMaxNameLength));
  }
  if (!IsFirst(name[0])) return fault("does not start with a lower-case letter or a digit");
  for (char c : name) {
    if (!IsLater(c)) {
      return fault(absl::StrCat("contains '", absl::CHexEscape(absl::string_view(&c, 1)), "'"));
    }
  }
  return absl::OkStatus();
}

}  // namespace fovea
