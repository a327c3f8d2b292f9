// ModelVersions: what a ModelManager knows of one model: the state of each version, and which of
// them answers requests for none in particular and for each alias.
//
// The repository says which version should answer; until that one is live the one before it does.
// So an alias or the default moves only to a version that is loaded and warm. Loads nothing
// itself. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "fovea/v1/serving.pb.h"
#include "server/serving/served_version.h"
#include "server/serving/version_ref.h"

namespace fovea {

struct VersionEntry {
  enum class State { kStored, kLoading, kServing, kUnloading, kFailed };
  using Ready = absl::AnyInvocable<void(absl::StatusOr<ModelHandle>)>;

  State state = State::kStored;
  ModelHandle handle;                       // of kServing
  std::weak_ptr<const ServedVersion> last;  // of kUnloading
  absl::Status error;                       // of kFailed
  absl::Time failed_at;
  bool on_demand = false;  // because a request named it
  uint64_t last_use = 0;
  std::vector<Ready> waiting;  // of kLoading
};

class ModelVersions {
 public:
  using State = VersionEntry::State;
  using Waiting = std::vector<VersionEntry::Ready>;

  explicit ModelVersions(int max_on_demand) : max_on_demand_(max_on_demand) {}

  // What the repository says: the model's versions, ascending, and how they are served.
  void Follow(const std::vector<uint64_t>& stored, v1::Serving serving);
  const v1::Serving& serving() const { return serving_; }
  // The version that should answer. NotFound names what is missing.
  absl::StatusOr<uint64_t> Target(const std::string& model, const VersionRef& ref) const;
  // What should be loaded, is not, and has not been tried without success; ascending. None while
  // the model is out of service.
  std::vector<uint64_t> Missing() const;

  // The live version that answers; null when there is none.
  ModelHandle Find(const VersionRef& ref);
  // Those that serve, ascending.
  std::vector<uint64_t> Live() const;
  const std::map<uint64_t, VersionEntry>& entries() const { return entries_; }
  // Null for a version that was never asked for.
  const VersionEntry* Get(uint64_t version) const;
  // Made when there is none.
  VersionEntry& At(uint64_t version) { return entries_[version]; }
  void SetServing(uint64_t version, ModelHandle handle);
  // Forgets a version that the repository has no longer; answers who waited for it.
  Waiting Drop(uint64_t version);

  // Unloads every version, and keeps it so until BringBack; answers who waited for one.
  Waiting TakeOut();
  // Also lets versions that failed be tried again.
  void BringBack();
  bool taken_out() const { return taken_out_; }

 private:
  static void Unload(VersionEntry& entry);
  bool Serves(uint64_t version) const;
  // Moves default and aliases to where they should be, as far as that is live, and unloads what is
  // needed no longer.
  void Settle();

  const int max_on_demand_;
  std::map<uint64_t, VersionEntry> entries_;
  v1::Serving serving_;
  std::vector<uint64_t> chosen_;               // by the policy, ascending
  std::set<uint64_t> wanted_;                  // chosen, or with an alias, and stored
  std::map<std::string, uint64_t> answering_;  // by alias; "": the default
  bool taken_out_ = false;
  uint64_t uses_ = 0;
};

}  // namespace fovea
