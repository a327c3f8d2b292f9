#include "server/services/paging.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {
constexpr absl::string_view kPrefix = "after:";
}  // namespace

absl::StatusOr<int> PageSize(uint32_t requested) {
  if (requested == 0) return kDefaultPageSize;
  if (requested > static_cast<uint32_t>(kMaxPageSize)) {
    return InvalidField("page_size", absl::StrCat("found ", requested, ", expected 1 to ",
                                                  kMaxPageSize, " or 0 for ", kDefaultPageSize));
  }
  return static_cast<int>(requested);
}

std::string PageToken(absl::string_view last_key) {
  return absl::WebSafeBase64Escape(absl::StrCat(kPrefix, last_key));
}

absl::StatusOr<std::string> LastKey(absl::string_view token) {
  if (token.empty()) return std::string();
  std::string key;
  if (!absl::WebSafeBase64Unescape(token, &key) || !absl::StartsWith(key, kPrefix)) {
    return InvalidField("page_token", "expected the next_page_token of an earlier answer");
  }
  return key.substr(kPrefix.size());
}

}  // namespace fovea
