#include "server/serving/model_versions.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "server/serving/version_policy.h"

namespace fovea {
namespace {
constexpr char kDefault[] = "";  // no alias is empty
}  // namespace

void ModelVersions::Follow(const std::vector<uint64_t>& stored, v1::Serving serving) {
  serving_ = std::move(serving);
  chosen_ = ChosenVersions(serving_.policy(), stored);
  wanted_ = {chosen_.begin(), chosen_.end()};
  for (const auto& [alias, version] : serving_.aliases()) {
    if (std::binary_search(stored.begin(), stored.end(), version)) wanted_.insert(version);
  }
  Settle();
}

absl::StatusOr<uint64_t> ModelVersions::Target(const std::string& model,
                                               const VersionRef& ref) const {
  if (ref.number.has_value()) return *ref.number;
  if (ref.alias.empty()) {
    if (!chosen_.empty()) return chosen_.back();
    return absl::NotFoundError(
        absl::StrCat("model \"", model, "\" has none of the versions that its policy names: ",
                     absl::StrJoin(serving_.policy().versions().versions(), ", ")));
  }
  const auto found = serving_.aliases().find(ref.alias);
  if (found != serving_.aliases().end()) return found->second;
  std::vector<std::string> aliases;
  for (const auto& [alias, version] : serving_.aliases()) aliases.push_back(alias);
  std::sort(aliases.begin(), aliases.end());
  return absl::NotFoundError(
      absl::StrCat("model \"", model, "\" has no alias \"", ref.alias, "\", only ",
                   aliases.empty() ? "versions" : absl::StrJoin(aliases, ", ")));
}

std::vector<uint64_t> ModelVersions::Missing() const {
  std::vector<uint64_t> missing;
  if (taken_out_) return missing;
  for (const uint64_t version : wanted_) {
    const VersionEntry* entry = Get(version);
    const bool tried = entry != nullptr && entry->state == State::kFailed;
    if (!tried && !Serves(version)) missing.push_back(version);
  }
  return missing;
}

ModelHandle ModelVersions::Find(const VersionRef& ref) {
  uint64_t version = 0;
  if (ref.number.has_value()) {
    version = *ref.number;
  } else {
    const auto answering = answering_.find(ref.alias);
    if (answering == answering_.end()) return nullptr;
    version = answering->second;
  }
  const auto found = entries_.find(version);
  if (found == entries_.end() || found->second.state != State::kServing) return nullptr;
  found->second.last_use = ++uses_;
  return found->second.handle;
}

const VersionEntry* ModelVersions::Get(uint64_t version) const {
  const auto found = entries_.find(version);
  return found == entries_.end() ? nullptr : &found->second;
}

std::vector<uint64_t> ModelVersions::Live() const {
  std::vector<uint64_t> live;
  for (const auto& [version, entry] : entries_) {
    if (entry.state == State::kServing) live.push_back(version);
  }
  return live;
}

void ModelVersions::SetServing(uint64_t version, ModelHandle handle) {
  VersionEntry& entry = entries_[version];
  entry.state = State::kServing;
  entry.handle = std::move(handle);
  entry.last_use = ++uses_;
  Settle();
}

ModelVersions::Waiting ModelVersions::Drop(uint64_t version) {
  const auto found = entries_.find(version);
  if (found == entries_.end()) return {};
  Waiting waiting = std::move(found->second.waiting);
  entries_.erase(found);
  return waiting;
}

ModelVersions::Waiting ModelVersions::TakeOut() {
  taken_out_ = true;
  answering_.clear();
  Waiting waiting;
  for (auto& [version, entry] : entries_) {
    Unload(entry);
    std::move(entry.waiting.begin(), entry.waiting.end(), std::back_inserter(waiting));
  }
  // Whoever loads one of these will find that nobody waits for it.
  std::erase_if(entries_, [](const auto& each) { return each.second.state == State::kLoading; });
  return waiting;
}

void ModelVersions::BringBack() {
  taken_out_ = false;
  std::erase_if(entries_, [](const auto& each) { return each.second.state == State::kFailed; });
}

void ModelVersions::Unload(VersionEntry& entry) {
  if (entry.state != State::kServing) return;
  entry.state = State::kUnloading;
  entry.last = entry.handle;
  entry.handle.reset();  // what remains are the handles of requests
}

bool ModelVersions::Serves(uint64_t version) const {
  const VersionEntry* entry = Get(version);
  return entry != nullptr && entry->state == State::kServing;
}

void ModelVersions::Settle() {
  const auto newest = std::find_if(chosen_.rbegin(), chosen_.rend(),
                                   [this](uint64_t version) { return Serves(version); });
  if (newest != chosen_.rend()) answering_[kDefault] = *newest;
  for (const auto& [alias, version] : serving_.aliases()) {
    if (Serves(version)) answering_[alias] = version;
  }
  std::erase_if(answering_, [this](const auto& each) {
    const bool known = each.first == kDefault || serving_.aliases().contains(each.first);
    return !known || !Serves(each.second);
  });

  std::set<uint64_t> keep = wanted_;
  for (const auto& [alias, version] : answering_) keep.insert(version);
  std::vector<LoadedVersion> loaded;
  for (auto& [version, entry] : entries_) {
    if (keep.contains(version)) entry.on_demand = false;
    if (entry.state != State::kServing) continue;
    loaded.push_back({version, entry.on_demand, entry.last_use});
  }
  for (const uint64_t version : VersionsToUnload(std::move(loaded), keep, max_on_demand_)) {
    Unload(entries_[version]);
  }
}

}  // namespace fovea
