// Pages of a list: how many entries, and an opaque token that says where the next one begins.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace fovea {

inline constexpr int kDefaultPageSize = 100;
inline constexpr int kMaxPageSize = 1000;

// The entries of a page; 0 means the default. InvalidArgument names what was found.
absl::StatusOr<int> PageSize(uint32_t requested);

// A token carries the key of a page's last entry. "" stands for the first page.
std::string PageToken(absl::string_view last_key);
// InvalidArgument when the token is not one of ours.
absl::StatusOr<std::string> LastKey(absl::string_view token);

}  // namespace fovea
