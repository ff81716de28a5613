// SPDX-License-Identifier: Apache-2.0
// A TOML text as a small tree of values that know their line. Keeps the TOML library in one translation unit,
// and lets the checks of the configuration be plain code over plain data.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <utility>
#include <vector>

namespace nlb {

struct TomlNode {
  enum class Kind : uint8_t {
    text,
    integer,
    boolean,
    array,
    table,
    other
  };  // other: float, date, time, unprintable text

  Kind kind = Kind::other;
  int line = 0;  // of the key, or of the table's header
  std::string text;
  int64_t integer = 0;
  std::vector<TomlNode> items;                             // array
  std::vector<std::pair<std::string, TomlNode>> children;  // table, by key

  [[nodiscard]] const TomlNode* find(std::string_view key) const;
  [[nodiscard]] std::string describe() const;  // for messages: `the text "abc"`, `the number 7`, `a list`
};

struct TomlSyntaxError {
  int line = 0;
  std::string message;
};

[[nodiscard]] tl::expected<TomlNode, TomlSyntaxError> parse_toml(std::string_view text);

}  // namespace nlb
