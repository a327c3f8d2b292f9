// Image and PixelShape: decoded pixels and their extent, in the one form all of Fovea uses.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace fovea {

// The extent of a picture. Channels: 1 grey, 3 RGB.
struct PixelShape {
  int width = 0;
  int height = 0;
  int channels = 0;

  size_t bytes() const {
    return static_cast<size_t>(width) * static_cast<size_t>(height) * static_cast<size_t>(channels);
  }
  std::string ToString() const;  // "32x24x3": width, height, channels
  bool operator==(const PixelShape&) const = default;
};

// 8 bits a channel, rows from top to bottom, pixels [height, width, channels], RGB order.
struct Image {
  int width = 0;
  int height = 0;
  int channels = 0;
  std::vector<uint8_t> pixels;

  PixelShape shape() const { return {width, height, channels}; }
  bool operator==(const Image&) const = default;
};

}  // namespace fovea
