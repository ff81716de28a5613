// SPDX-License-Identifier: Apache-2.0
#include "control/config_lines.hh"

#include <algorithm>

namespace nlb {
namespace {

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

bool is_header(std::string_view line) {
  return trimmed(line).starts_with('[');
}

bool says_something(std::string_view line) {
  const auto text = trimmed(line);
  return !text.empty() && text.front() != '#';
}

// Behind the text that begins at `at`; the line's end where it does not end.
std::size_t behind_quoted(std::string_view line, std::size_t at) {
  const char quote = line[at];
  for (std::size_t i = at + 1; i < line.size(); ++i) {
    if (line[i] == '\\' && quote == '"')
      ++i;
    else if (line[i] == quote)
      return i + 1;
  }
  return line.size();
}

// Where a value ends that stands on one line: before blanks and a comment.
std::size_t end_of_value(std::string_view line, std::size_t at) {
  std::size_t end = at;
  while (end < line.size() && line[end] != '#')
    end = line[end] == '"' || line[end] == '\'' ? behind_quoted(line, end) : end + 1;
  while (end > at && (line[end - 1] == ' ' || line[end - 1] == '\t' || line[end - 1] == '\r')) --end;
  return end;
}

}  // namespace

std::string quoted_toml(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

ConfigLines::ConfigLines(std::string_view text) {
  for (std::size_t at = 0; at <= text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    lines_.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
}

std::string ConfigLines::text() const {
  std::string text;
  for (std::size_t i = 0; i < lines_.size(); ++i) text += (i == 0 ? "" : "\n") + lines_[i];
  return text;
}

std::size_t ConfigLines::end_of_keys(std::size_t header) const {
  std::size_t end = header + 1;
  while (end < lines_.size() && !is_header(lines_[end])) ++end;
  return end;
}

std::size_t ConfigLines::end_of_table(std::size_t header, std::string_view sub_table) const {
  std::size_t end = end_of_keys(header);
  while (end < lines_.size() && trimmed(lines_[end]).starts_with(sub_table)) end = end_of_keys(end);
  return end;
}

std::size_t ConfigLines::behind_last_key(std::size_t header, std::size_t end) const {
  while (end > header + 1 && !says_something(lines_[end - 1])) --end;
  return end;
}

std::optional<ConfigLines::Place> ConfigLines::value_of(int header, std::string_view key) const {
  const auto first = static_cast<std::size_t>(header);  // the line behind the header's, counted from 0
  for (std::size_t at = first; at < end_of_keys(first - 1); ++at) {
    const std::string& line = lines_[at];
    const auto equals = line.find('=');
    if (equals == std::string::npos || trimmed(std::string_view(line).substr(0, equals)) != key) continue;
    const auto value = line.find_first_not_of(" \t", equals + 1);
    return Place{at, value == std::string::npos ? line.size() : value};
  }
  return std::nullopt;
}

void ConfigLines::set(int header, std::string_view key, const std::string& value) {
  if (const auto place = value_of(header, key)) {
    std::string& line = lines_[place->line];
    line.replace(place->column, end_of_value(line, place->column) - place->column, value);
    return;
  }
  const auto at = static_cast<std::size_t>(header) - 1;
  const auto behind = behind_last_key(at, end_of_keys(at));
  lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(behind), std::string(key) + " = " + value);
}

void ConfigLines::erase_key(int header, std::string_view key) {
  if (const auto place = value_of(header, key))
    lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(place->line));
}

void ConfigLines::erase_table(int header, std::string_view sub_table) {
  const auto first = static_cast<std::size_t>(header) - 1;
  auto end = behind_last_key(first, end_of_table(first, sub_table));
  const bool alone = first > 0 && trimmed(lines_[first - 1]).empty();
  if (alone && end < lines_.size() && trimmed(lines_[end]).empty()) ++end;  // not two blank lines in a row
  lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(first),
               lines_.begin() + static_cast<std::ptrdiff_t>(end));
}

void ConfigLines::add_table(int behind, std::string_view sub_table, const std::vector<std::string>& lines) {
  std::size_t at = lines_.size();
  if (behind > 0) {
    const auto header = static_cast<std::size_t>(behind) - 1;
    at = behind_last_key(header, end_of_table(header, sub_table));
  } else {
    while (at > 0 && trimmed(lines_[at - 1]).empty()) --at;
    lines_.resize(at);
  }
  std::vector<std::string> block = {""};
  block.insert(block.end(), lines.begin(), lines.end());
  if (at == lines_.size()) block.emplace_back();  // the text goes on ending with a line break
  lines_.insert(lines_.begin() + static_cast<std::ptrdiff_t>(at), block.begin(), block.end());
}

std::vector<ConfigLines::Quoted> ConfigLines::list_elements(Place value) const {
  std::vector<Quoted> elements;
  const auto& first = lines_[value.line];
  if (value.column >= first.size() || first[value.column] != '[') return elements;
  std::size_t column = value.column + 1;
  for (std::size_t line = value.line; line < lines_.size(); ++line, column = 0) {
    const std::string& text = lines_[line];
    while (column < text.size() && text[column] != '#') {
      if (text[column] == ']') return elements;
      const bool opens = text[column] == '"' || text[column] == '\'';
      const auto end = opens ? behind_quoted(text, column) : column + 1;
      if (opens) elements.push_back({line, column, end});
      column = end;
    }
  }
  return {};  // never closed
}

bool ConfigLines::append_to_list(int header, std::string_view key, const std::string& element) {
  const auto value = value_of(header, key);
  const auto elements = value ? list_elements(*value) : std::vector<Quoted>{};
  if (elements.empty()) return false;
  lines_[elements.back().line].insert(elements.back().end, ", " + quoted_toml(element));
  return true;
}

bool ConfigLines::erase_from_list(int header, std::string_view key, std::string_view element) {
  const auto value = value_of(header, key);
  const auto elements = value ? list_elements(*value) : std::vector<Quoted>{};
  for (std::size_t i = 0; i < elements.size(); ++i) {
    auto [line, begin, end] = elements[i];
    std::string& text = lines_[line];
    if (std::string_view(text).substr(begin + 1, end - begin - 2) != element) continue;
    const auto comma = text.find_first_not_of(" \t", end);
    if (comma != std::string::npos && text[comma] == ',') {
      end = comma + 1;
      while (end < text.size() && text[end] == ' ') ++end;
    } else if (i > 0) {  // the last one: the comma before it goes, on whatever line
      std::string& before = lines_[elements[i - 1].line];
      const auto at = before.find(',', elements[i - 1].end);
      if (at != std::string::npos && elements[i - 1].line == line) begin = at;
    }
    text.erase(begin, end - begin);
    if (trimmed(text).empty()) lines_.erase(lines_.begin() + static_cast<std::ptrdiff_t>(line));
    return true;
  }
  return false;
}

}  // namespace nlb
