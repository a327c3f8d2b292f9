// Between the API's messages about data sets and the nouns of core/data. Pure.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "core/data/dataset_types.h"
#include "fovea/v1/datasets.pb.h"

namespace fovea {

v1::Split ToProto(Split split);
// `with_labels` false leaves the counts by label out, as List does.
v1::Dataset ToProto(const DatasetSpec& spec, const DatasetStatistics& statistics, bool with_labels);
v1::ImportSummary ToProto(const std::string& dataset, const ImportSummary& summary);

// InvalidArgument, with the field's path, when the task or a fraction makes no sense.
absl::StatusOr<DatasetSpec> ToSpec(const v1::CreateDatasetRequest& request);
// Absent for SPLIT_UNSPECIFIED; InvalidArgument for a value that is no split.
absl::StatusOr<std::optional<Split>> ToSplit(v1::Split split);
ImportItem ToItem(v1::ImportItem& item, std::optional<Split> split);  // takes the bytes

}  // namespace fovea
