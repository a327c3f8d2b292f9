#include "server/services/tensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "core/base/status.h"
#include "core/model/serving.h"
#include "server/rpc/errors.h"
#include "server/serving/scoring.h"

namespace fovea {
namespace {

static_assert(std::endian::native == std::endian::little, "raw contents are little-endian");

using Request = inference::ModelInferRequest;
using InputTensor = Request::InferInputTensor;

constexpr char kEncodedSuffix[] = "_jpeg";
constexpr char kContents[] = "inputs[0].contents";
constexpr char kRaw[] = "raw_input_contents[0]";

std::string ShapeText(absl::Span<const int64_t> shape) {
  return absl::StrCat("[", absl::StrJoin(shape, ","), "]");
}

// ---- The request's bytes.

// The tensor's bytes, and where they were found.
struct Raw {
  absl::string_view bytes;
  std::string field;
};

// The only input, from shared memory.
absl::StatusOr<Raw> CopyShared(const Request& request, const SharedTensor& tensor,
                               const Limits& limits, std::unique_ptr<char[]>* copied) {
  if (request.inputs(0).has_contents() || !request.raw_input_contents().empty()) {
    return InvalidField(
        tensor.field,
        absl::StrCat("found ", request.inputs(0).has_contents() ? "contents" : "raw_input_contents",
                     " beside shared memory, expected one of both"));
  }
  const std::string field =
      absl::StrCat(tensor.field, " in region \"", tensor.region->spec().name, "\"");
  if (tensor.byte_size > static_cast<uint64_t>(limits.max_message_bytes)) {
    return InvalidField(field, absl::StrCat("found ", tensor.byte_size, " bytes, expected at most ",
                                            limits.max_message_bytes, " (--max-message-bytes)"));
  }
  const auto size = static_cast<size_t>(tensor.byte_size);
  *copied = std::make_unique_for_overwrite<char[]>(size);
  RETURN_IF_ERROR(tensor.region->Read(tensor.offset, absl::MakeSpan(copied->get(), size)));
  return Raw{{copied->get(), size}, field};
}

// Raw contents of the only input; absent when its values stand in `contents`.
absl::StatusOr<std::optional<Raw>> RawOf(const Request& request) {
  if (request.raw_input_contents().empty()) return std::optional<Raw>();
  if (request.inputs(0).has_contents()) {
    return InvalidField("raw_input_contents",
                        "found beside inputs[0].contents, expected one of both");
  }
  if (request.raw_input_contents_size() != 1) {
    return InvalidField("raw_input_contents",
                        absl::StrCat("found ", request.raw_input_contents_size(),
                                     ", expected 1, as many as inputs"));
  }
  return Raw{request.raw_input_contents(0), kRaw};
}

absl::Status CheckCount(absl::string_view field, size_t found, size_t expected,
                        absl::string_view what) {
  if (found == expected) return absl::OkStatus();
  return InvalidField(field, absl::StrCat("found ", found, " ", what, ", expected ", expected,
                                          " for the tensor's shape"));
}

// Each element: its length as uint32, and its bytes.
absl::StatusOr<std::vector<absl::string_view>> SplitBytes(const Raw& from, size_t count) {
  absl::string_view raw = from.bytes;
  std::vector<absl::string_view> elements;
  while (!raw.empty()) {
    uint32_t length = 0;
    if (raw.size() >= sizeof(length)) std::memcpy(&length, raw.data(), sizeof(length));
    if (raw.size() < sizeof(length) || raw.size() - sizeof(length) < length) {
      return InvalidField(
          from.field, absl::StrCat("found ", raw.size(), " bytes after element ", elements.size(),
                                   ", expected a length of 4 bytes and as many bytes as it says"));
    }
    elements.push_back(raw.substr(sizeof(length), length));
    raw.remove_prefix(sizeof(length) + length);
  }
  RETURN_IF_ERROR(CheckCount(from.field, elements.size(), count, "elements"));
  return elements;
}

absl::StatusOr<std::vector<absl::string_view>> EncodedElements(const Request& request,
                                                               const std::optional<Raw>& raw,
                                                               size_t count) {
  if (raw.has_value()) return SplitBytes(*raw, count);
  const auto& contents = request.inputs(0).contents().bytes_contents();
  RETURN_IF_ERROR(
      CheckCount(kContents, static_cast<size_t>(contents.size()), count, "bytes_contents"));
  return std::vector<absl::string_view>(contents.begin(), contents.end());
}

// Appends values in [0, 255], rounded to nearest. `value(i)` gives them as double.
template <typename Value>
absl::Status Convert(absl::string_view field, size_t count, const Value& value,
                     std::vector<uint8_t>* converted) {
  converted->resize(count);
  for (size_t i = 0; i < count; ++i) {
    const double v = value(i);
    if (!(v >= 0 && v <= 255)) {
      return InvalidField(
          field, absl::StrCat("found ", v, " at value ", i, ", expected pixels in [0, 255]"));
    }
    (*converted)[i] = static_cast<uint8_t>(std::lround(v));
  }
  return absl::OkStatus();
}

// The pixels of all pictures, of the request or in `converted`.
absl::StatusOr<absl::string_view> Pixels(const Request& request, const std::optional<Raw>& raw,
                                         size_t count, std::vector<uint8_t>* converted) {
  const InputTensor& input = request.inputs(0);
  const bool floats = input.datatype() == "FP32";
  if (raw.has_value()) {
    RETURN_IF_ERROR(
        CheckCount(raw->field, raw->bytes.size(), count * (floats ? sizeof(float) : 1), "bytes"));
    if (!floats) return raw->bytes;
    const auto at = [&](size_t i) {
      float value = 0;
      std::memcpy(&value, raw->bytes.data() + i * sizeof(value), sizeof(value));
      return static_cast<double>(value);
    };
    RETURN_IF_ERROR(Convert(raw->field, count, at, converted));
  } else if (floats) {
    const auto& values = input.contents().fp32_contents();
    RETURN_IF_ERROR(
        CheckCount(kContents, static_cast<size_t>(values.size()), count, "fp32_contents"));
    const auto at = [&](size_t i) { return static_cast<double>(values[static_cast<int>(i)]); };
    RETURN_IF_ERROR(Convert(kContents, count, at, converted));
  } else {
    const auto& values = input.contents().uint_contents();
    RETURN_IF_ERROR(
        CheckCount(kContents, static_cast<size_t>(values.size()), count, "uint_contents"));
    const auto at = [&](size_t i) { return static_cast<double>(values[static_cast<int>(i)]); };
    RETURN_IF_ERROR(Convert(kContents, count, at, converted));
  }
  return absl::string_view(reinterpret_cast<const char*>(converted->data()), converted->size());
}

// The number of pictures, from a shape that fits the model.
absl::StatusOr<int> CountPictures(const InputTensor& input, const TensorSpec& spec, bool encoded,
                                  int max_images) {
  std::vector<int64_t> shape(input.shape().begin(), input.shape().end());
  if (encoded && shape.size() == 1) shape.push_back(1);
  const bool fits = shape.size() == spec.shape.size() + 1 &&
                    std::equal(spec.shape.begin(), spec.shape.end(), shape.begin() + 1);
  if (!fits) {
    return InvalidField("inputs[0].shape",
                        absl::StrCat("found ", ShapeText(shape), ", expected [n,",
                                     absl::StrJoin(spec.shape, ","), "]"));
  }
  if (shape[0] < 1 || shape[0] > max_images) {
    return InvalidField("inputs[0].shape",
                        absl::StrCat("found ", shape[0], " pictures, expected 1 to ", max_images));
  }
  return static_cast<int>(shape[0]);
}

// ---- The answer.

// The probability of every label, or every value.
std::vector<float> Row(const ServedVersion& model, absl::Span<const float> outputs) {
  if (model.manifest().task() == v1::TASK_BINARY) return {1 - outputs[0], outputs[0]};
  return {outputs.begin(), outputs.begin() + model.labels()};
}

void AppendBytes(absl::string_view element, std::string* raw) {
  const auto length = static_cast<uint32_t>(element.size());
  raw->append(reinterpret_cast<const char*>(&length), sizeof(length));
  absl::StrAppend(raw, element);
}

}  // namespace

std::string TensorModel::name() const {
  return encoded ? absl::StrCat(handle->name(), kEncodedSuffix) : handle->name();
}

std::optional<std::string> StemOfEncoded(const std::string& name) {
  absl::string_view stem = name;
  if (!absl::ConsumeSuffix(&stem, kEncodedSuffix) || stem.empty()) return std::nullopt;
  return std::string(stem);
}

void AcquireTensorModel(ModelManager& manager, const std::string& name, const VersionRef& version,
                        absl::AnyInvocable<void(absl::StatusOr<TensorModel>)> ready) {
  const auto plain = [&manager, name, version](auto done) {
    manager.Acquire(name, version,
                    [done = std::move(done)](absl::StatusOr<ModelHandle> handle) mutable {
                      if (!handle.ok()) return done(handle.status());
                      done(TensorModel{*std::move(handle), false});
                    });
  };
  const std::optional<std::string> stem = StemOfEncoded(name);
  if (!stem.has_value()) return plain(std::move(ready));
  manager.Acquire(*stem, version,
                  [plain, ready = std::move(ready)](absl::StatusOr<ModelHandle> handle) mutable {
                    if (handle.ok()) return ready(TensorModel{*std::move(handle), true});
                    if (!absl::IsNotFound(handle.status())) return ready(handle.status());
                    plain(std::move(ready));
                  });
}

absl::StatusOr<VersionRef> ParseVersion(const std::string& text) {
  if (text.empty()) return VersionRef();
  uint64_t version = 0;
  if (absl::SimpleAtoi(text, &version)) return VersionRef(version);
  if (ValidateAlias(text).ok()) return VersionRef(text);
  return absl::InvalidArgumentError(
      absl::StrCat("found version \"", text, "\", expected a decimal number, an alias or none"));
}

TensorSpec InputSpec(const TensorModel& model) {
  if (model.encoded) return {"image", "BYTES", {1}};
  const PixelShape& shape = model.handle->shape();
  return {"pixels", "UINT8", {shape.height, shape.width, shape.channels}};
}

TensorSpec OutputSpec(const TensorModel& model) {
  return {
      model.handle->regression() ? "values" : "probabilities", "FP32", {model.handle->labels()}};
}

absl::StatusOr<TensorPictures> ReadPictures(const Request& request, const TensorModel& model,
                                            const SharedMemoryRegions& regions,
                                            const Limits& limits) {
  const TensorSpec spec = InputSpec(model);
  if (request.inputs_size() != 1) {
    return InvalidField("inputs", absl::StrCat("found ", request.inputs_size(),
                                               ", expected 1, named \"", spec.name, "\""));
  }
  const InputTensor& input = request.inputs(0);
  if (input.name() != spec.name) {
    return InvalidField("inputs[0].name",
                        absl::StrCat("found \"", input.name(), "\", expected \"", spec.name, "\""));
  }
  if (input.datatype() != spec.datatype && (model.encoded || input.datatype() != "FP32")) {
    return InvalidField("inputs[0].datatype",
                        absl::StrCat("found \"", input.datatype(), "\", expected ",
                                     model.encoded ? "BYTES" : "UINT8 or FP32"));
  }
  ASSIGN_OR_RETURN(const int count, CountPictures(input, spec, model.encoded, limits.max_images));
  ASSIGN_OR_RETURN(const auto shared, ReadSharedTensor(input.parameters(), regions, "inputs[0]"));
  TensorPictures pictures;
  std::optional<Raw> raw;
  if (shared.has_value()) {
    ASSIGN_OR_RETURN(raw, CopyShared(request, *shared, limits, &pictures.copied));
  } else {
    ASSIGN_OR_RETURN(raw, RawOf(request));
  }
  pictures.images.reserve(static_cast<size_t>(count));
  if (model.encoded) {
    ASSIGN_OR_RETURN(const auto elements,
                     EncodedElements(request, raw, static_cast<size_t>(count)));
    for (absl::string_view element : elements) pictures.images.push_back({element, std::nullopt});
    return pictures;
  }
  const PixelShape& shape = model.handle->shape();
  ASSIGN_OR_RETURN(
      const absl::string_view pixels,
      Pixels(request, raw, static_cast<size_t>(count) * shape.bytes(), &pictures.converted));
  for (int i = 0; i < count; ++i) {
    pictures.images.push_back(
        {pixels.substr(static_cast<size_t>(i) * shape.bytes(), shape.bytes()), shape});
  }
  return pictures;
}

absl::StatusOr<std::vector<RequestedOutput>> ReadRequestedOutputs(
    const Request& request, const TensorModel& model, const SharedMemoryRegions& regions) {
  if (request.outputs().empty()) return std::vector<RequestedOutput>(1);
  const TensorSpec spec = OutputSpec(model);
  std::vector<RequestedOutput> wanted;
  for (int i = 0; i < request.outputs_size(); ++i) {
    const auto& output = request.outputs(i);
    const std::string field = absl::StrCat("outputs[", i, "]");
    if (output.name() != spec.name) {
      return InvalidField(
          absl::StrCat(field, ".name"),
          absl::StrCat("found \"", output.name(), "\", expected \"", spec.name, "\""));
    }
    RequestedOutput& each = wanted.emplace_back();
    ASSIGN_OR_RETURN(each.place, ReadSharedTensor(output.parameters(), regions, field));
    const auto found = output.parameters().find("classification");
    if (found == output.parameters().end()) continue;
    const int64_t k = found->second.int64_param();
    if (k < 1 || model.handle->regression()) {
      return InvalidField(absl::StrCat(field, ".parameters[classification]"),
                          model.handle->regression()
                              ? "found one for a regression model, expected none"
                              : "expected an int64 of at least 1");
    }
    each.labels_named = std::min<int64_t>(k, model.handle->labels());
  }
  return wanted;
}

absl::Status WriteOutput(const TensorModel& model, int images, absl::Span<const float> rows,
                         const RequestedOutput& wanted, inference::ModelInferResponse* response) {
  const ServedVersion& version = *model.handle;
  const TensorSpec spec = OutputSpec(model);
  auto* output = response->add_outputs();
  std::string* raw = response->add_raw_output_contents();
  const bool named = wanted.labels_named > 0;
  output->set_name(spec.name);
  output->set_datatype(named ? "BYTES" : spec.datatype);
  output->add_shape(images);
  output->add_shape(named ? wanted.labels_named : spec.shape[0]);
  const auto width = static_cast<size_t>(version.outputs());
  for (int i = 0; i < images; ++i) {
    const std::vector<float> row =
        Row(version, rows.subspan(static_cast<size_t>(i) * width, width));
    if (!named) {
      raw->append(reinterpret_cast<const char*>(row.data()), row.size() * sizeof(float));
      continue;
    }
    for (const Scored& scored : TopLabels(row, static_cast<int>(wanted.labels_named), {})) {
      AppendBytes(absl::StrFormat("%f:%d:%s", scored.probability, scored.index,
                                  version.manifest().labels(scored.index)),
                  raw);
    }
  }
  if (!wanted.place.has_value()) return absl::OkStatus();
  const std::string bytes = std::move(*raw);
  raw->clear();  // its place among the outputs stays
  return WriteSharedTensor(*wanted.place, bytes, output->mutable_parameters());
}

}  // namespace fovea
