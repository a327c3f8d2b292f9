// An ImportSink that keeps what it is given.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/data/import_sink.h"

namespace fovea::testing {

// Notes "name: label|label", "name: (unlabelled)" or "name! fault"; with a split, " @test" follows.
class RecordingSink : public ImportSink {
 public:
  absl::Status Add(const ImportItem& item) override {
    items.push_back(item);
    lines.push_back(absl::StrCat(item.name, ": ",
                                 item.labels ? absl::StrJoin(*item.labels, "|") : "(unlabelled)",
                                 item.split ? " @" : "", item.split ? SplitName(*item.split) : ""));
    return absl::OkStatus();
  }
  absl::Status Reject(const std::string& name, ImportFault fault,
                      const std::string& message) override {
    lines.push_back(absl::StrCat(name, "! ", ImportFaultName(fault)));
    messages.push_back(message);
    return absl::OkStatus();
  }
  std::vector<ImportItem> items;
  std::vector<std::string> lines;
  std::vector<std::string> messages;
};

}  // namespace fovea::testing
