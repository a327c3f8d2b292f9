#include "core/data/contact_sheet.h"

#include <algorithm>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "absl/strings/str_cat.h"
#include "core/base/status.h"
#include "core/data/opencv_private.h"

namespace fovea {
namespace {

// In pixels of the sheet.
constexpr int kLeastSide = 96;  // small pictures are shown at least about so large
constexpr int kMostSide = 192;
constexpr int kGap = 6;
constexpr int kTitleWidth = 120;
constexpr int kLine = 15;  // height of a line of text

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;
constexpr double kFontScale = 0.38;

// The part of `text` that is at most `width` pixels wide, in ASCII.
std::string Fit(const std::string& text, int width) {
  std::string ascii;
  for (const char c : text) {
    const unsigned char byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) == 0x80) continue;  // goes on with a letter of UTF-8
    ascii += byte >= 0x20 && byte < 0x7f ? c : '?';
  }
  const auto fits = [&](const std::string& line) {
    return cv::getTextSize(line, kFont, kFontScale, 1, nullptr).width <= width;
  };
  if (fits(ascii)) return ascii;
  while (!ascii.empty() && !fits(ascii + "..")) ascii.pop_back();
  return ascii + "..";
}

// `y` is the upper edge of the line.
void Write(const std::string& text, int x, int y, int width, cv::Mat& sheet) {
  cv::putText(sheet, Fit(text, width), {x, y + kLine - 4}, kFont, kFontScale, {20, 20, 20}, 1,
              cv::LINE_AA);
}

class Drawing {
 public:
  explicit Drawing(const ContactSheet& sheet) : sheet_(sheet) {
    const int longer = std::max(sheet.shape.width, sheet.shape.height);
    const double scale = longer > kMostSide ? static_cast<double>(kMostSide) / longer
                                            : std::max(1, (kLeastSide + longer / 2) / longer);
    width_ = std::max(1, static_cast<int>(sheet.shape.width * scale));
    height_ = std::max(1, static_cast<int>(sheet.shape.height * scale));
    interpolation_ = scale < 1 ? cv::INTER_AREA : cv::INTER_NEAREST;
    // A column holds its heading and captions, however narrow its pictures.
    column_ = std::max(width_, kLeastSide) + kGap;
    for (const SheetRow& row : sheet.rows) {
      for (const SheetCell& cell : row.cells) has_captions_ |= !cell.caption.empty();
    }
    row_ = height_ + kGap + (has_captions_ ? kLine : 0);
  }

  Image Draw() {
    const int columns = static_cast<int>(sheet_.headings.size());
    const int rows = static_cast<int>(sheet_.rows.size());
    Image image{kGap + kTitleWidth + columns * column_, 2 * kGap + kLine + rows * row_, 3, {}};
    image.pixels.assign(image.shape().bytes(), 255);
    cv::Mat canvas(image.height, image.width, CV_8UC3, image.pixels.data());
    for (int c = 0; c < columns; ++c) {
      Write(sheet_.headings[static_cast<size_t>(c)], Left(c), kGap / 2, column_ - kGap, canvas);
    }
    for (int r = 0; r < rows; ++r) DrawRow(sheet_.rows[static_cast<size_t>(r)], Top(r), canvas);
    return image;
  }

 private:
  int Left(int column) const { return kGap + kTitleWidth + column * column_; }
  int Top(int row) const { return kGap + kLine + row * row_; }

  void DrawRow(const SheetRow& row, int top, cv::Mat& canvas) const {
    const size_t room = static_cast<size_t>(std::max(1, height_ / kLine));
    for (size_t i = 0; i < std::min(room, row.title.size()); ++i) {
      const bool more = i + 1 == room && row.title.size() > room;
      Write(more ? absl::StrCat("and ", row.title.size() - i, " more") : row.title[i], kGap,
            top + static_cast<int>(i) * kLine, kTitleWidth - kGap, canvas);
    }
    for (size_t c = 0; c < row.cells.size(); ++c) {
      const SheetCell& cell = row.cells[c];
      const int left = Left(static_cast<int>(c));
      cv::Mat place = canvas(cv::Rect(left, top, width_, height_));
      DrawPicture(cell.pixels, place);
      if (!cell.caption.empty()) Write(cell.caption, left, top + height_, column_ - kGap, canvas);
    }
  }

  void DrawPicture(const std::vector<uint8_t>& pixels, cv::Mat& place) const {
    const cv::Mat picture(sheet_.shape.height, sheet_.shape.width, CV_8UC(sheet_.shape.channels),
                          const_cast<uint8_t*>(pixels.data()));
    cv::Mat colour = picture;
    if (sheet_.shape.channels == 1) cv::cvtColor(picture, colour, cv::COLOR_GRAY2RGB);
    cv::resize(colour, place, place.size(), 0, 0, interpolation_);
  }

  const ContactSheet& sheet_;
  int width_ = 0, height_ = 0;  // of a picture as shown
  int column_ = 0, row_ = 0;    // from one to the next
  int interpolation_ = 0;
  bool has_captions_ = false;
};

absl::Status Validate(const ContactSheet& sheet) {
  const PixelShape& shape = sheet.shape;
  if (shape.width < 1 || shape.height < 1 || (shape.channels != 1 && shape.channels != 3)) {
    return absl::InvalidArgumentError(absl::StrCat("pictures of ", shape.ToString(),
                                                   ", expected at least 1x1 and 1 or 3 channels"));
  }
  for (const SheetRow& row : sheet.rows) {
    if (row.cells.size() != sheet.headings.size()) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a row has ", row.cells.size(), " pictures, expected ", sheet.headings.size()));
    }
    for (const SheetCell& cell : row.cells) {
      if (cell.pixels.size() == shape.bytes()) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("a picture has ", cell.pixels.size(), " bytes, expected ", shape.bytes()));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Image> DrawContactSheet(const ContactSheet& sheet) {
  RETURN_IF_ERROR(Validate(sheet));
  Image image;
  RETURN_IF_ERROR(internal::CatchOpenCv("draw contact sheet", [&]() -> absl::Status {
    image = Drawing(sheet).Draw();
    return absl::OkStatus();
  }));
  return image;
}

}  // namespace fovea
