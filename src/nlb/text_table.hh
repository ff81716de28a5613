// SPDX-License-Identifier: Apache-2.0
// Aligned columns, and colour where the reader is a person at a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace nlb {

enum class Colour { plain, bold, dim, green, yellow, red };

// Whether escape sequences may be used at all; passed down, so that rendering stays a pure function.
struct Style {
  bool colour = false;
  [[nodiscard]] std::string paint(std::string_view text, Colour colour_wanted) const;
  // Colour for standard output: a terminal, and neither NO_COLOR nor TERM=dumb.
  [[nodiscard]] static Style of_terminal();
};

struct Cell {
  std::string text;
  Colour colour = Colour::plain;
  Cell(std::string value, Colour wanted = Colour::plain) : text(std::move(value)), colour(wanted) {}
  Cell(const char* value, Colour wanted = Colour::plain) : text(value), colour(wanted) {}
};

class TextTable {
 public:
  explicit TextTable(std::vector<std::string> headings) : headings_(std::move(headings)) {}
  void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  // Two blanks between columns, none at line ends; the headings only when there are some.
  [[nodiscard]] std::string text(const Style& style, std::string_view indent = "") const;

 private:
  std::vector<std::string> headings_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace nlb
