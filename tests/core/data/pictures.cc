#include "tests/core/data/pictures.h"

#include <zlib.h>

#include <opencv2/core.hpp>
#include <opencv2/imgcodecs.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "core/base/check.h"

namespace fovea::testing {
namespace {

std::string BigEndian32(uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(value >> shift);
  return bytes;
}

const Bytef* Bytes(const std::string& s) { return reinterpret_cast<const Bytef*>(s.data()); }

}  // namespace

Image MakeImage(int width, int height, int channels, int seed) {
  Image image{width, height, channels, {}};
  image.pixels.reserve(image.shape().bytes());
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      for (int c = 0; c < channels; ++c) {
        image.pixels.push_back(static_cast<uint8_t>((x * 3 + y * 5 + c * 40 + seed * 17) % 256));
      }
    }
  }
  return image;
}

std::string Encode(const Image& image, const std::string& extension) {
  const cv::Mat pixels(image.height, image.width, image.channels == 1 ? CV_8UC1 : CV_8UC3,
                       const_cast<uint8_t*>(image.pixels.data()));
  cv::Mat bgr = pixels;
  if (image.channels == 3) {
    bgr = cv::Mat();
    cv::cvtColor(pixels, bgr, cv::COLOR_RGB2BGR);
  }
  std::vector<uint8_t> bytes;
  CHECK(cv::imencode(extension, bgr, bytes));
  return std::string(bytes.begin(), bytes.end());
}

std::string PngChunk(absl::string_view type, const std::string& data) {
  const std::string body = absl::StrCat(type, data);
  return absl::StrCat(
      BigEndian32(static_cast<uint32_t>(data.size())), body,
      BigEndian32(static_cast<uint32_t>(crc32(0, Bytes(body), static_cast<uInt>(body.size())))));
}

std::string MakePng(uint32_t width, uint32_t height, int bit_depth, int colour_type,
                    const std::string& rows, const std::string& extra_chunks) {
  std::string header = BigEndian32(width) + BigEndian32(height);
  for (int byte : {bit_depth, colour_type, 0, 0, 0}) header += static_cast<char>(byte);
  std::string filtered;
  const size_t row_bytes = height == 0 ? 0 : rows.size() / height;
  for (size_t at = 0; at < rows.size(); at += row_bytes) {
    filtered += '\0';
    filtered += rows.substr(at, row_bytes);
  }
  uLongf size = compressBound(filtered.size());
  std::string packed(size, '\0');
  CHECK(compress(reinterpret_cast<Bytef*>(packed.data()), &size, Bytes(filtered),
                 filtered.size()) == Z_OK);
  packed.resize(size);
  return absl::StrCat("\x89PNG\r\n\x1a\n", PngChunk("IHDR", header), extra_chunks,
                      PngChunk("IDAT", packed), PngChunk("IEND", ""));
}

std::string CmykJpeg() {
  return absl::HexStringToBytes(
      "ffd8ffee000e41646f626500640000000000ffdb00430002010101010102010101020202020204030202"
      "02020504040304060506060605060606070908060709070606080b08090a0a0a0a0a06080b0c0b0a0c09"
      "0a0a0affc000140800100010044311004d11005911004b1100ffc4001600010101000000000000000000"
      "00000000000903ffc40014100100000000000000000000000000000000ffda000e0443004d0059004b00"
      "003f00cd7f17f17f0000001fffd9");
}

std::string WithOrientation(const std::string& jpeg, int orientation) {
  std::string exif("Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01", 24);
  exif += '\0';
  exif += static_cast<char>(orientation);
  exif += std::string(6, '\0');
  std::string segment = "\xff\xe1";
  segment += '\0';
  segment += static_cast<char>(exif.size() + 2);
  return jpeg.substr(0, 2) + segment + exif + jpeg.substr(2);
}

std::string Gzip(const std::string& bytes) {
  z_stream stream = {};
  CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) == Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()), '\0');
  stream.next_in = const_cast<Bytef*>(Bytes(bytes));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

}  // namespace fovea::testing
