// Table: text in columns.
#pragma once

#include <string>
#include <vector>

namespace fovea::cli {

// The first column is left-aligned, the others right-aligned, two blanks between them. Rows may be
// shorter than the heading. Widths count code points, not bytes.
class Table {
 public:
  explicit Table(std::vector<std::string> heading);

  // How many of the first columns are left-aligned; default 1.
  void set_left_columns(int count) { left_columns_ = count; }
  void AddRow(std::vector<std::string> row);
  bool empty() const { return rows_.size() == 1; }

  // Heading and rows, each line ended; no blanks at line ends.
  std::string ToString() const;

 private:
  int left_columns_ = 1;
  std::vector<std::vector<std::string>> rows_;  // the first one is the heading
};

}  // namespace fovea::cli
