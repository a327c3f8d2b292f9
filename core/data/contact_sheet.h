// A contact sheet: pictures in rows and columns, with words, as one picture for people.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "core/data/image.h"

namespace fovea {

struct SheetCell {
  std::vector<uint8_t> pixels;  // uint8 [H, W, C] of the sheet's shape
  std::string caption;          // below the picture; may be empty
};

struct SheetRow {
  std::vector<std::string> title;  // lines at the left
  std::vector<SheetCell> cells;    // as many as the sheet has headings
};

struct ContactSheet {
  PixelShape shape;                   // of every picture
  std::vector<std::string> headings;  // one above each column
  std::vector<SheetRow> rows;
};

// Draws it in RGB on white. Small pictures are shown larger, pixel by pixel; those above 192 pixels
// are shrunk. What is too long to be written is cut, and letters outside ASCII become "?", for lack
// of a font. InvalidArgument when a row or a picture has another size than the sheet.
absl::StatusOr<Image> DrawContactSheet(const ContactSheet& sheet);

}  // namespace fovea
