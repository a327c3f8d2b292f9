#include "server/services/preview.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "core/base/status.h"
#include "core/data/augment.h"
#include "core/data/contact_sheet.h"
#include "core/data/decode.h"
#include "core/data/mix.h"
#include "core/data/sampler.h"
#include "core/data/store_dataset.h"
#include "core/train/config.h"
#include "core/train/recipe.h"
#include "server/rpc/errors.h"
#include "server/services/dataset_convert.h"

namespace fovea {
namespace {

constexpr uint32_t kMaxExamples = 32, kDefaultExamples = 8;
constexpr uint32_t kMaxVariants = 16, kDefaultVariants = 7;

bool Matters(absl::string_view field) {
  for (const char* part :
       {"config.input", "config.augmentation", "config.mixup", "config.cutmix"}) {
    if (absl::StartsWith(field, part)) return true;
  }
  return field == "config.seed";
}

// The configuration as a training would complete it.
absl::StatusOr<CompleteConfig> CompleteForPreview(const v1::TrainingConfig& config,
                                                  const DatasetStatistics& statistics) {
  CompleteConfig complete = FillDefaults(config, statistics, TrainingBudget(1));
  std::vector<std::pair<std::string, std::string>> wrong;
  for (const FieldViolation& each : FindViolations(complete.config, statistics)) {
    if (Matters(each.field)) wrong.emplace_back(each.field, each.description);
  }
  if (!wrong.empty()) return WithReason(InvalidFields(wrong), "BAD_CONFIG");
  return complete;
}

absl::Status CheckCounts(const v1::PreviewDatasetRequest& request) {
  if (request.has_examples() && (request.examples() < 1 || request.examples() > kMaxExamples)) {
    return InvalidField(
        "examples", absl::StrCat("found ", request.examples(), ", expected 1 to ", kMaxExamples));
  }
  if (request.variants() > kMaxVariants) {
    return InvalidField(
        "variants", absl::StrCat("found ", request.variants(), ", expected 0 to ", kMaxVariants));
  }
  return absl::OkStatus();
}

// The pictures of one column, as a batch.
struct Column {
  std::vector<uint8_t> pixels;  // [rows, H, W, C]
  std::vector<float> targets;   // [rows, labels]
};

absl::StatusOr<Column> ReadOriginals(const Dataset& dataset, absl::Span<const int64_t> examples) {
  const size_t bytes = dataset.shape().bytes(), labels = static_cast<size_t>(dataset.labels());
  Column column = {std::vector<uint8_t>(examples.size() * bytes),
                   std::vector<float>(examples.size() * labels)};
  for (size_t i = 0; i < examples.size(); ++i) {
    RETURN_IF_ERROR(dataset.Read(examples[i], column.pixels.data() + i * bytes,
                                 column.targets.data() + i * labels));
  }
  return column;
}

absl::StatusOr<Column> Change(const Column& originals, absl::Span<const int64_t> examples,
                              int64_t epoch, const v1::TrainingConfig& config, int labels) {
  const PixelShape shape = PixelShapeOf(config);
  Augmenter augmenter(AugmentOptionsOf(config), shape);
  Column column = originals;
  for (size_t i = 0; i < examples.size(); ++i) {
    const AugmentKey key = {
        .seed = config.seed(), .step = epoch, .epoch = epoch, .example = examples[i]};
    const size_t at = i * shape.bytes();
    RETURN_IF_ERROR(
        augmenter.Apply(key, 1, originals.pixels.data() + at, column.pixels.data() + at));
  }
  ApplyMix(ChooseMix(MixOptionsOf(config), shape, config.seed(), epoch), shape,
           static_cast<int64_t>(examples.size()), column.pixels.data(), labels,
           column.targets.data());
  return column;
}

// What applies, the most first, each with its share where that is not all of it.
std::vector<std::string> Names(absl::Span<const float> target,
                               const std::vector<std::string>& labels) {
  std::vector<size_t> order;
  for (size_t l = 0; l < target.size(); ++l) {
    if (target[l] >= 0.005f) order.push_back(l);
  }
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return target[a] > target[b]; });
  std::vector<std::string> names;
  for (size_t l : order) {
    names.push_back(target[l] == 1 ? labels[l] : absl::StrFormat("%.2f %s", target[l], labels[l]));
  }
  return names;
}

SheetCell MakeCell(const Column& column, size_t row, const Column& originals,
                   const PixelShape& shape, const std::vector<std::string>& labels) {
  const auto target = [&](const Column& of) {
    return absl::MakeConstSpan(of.targets).subspan(row * labels.size(), labels.size());
  };
  const auto begin = column.pixels.begin() + static_cast<int64_t>(row * shape.bytes());
  SheetCell cell = {{begin, begin + static_cast<int64_t>(shape.bytes())}, ""};
  if (target(column) == target(originals)) return cell;
  for (const std::string& name : Names(target(column), labels)) {
    absl::StrAppend(&cell.caption, cell.caption.empty() ? "" : ", ", name);
  }
  return cell;
}

}  // namespace

absl::StatusOr<v1::DatasetPreview> Preview(const DatasetStore& store,
                                           const v1::PreviewDatasetRequest& request,
                                           const CancelToken& cancel) {
  RETURN_IF_ERROR(CheckCounts(request));
  ASSIGN_OR_RETURN(const std::optional<Split> split, ToSplit(request.split()));
  ASSIGN_OR_RETURN(const DatasetStatistics statistics, store.Statistics());
  ASSIGN_OR_RETURN(const CompleteConfig complete, CompleteForPreview(request.config(), statistics));
  const v1::TrainingConfig& config = complete.config;

  StoreDataset::Options source;
  source.path = store.path();
  source.split = split.value_or(Split::kTrain);
  source.revision = statistics.revision;
  source.shape = PixelShapeOf(config);
  source.cache_bytes = 0;  // few pictures are read, and once
  source.cancel = &cancel;
  ASSIGN_OR_RETURN(const std::unique_ptr<StoreDataset> dataset, StoreDataset::Open(source));
  if (dataset->size() == 0) {
    return WithReason(absl::FailedPreconditionError(
                          absl::StrCat("data set \"", store.spec().name, "\": found no image in ",
                                       "the ", SplitName(source.split), " split, expected some")),
                      "EMPTY_SPLIT");
  }
  std::vector<int64_t> examples(static_cast<size_t>(dataset->size()));
  ShuffleEpoch(config.seed(), 0, absl::MakeSpan(examples));
  const size_t rows = request.has_examples() ? request.examples() : kDefaultExamples;
  examples.resize(std::min(examples.size(), rows));
  const int64_t variants = request.has_variants() ? request.variants() : kDefaultVariants;

  ASSIGN_OR_RETURN(const Column originals, ReadOriginals(*dataset, examples));
  const std::vector<std::string>& labels = dataset->label_names();
  ContactSheet sheet = {source.shape, {"original"}, std::vector<SheetRow>(examples.size())};
  for (size_t r = 0; r < examples.size(); ++r) {
    sheet.rows[r].title = Names(
        absl::MakeConstSpan(originals.targets).subspan(r * labels.size(), labels.size()), labels);
    sheet.rows[r].cells.push_back(MakeCell(originals, r, originals, source.shape, labels));
  }
  for (int64_t epoch = 0; epoch < variants; ++epoch) {
    RETURN_IF_ERROR(CheckNotCancelled(&cancel));
    ASSIGN_OR_RETURN(const Column column,
                     Change(originals, examples, epoch, config, dataset->labels()));
    sheet.headings.push_back(absl::StrCat("epoch ", epoch + 1));
    for (size_t r = 0; r < examples.size(); ++r) {
      sheet.rows[r].cells.push_back(MakeCell(column, r, originals, source.shape, labels));
    }
  }
  ASSIGN_OR_RETURN(const Image image, DrawContactSheet(sheet));
  v1::DatasetPreview preview;
  ASSIGN_OR_RETURN(*preview.mutable_png(), EncodePng(image));
  for (const v1::Choice& choice : complete.choices) {
    if (Matters(choice.name())) *preview.add_choices() = choice;
  }
  return preview;
}

}  // namespace fovea
