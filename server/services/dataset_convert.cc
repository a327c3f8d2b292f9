#include "server/services/dataset_convert.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "core/base/status.h"
#include "core/train/config.h"
#include "google/protobuf/util/time_util.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {

using google::protobuf::util::TimeUtil;

v1::SplitCounts ToProto(const SplitCounts& counts) {
  v1::SplitCounts proto;
  proto.set_train(counts[static_cast<int>(Split::kTrain)]);
  proto.set_validation(counts[static_cast<int>(Split::kValidation)]);
  proto.set_test(counts[static_cast<int>(Split::kTest)]);
  return proto;
}

v1::SizeStatistics ToProto(const SizeStatistics& size) {
  v1::SizeStatistics proto;
  proto.set_min(size.min);
  proto.set_median(size.median);
  proto.set_max(size.max);
  return proto;
}

v1::TargetStatistics ToProto(const TargetStatistics& target) {
  v1::TargetStatistics proto;
  proto.set_name(target.name);
  proto.set_mean(target.mean);
  proto.set_min(target.min);
  proto.set_max(target.max);
  proto.set_stddev(target.stddev);
  return proto;
}

v1::SplitPlan ToProto(const SplitPlan& plan) {
  v1::SplitPlan proto;
  proto.set_seed(plan.seed);
  proto.set_train_fraction(plan.train_fraction);
  proto.set_validation_fraction(plan.validation_fraction);
  proto.set_test_fraction(plan.test_fraction);
  return proto;
}

v1::ImportErrorReason ToProto(ImportFault fault) {
  switch (fault) {
    case ImportFault::kCorrupt:
      return v1::IMPORT_ERROR_REASON_CORRUPT;
    case ImportFault::kDuplicate:
      return v1::IMPORT_ERROR_REASON_DUPLICATE;
    case ImportFault::kUnlabelled:
      return v1::IMPORT_ERROR_REASON_UNLABELLED;
    case ImportFault::kOversized:
      return v1::IMPORT_ERROR_REASON_OVERSIZED;
    case ImportFault::kUnsupported:
      return v1::IMPORT_ERROR_REASON_UNSUPPORTED;
    case ImportFault::kBadLabel:
      return v1::IMPORT_ERROR_REASON_BAD_LABEL;
    case ImportFault::kLabelCount:
      return v1::IMPORT_ERROR_REASON_LABEL_COUNT;
    case ImportFault::kNotFound:
      return v1::IMPORT_ERROR_REASON_NOT_FOUND;
    case ImportFault::kOutsideDataRoot:
      return v1::IMPORT_ERROR_REASON_OUTSIDE_DATA_ROOT;
    case ImportFault::kBadNumber:
      return v1::IMPORT_ERROR_REASON_BAD_NUMBER;
  }
  return v1::IMPORT_ERROR_REASON_UNSPECIFIED;
}

// When any fraction is given, the absent ones are 0.
SplitPlan ToPlan(const v1::SplitPlan& proto) {
  SplitPlan plan;
  if (proto.has_seed()) plan.seed = proto.seed();
  if (proto.has_train_fraction() || proto.has_validation_fraction() || proto.has_test_fraction()) {
    plan.train_fraction = proto.train_fraction();
    plan.validation_fraction = proto.validation_fraction();
    plan.test_fraction = proto.test_fraction();
  }
  return plan;
}

}  // namespace

v1::Split ToProto(Split split) {
  switch (split) {
    case Split::kTrain:
      return v1::SPLIT_TRAIN;
    case Split::kValidation:
      return v1::SPLIT_VALIDATION;
    case Split::kTest:
      return v1::SPLIT_TEST;
  }
  return v1::SPLIT_UNSPECIFIED;
}

v1::Dataset ToProto(const DatasetSpec& spec, const DatasetStatistics& statistics,
                    bool with_labels) {
  v1::Dataset proto;
  proto.set_name(spec.name);
  proto.set_task(ToProto(spec.task));
  proto.set_revision(statistics.revision);
  for (const TargetStatistics& target : statistics.targets) {
    if (with_labels) *proto.add_targets() = ToProto(target);
  }
  for (const LabelCounts& counts : statistics.labels) {
    if (!with_labels || IsRegression(spec.task)) break;
    v1::LabelCounts* label = proto.add_labels();
    label->set_label(counts.label);
    *label->mutable_images() = ToProto(counts.images);
  }
  proto.set_labels_fixed(!spec.labels.empty());
  *proto.mutable_images() = ToProto(statistics.images);
  proto.set_bytes(statistics.bytes);
  if (statistics.total() > 0) {
    v1::ImageStatistics* images = proto.mutable_statistics();
    *images->mutable_width() = ToProto(statistics.width);
    *images->mutable_height() = ToProto(statistics.height);
    for (const auto& [channels, count] : statistics.images_by_channels) {
      (*images->mutable_images_by_channels())[channels] = count;
    }
  }
  if (statistics.imbalance_ratio.has_value()) {
    proto.set_imbalance_ratio(*statistics.imbalance_ratio);
  }
  *proto.mutable_split_plan() = ToProto(spec.split_plan);
  *proto.mutable_create_time() =
      TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(statistics.created));
  *proto.mutable_update_time() =
      TimeUtil::MicrosecondsToTimestamp(absl::ToUnixMicros(statistics.updated));
  return proto;
}

v1::ImportSummary ToProto(const std::string& dataset, const ImportSummary& summary) {
  v1::ImportSummary proto;
  proto.set_dataset(dataset);
  proto.set_revision(summary.revision);
  proto.set_received(summary.received);
  proto.set_imported(summary.imported);
  proto.set_rejected(summary.rejected);
  for (const ImportError& error : summary.errors) {
    v1::ImportError* item = proto.add_errors();
    item->set_index(error.index);
    item->set_name(error.name);
    item->set_reason(ToProto(error.fault));
    item->set_message(error.message);
  }
  return proto;
}

absl::StatusOr<DatasetSpec> ToSpec(const v1::CreateDatasetRequest& request) {
  DatasetSpec spec;
  spec.name = request.name();
  switch (request.task()) {
    case v1::TASK_UNSPECIFIED:
    case v1::TASK_SINGLE_LABEL:
      spec.task = Task::kSingleLabel;
      break;
    case v1::TASK_MULTI_LABEL:
      spec.task = Task::kMultiLabel;
      break;
    case v1::TASK_BINARY:
      spec.task = Task::kBinary;
      break;
    case v1::TASK_REGRESSION:
      spec.task = Task::kRegression;
      break;
    case v1::TASK_UNIT_REGRESSION:
      spec.task = Task::kUnitRegression;
      break;
    default:
      return InvalidField("task", absl::StrCat("found ", static_cast<int>(request.task()),
                                               ", expected a value of fovea.v1.Task"));
  }
  spec.labels.assign(request.labels().begin(), request.labels().end());
  spec.split_plan = ToPlan(request.split_plan());
  return spec;
}

absl::StatusOr<std::optional<Split>> ToSplit(v1::Split split) {
  switch (split) {
    case v1::SPLIT_UNSPECIFIED:
      return std::nullopt;
    case v1::SPLIT_TRAIN:
      return Split::kTrain;
    case v1::SPLIT_VALIDATION:
      return Split::kValidation;
    case v1::SPLIT_TEST:
      return Split::kTest;
    default:
      return InvalidField("split",
                          absl::StrCat("found ", static_cast<int>(split),
                                       ", expected SPLIT_TRAIN, SPLIT_VALIDATION or SPLIT_TEST"));
  }
}

ImportItem ToItem(v1::ImportItem& item, std::optional<Split> split) {
  ImportItem result;
  result.name = std::move(*item.mutable_name());
  result.bytes = std::move(*item.mutable_image());
  if (item.has_labels()) {
    result.labels.emplace(item.labels().names().begin(), item.labels().names().end());
  }
  result.split = split;
  return result;
}

}  // namespace fovea
