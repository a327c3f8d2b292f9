// VersionRef: which version of a model a request asks for: a number, an alias, or neither.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

namespace fovea {

struct VersionRef {
  std::optional<uint64_t> number;
  std::string alias;  // empty: none; never beside a number

  VersionRef() = default;
  // A number is the plainest reference, and nullopt is none.
  VersionRef(std::nullopt_t) {}                                     // NOLINT
  VersionRef(uint64_t version) : number(version) {}                 // NOLINT
  VersionRef(std::optional<uint64_t> version) : number(version) {}  // NOLINT
  explicit VersionRef(std::string name) : alias(std::move(name)) {}
};

}  // namespace fovea
