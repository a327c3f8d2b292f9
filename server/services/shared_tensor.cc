#include "server/services/shared_tensor.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "server/rpc/errors.h"

namespace fovea {
namespace {

constexpr char kRegion[] = "shared_memory_region";
constexpr char kByteSize[] = "shared_memory_byte_size";
constexpr char kOffset[] = "shared_memory_offset";

std::string FieldOf(absl::string_view tensor, absl::string_view parameter) {
  return absl::StrCat(tensor, ".parameters[", parameter, "]");
}

// An int64 of at least `min`; `min` when there is none.
absl::StatusOr<uint64_t> ReadNumber(const TensorParameters& parameters, const char* name,
                                    int64_t min, absl::string_view field) {
  const auto found = parameters.find(name);
  if (found == parameters.end()) return static_cast<uint64_t>(min);
  const inference::InferParameter& value = found->second;
  if (!value.has_int64_param() || value.int64_param() < min) {
    return InvalidField(FieldOf(field, name), absl::StrCat("expected an int64 of at least ", min));
  }
  return static_cast<uint64_t>(value.int64_param());
}

}  // namespace

absl::StatusOr<std::optional<SharedTensor>> ReadSharedTensor(const TensorParameters& parameters,
                                                             const SharedMemoryRegions& regions,
                                                             absl::string_view field) {
  const auto name = parameters.find(kRegion);
  if ((name == parameters.end()) != !parameters.contains(kByteSize)) {
    return InvalidField(
        absl::StrCat(field, ".parameters"),
        absl::StrCat("found one of ", kRegion, " and ", kByteSize, ", expected both or neither"));
  }
  if (name == parameters.end()) return std::optional<SharedTensor>();
  SharedTensor tensor;
  tensor.field = std::string(field);
  tensor.region = regions.Find(name->second.string_param());
  if (tensor.region == nullptr) {
    return InvalidField(FieldOf(field, kRegion),
                        absl::StrCat("found \"", name->second.string_param(), "\", expected ",
                                     regions.enabled() ? "the name of a registered region"
                                                       : "none: shared memory is off"));
  }
  ASSIGN_OR_RETURN(tensor.byte_size, ReadNumber(parameters, kByteSize, 1, field));
  ASSIGN_OR_RETURN(tensor.offset, ReadNumber(parameters, kOffset, 0, field));
  const uint64_t size = tensor.region->spec().byte_size;
  if (tensor.offset > size || tensor.byte_size > size - tensor.offset) {
    return InvalidField(FieldOf(field, kByteSize),
                        absl::StrCat("found ", tensor.byte_size, " bytes at ", tensor.offset,
                                     ", expected them within the ", size, " bytes of region \"",
                                     tensor.region->spec().name, "\""));
  }
  return tensor;
}

absl::Status WriteSharedTensor(const SharedTensor& tensor, absl::string_view bytes,
                               TensorParameters* parameters) {
  if (bytes.size() > tensor.byte_size) {
    return InvalidField(FieldOf(tensor.field, kByteSize),
                        absl::StrCat("found ", tensor.byte_size,
                                     " bytes for the output, expected at "
                                     "least ",
                                     bytes.size()));
  }
  RETURN_IF_ERROR(tensor.region->Write(tensor.offset, bytes));
  (*parameters)[kRegion].set_string_param(tensor.region->spec().name);
  (*parameters)[kByteSize].set_int64_param(static_cast<int64_t>(bytes.size()));
  if (tensor.offset > 0) {
    (*parameters)[kOffset].set_int64_param(static_cast<int64_t>(tensor.offset));
  }
  return absl::OkStatus();
}

}  // namespace fovea
