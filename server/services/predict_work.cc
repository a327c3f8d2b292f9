#include "server/services/predict_work.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "core/base/status.h"
#include "core/model/open_set.h"
#include "google/protobuf/util/time_util.h"
#include "server/rpc/errors.h"
#include "server/services/model_errors.h"
#include "server/services/version_of.h"
#include "server/serving/scoring.h"

namespace fovea {
namespace {

std::string FieldOf(int image, absl::string_view field) {
  return absl::StrCat("images[", image, "].", field);
}

absl::Status CheckRaw(const v1::RawImage& raw, int image, const DecodeLimits& limits) {
  if (raw.channels() != 1 && raw.channels() != 3) {
    return InvalidField(FieldOf(image, "raw.channels"),
                        absl::StrCat("found ", raw.channels(), ", expected 1 (grey) or 3 (RGB)"));
  }
  const uint64_t pixels = uint64_t{raw.width()} * raw.height();
  if (pixels == 0 || pixels > static_cast<uint64_t>(limits.max_pixels)) {
    return InvalidField(FieldOf(image, "raw"),
                        absl::StrCat("found ", raw.width(), "x", raw.height(),
                                     " pixels, expected 1 to ", limits.max_pixels, " in all"));
  }
  if (raw.pixels().size() != pixels * raw.channels()) {
    return InvalidField(
        FieldOf(image, "raw.pixels"),
        absl::StrCat("found ", raw.pixels().size(), " bytes, expected ", pixels * raw.channels(),
                     " (", raw.height(), " x ", raw.width(), " x ", raw.channels(), ")"));
  }
  return absl::OkStatus();
}

PredictImage ToImage(const v1::Image& image) {
  if (!image.has_raw()) return {image.encoded(), std::nullopt};
  const v1::RawImage& raw = image.raw();
  return {raw.pixels(), PixelShape{static_cast<int>(raw.width()), static_cast<int>(raw.height()),
                                   static_cast<int>(raw.channels())}};
}

Priority ToPriority(v1::Priority priority) {
  if (priority == v1::PRIORITY_HIGH) return Priority::kHigh;
  return priority == v1::PRIORITY_LOW ? Priority::kLow : Priority::kNormal;
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::NanosecondsToDuration(
      absl::ToInt64Nanoseconds(duration));
}

absl::Status CheckForModel(const v1::PredictRequest& request, const ServedVersion& model) {
  if (request.has_threshold() && !model.has_thresholds()) {
    return InvalidField(
        "threshold",
        absl::StrCat("found one for a ", model.regression() ? "regression" : "single-label",
                     " model, expected none"));
  }
  if (request.has_top_k() && model.regression()) {
    return InvalidField("top_k", "found one for a regression model, expected none");
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckPredictRequest(const v1::PredictRequest& request, const Limits& limits) {
  if (request.model().empty()) return InvalidField("model", "found none, expected a model's name");
  if (request.images().empty() || request.images_size() > limits.max_images) {
    return InvalidField("images", absl::StrCat("found ", request.images_size(), ", expected 1 to ",
                                               limits.max_images));
  }
  if (request.has_top_k() && request.top_k() == 0) {
    return InvalidField("top_k", "found 0, expected at least 1");
  }
  if (request.has_threshold() && !(request.threshold() >= 0 && request.threshold() <= 1)) {
    return InvalidField(
        "threshold", absl::StrCat("found ", request.threshold(), ", expected a number in [0, 1]"));
  }
  if (!v1::Priority_IsValid(request.priority())) {
    return InvalidField("priority",
                        absl::StrCat("found ", request.priority(), ", expected 0 to 3"));
  }
  for (int i = 0; i < request.images_size(); ++i) {
    const v1::Image& image = request.images(i);
    if (image.has_raw()) {
      RETURN_IF_ERROR(CheckRaw(image.raw(), i, limits.decode));
    } else if (image.encoded().empty()) {
      return InvalidField(FieldOf(i, "encoded"), "found no bytes, expected an encoded picture");
    }
  }
  return absl::OkStatus();
}

PredictWork::PredictWork(const PredictShared& shared, PredictCaller caller,
                         const v1::PredictRequest* request, v1::PredictResponse* response)
    : shared_(shared), caller_(std::move(caller)), request_(*request), response_(response) {}

void PredictWork::Run(Done done) {
  done_ = std::move(done);
  if (const absl::Status status = CheckPredictRequest(request_, shared_.limits); !status.ok()) {
    return done_(status);
  }
  const absl::StatusOr<VersionRef> version = VersionOf(request_);
  if (!version.ok()) return done_(version.status());
  shared_.manager->Acquire(request_.model(), *version, [this](absl::StatusOr<ModelHandle> model) {
    if (model.ok()) return Begin(*std::move(model));
    done_(AboutModel(model.status()));
  });
}

void PredictWork::Begin(ModelHandle model) {
  if (const absl::Status status = CheckForModel(request_, *model); !status.ok()) {
    return done_(status);
  }
  if (model->has_thresholds()) {
    const auto& own = model->manifest().thresholds();
    thresholds_.assign(own.begin(), own.end());
    thresholds_.resize(model->outputs(), 0.5f);
    if (request_.has_threshold())
      std::fill(thresholds_.begin(), thresholds_.end(), request_.threshold());
  }
  model_ = model;
  PredictRequest request;
  request.model = std::move(model);
  request.images.reserve(request_.images_size());
  for (const v1::Image& image : request_.images()) request.images.push_back(ToImage(image));
  request.deadline = caller_.deadline;
  request.priority = ToPriority(request_.priority());
  request.cancel = caller_.cancel;
  request.patient = caller_.patient;
  shared_.predictor->Predict(std::move(request),
                             [this](const PredictResult& result) { End(result); });
}

void PredictWork::End(const PredictResult& result) {
  const absl::Duration total = absl::Now() - caller_.arrival;
  RecordOutcome(shared_.metrics, *model_, request_.images_size(), result, total);
  if (!result.status.ok()) return done_(Error(result));
  Fill(result);
  v1::PredictTimings* timings = response_->mutable_timings();
  *timings->mutable_decode() = ToProto(result.decode);
  *timings->mutable_queue() = ToProto(result.queue);
  *timings->mutable_compute() = ToProto(result.compute);
  *timings->mutable_total() = ToProto(total);
  done_(absl::OkStatus());
}

absl::Status PredictWork::Error(const PredictResult& result) const {
  const absl::Status& status = result.status;
  if (result.failed_image < 0 || !IsAboutPicture(status))
    return AboutQueue(status, result.retry_delay);
  const bool raw = request_.images(result.failed_image).has_raw();
  return WithReason(
      InvalidField(FieldOf(result.failed_image, raw ? "raw" : "encoded"), status.message()),
      "BAD_IMAGE");
}

void PredictWork::Fill(const PredictResult& result) {
  const size_t labels = static_cast<size_t>(model_->labels());
  const size_t outputs = static_cast<size_t>(model_->outputs());
  const int top_k = request_.has_top_k()
                        ? static_cast<int>(std::min<size_t>(request_.top_k(), labels))
                        : static_cast<int>(labels);
  response_->set_model(model_->name());
  response_->set_version(model_->version());
  response_->mutable_predictions()->Reserve(request_.images_size());
  for (int i = 0; i < request_.images_size(); ++i) {
    v1::Prediction* prediction = response_->add_predictions();
    const absl::Span<const float> row(result.outputs.data() + i * outputs, outputs);
    if (model_->regression()) {
      FillValues(row, prediction);
      continue;
    }
    const bool rejected = FillOpenSet(row, prediction);
    const bool binary = model_->manifest().task() == v1::TASK_BINARY;
    for (const Scored& scored : binary ? BinaryLabels(row[0], top_k, thresholds_[0])
                                       : TopLabels(row.first(labels), top_k, thresholds_)) {
      v1::ScoredLabel* label = prediction->add_labels();
      label->set_label(model_->manifest().labels(scored.index));
      label->set_index(scored.index);
      label->set_probability(scored.probability);
      label->set_applies(scored.applies && !rejected);
    }
  }
}

void PredictWork::FillValues(absl::Span<const float> row, v1::Prediction* prediction) const {
  for (size_t i = 0; i < row.size(); ++i) {
    v1::PredictedValue* value = prediction->add_values();
    value->set_name(model_->manifest().labels(static_cast<int>(i)));
    value->set_value(row[i]);
  }
}

bool PredictWork::FillOpenSet(absl::Span<const float> row, v1::Prediction* prediction) const {
  const v1::ModelManifest& manifest = model_->manifest();
  if (!manifest.has_open_set()) return false;
  const size_t labels = static_cast<size_t>(model_->labels());
  const double score = OpenSetScore(manifest.open_set(), row.first(labels), row.subspan(labels));
  v1::OpenSetVerdict* verdict = prediction->mutable_open_set();
  verdict->set_rejected(score < manifest.open_set().threshold());
  verdict->set_score(score);
  verdict->set_threshold(manifest.open_set().threshold());
  return verdict->rejected();
}

}  // namespace fovea
