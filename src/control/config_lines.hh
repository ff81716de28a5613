// SPDX-License-Identifier: Apache-2.0
// A TOML text as lines, in which single values and tables are changed without touching the rest. Knows as
// much of TOML as our own files use; whoever edits parses the result (config_edit.hh).
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace nlb {

class ConfigLines {
 public:
  explicit ConfigLines(std::string_view text);
  [[nodiscard]] std::string text() const;

  // Tables are named by the number (1-based) of their header's line, as the parser gives it.
  void set(int header, std::string_view key, const std::string& value);
  void erase_key(int header, std::string_view key);
  // With its sub-tables; comments behind its last key stay.
  void erase_table(int header, std::string_view sub_table);
  // Behind the table of that header and its sub-tables; 0 = at the end of the text.
  void add_table(int behind, std::string_view sub_table, const std::vector<std::string>& lines);
  // A list of texts, which may run over several lines. False: there is no such list, or element.
  [[nodiscard]] bool append_to_list(int header, std::string_view key, const std::string& element);
  [[nodiscard]] bool erase_from_list(int header, std::string_view key, std::string_view element);

 private:
  struct Place {
    std::size_t line = 0, column = 0;
  };
  struct Quoted {  // a text of a list: from its opening quote to behind its closing one, on one line
    std::size_t line = 0, begin = 0, end = 0;
  };
  [[nodiscard]] std::size_t end_of_keys(std::size_t header) const;
  [[nodiscard]] std::size_t end_of_table(std::size_t header, std::string_view sub_table) const;
  [[nodiscard]] std::size_t behind_last_key(std::size_t header, std::size_t end) const;
  [[nodiscard]] std::optional<Place> value_of(int header, std::string_view key) const;
  [[nodiscard]] std::vector<Quoted> list_elements(Place value) const;

  std::vector<std::string> lines_;
};

// As TOML writes it.
[[nodiscard]] std::string quoted_toml(std::string_view text);

}  // namespace nlb
