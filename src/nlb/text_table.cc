// SPDX-License-Identifier: Apache-2.0
#include "nlb/text_table.hh"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace nlb {
namespace {

// Characters of UTF-8 text as columns; good enough for names and numbers.
std::size_t width(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

void append_row(std::string& out, const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                const Style& style, std::string_view indent) {
  std::string line(indent);
  std::size_t pending = 0;  // blanks that are written only when something follows
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (!row[i].text.empty()) {
      line.append(pending, ' ');
      line += style.paint(row[i].text, row[i].colour);
      pending = 0;
    }
    pending += widths[i] - width(row[i].text) + 2;
  }
  out += line + "\n";
}

}  // namespace

std::string Style::paint(std::string_view text, Colour colour_wanted) const {
  if (!colour || colour_wanted == Colour::plain) return std::string(text);
  const char* code = "0";
  switch (colour_wanted) {
    case Colour::plain:
      break;
    case Colour::bold:
      code = "1";
      break;
    case Colour::dim:
      code = "2";
      break;
    case Colour::green:
      code = "32";
      break;
    case Colour::yellow:
      code = "33";
      break;
    case Colour::red:
      code = "31";
      break;
  }
  return "\x1b[" + std::string(code) + "m" + std::string(text) + "\x1b[0m";
}

Style Style::of_terminal() {
  const char* no_colour = std::getenv("NO_COLOR");
  const char* terminal = std::getenv("TERM");
  const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
  return {::isatty(STDOUT_FILENO) == 1 && (no_colour == nullptr || *no_colour == '\0') && !dumb};
}

std::string TextTable::text(const Style& style, std::string_view indent) const {
  std::vector<Cell> top;
  for (const auto& heading : headings_) top.emplace_back(heading, Colour::bold);
  std::vector<std::size_t> widths;
  const auto measure = [&](const std::vector<Cell>& row) {
    widths.resize(std::max(widths.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width(row[i].text));
  };
  measure(top);
  for (const auto& row : rows_) measure(row);
  std::string out;
  if (!top.empty()) append_row(out, top, widths, style, indent);
  for (const auto& row : rows_) append_row(out, row, widths, style, indent);
  return out;
}

}  // namespace nlb
