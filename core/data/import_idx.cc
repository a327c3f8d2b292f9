// IDX files (LeCun, Cortes, Burges: the MNIST database): two zero bytes, a type, the number of
// dimensions, each dimension as 32 bits big-endian, then the values.
#include <zlib.h>

#include <array>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/file_system.h"
#include "core/base/status.h"
#include "core/data/byte_reader.h"
#include "core/data/import_private.h"

namespace fovea {
namespace {

// One IDX file of unsigned bytes, plain or gzip, read from front to back.
class IdxFile {
 public:
  // `path` is what messages say, `real_path` what is opened.
  static absl::StatusOr<std::unique_ptr<IdxFile>> Open(std::string path,
                                                       const std::string& real_path) {
    std::unique_ptr<IdxFile> file(new IdxFile(std::move(path), gzopen(real_path.c_str(), "rbe")));
    if (file->file_ == nullptr) return file->Fault("cannot be opened");
    RETURN_IF_ERROR(file->ReadHeader());
    return file;
  }
  ~IdxFile() {
    if (file_ != nullptr) gzclose(file_);
  }
  IdxFile(const IdxFile&) = delete;
  IdxFile& operator=(const IdxFile&) = delete;

  const std::vector<int64_t>& dims() const { return dims_; }
  const std::string& path() const { return path_; }

  absl::Status Read(uint8_t* to, size_t bytes) {
    size_t done = 0;
    while (done < bytes) {
      const int got = gzread(file_, to + done, static_cast<unsigned>(bytes - done));
      if (got < 0) return Damaged();
      if (got == 0) {
        return Fault(absl::StrCat("is truncated: it ends after ", gztell(file_), " bytes of ",
                                  "content, its header announces ", expected_bytes_));
      }
      done += static_cast<size_t>(got);
    }
    return absl::OkStatus();
  }

  absl::Status CheckEnd() {
    uint8_t byte = 0;
    const int got = gzread(file_, &byte, 1);
    if (got < 0) return Damaged();
    int code = Z_OK;
    gzerror(file_, &code);  // a gzip file that lost its end has all its bytes, but no checksum
    if (got == 0 && code == Z_BUF_ERROR) return Fault("is truncated: its gzip trailer is missing");
    if (got == 0) return absl::OkStatus();
    return Fault(absl::StrCat("goes on behind the ", expected_bytes_,
                              " bytes of content that its header announces"));
  }

  absl::Status Fault(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat("IDX file \"", path_, "\" ", what));
  }

 private:
  IdxFile(std::string path, gzFile file) : path_(std::move(path)), file_(file) {}

  absl::Status Damaged() const {
    int code = 0;
    return Fault(absl::StrCat("is damaged: ", gzerror(file_, &code)));
  }

  absl::Status ReadHeader() {
    constexpr uint8_t kUnsignedBytes = 0x08;
    std::array<uint8_t, 4> magic;
    expected_bytes_ = 4;
    RETURN_IF_ERROR(Read(magic.data(), magic.size()));
    if (magic[0] != 0 || magic[1] != 0 || magic[2] != kUnsignedBytes || magic[3] < 1 ||
        magic[3] > 4) {
      return Fault(absl::StrCat("begins with ", absl::StrJoin(magic, " "),
                                ", expected 0 0 8 (unsigned bytes) and 1 to 4 dimensions"));
    }
    std::array<char, 16> bytes;
    const size_t header = 4u * magic[3];
    expected_bytes_ = static_cast<double>(4 + header);
    RETURN_IF_ERROR(Read(reinterpret_cast<uint8_t*>(bytes.data()), header));
    double values = 1;
    for (size_t d = 0; d < magic[3]; ++d) {
      dims_.push_back(internal::BigEndian32(absl::string_view(bytes.data(), header), 4 * d));
      values *= static_cast<double>(dims_.back());
    }
    expected_bytes_ += values;
    return absl::OkStatus();
  }

  const std::string path_;
  const gzFile file_;
  std::vector<int64_t> dims_;
  double expected_bytes_ = 0;  // with the header; a double, as four dimensions can overflow
};

absl::StatusOr<std::unique_ptr<IdxFile>> OpenUnderRoot(const ImportPathOptions& options,
                                                       absl::string_view path) {
  ASSIGN_OR_RETURN(const std::string real_path, ResolveUnderRoot(options.root, path));
  if (!FileSystem::Real()->Size(real_path).ok()) {
    return absl::InvalidArgumentError(absl::StrCat("IDX file \"", path, "\" is no regular file"));
  }
  return IdxFile::Open(std::string(path), real_path);
}

// The shape of one image of the file.
absl::StatusOr<PixelShape> ShapeOfImages(const IdxFile& file, const DecodeLimits& limits) {
  const std::vector<int64_t>& dims = file.dims();
  const int64_t channels = dims.size() == 4 ? dims[3] : 1;
  if (dims.size() < 3 || (channels != 1 && channels != 3)) {
    return file.Fault(absl::StrCat("has dimensions [", absl::StrJoin(dims, ","),
                                   "], expected images [N,H,W], [N,H,W,1] or [N,H,W,3]"));
  }
  if (dims[1] < 1 || dims[2] < 1 ||
      static_cast<double>(dims[1]) * static_cast<double>(dims[2]) >
          static_cast<double>(limits.max_pixels)) {
    return file.Fault(absl::StrCat("has images of ", dims[2], " x ", dims[1],
                                   " pixels, expected at least 1 x 1 and at most ",
                                   limits.max_pixels, " pixels"));
  }
  return PixelShape{static_cast<int>(dims[2]), static_cast<int>(dims[1]),
                    static_cast<int>(channels)};
}

}  // namespace

absl::Status ImportIdx(const ImportPathOptions& options, absl::string_view images_path,
                       absl::string_view labels_path, ImportSink* sink) {
  ASSIGN_OR_RETURN(const std::unique_ptr<IdxFile> images, OpenUnderRoot(options, images_path));
  ASSIGN_OR_RETURN(const std::unique_ptr<IdxFile> labels, OpenUnderRoot(options, labels_path));
  ASSIGN_OR_RETURN(const PixelShape shape, ShapeOfImages(*images, options.limits));
  const int64_t count = images->dims()[0];
  if (labels->dims() != std::vector<int64_t>{count}) {
    return labels->Fault(absl::StrCat("has dimensions [", absl::StrJoin(labels->dims(), ","),
                                      "], expected [", count, "]: one label for each image of \"",
                                      images->path(), "\""));
  }
  Image image{shape.width, shape.height, shape.channels, {}};
  image.pixels.resize(shape.bytes());
  for (int64_t i = 0; i < count; ++i) {
    RETURN_IF_ERROR(CheckNotCancelled(options.cancel));
    uint8_t label = 0;
    RETURN_IF_ERROR(images->Read(image.pixels.data(), image.pixels.size()));
    RETURN_IF_ERROR(labels->Read(&label, 1));
    ASSIGN_OR_RETURN(std::string png, EncodePng(image));
    RETURN_IF_ERROR(sink->Add({absl::StrCat(images->path(), "#", i), std::move(png),
                               std::vector<std::string>{absl::StrCat(label)}, options.split}));
  }
  RETURN_IF_ERROR(images->CheckEnd());
  return labels->CheckEnd();
}

}  // namespace fovea
