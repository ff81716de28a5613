// SPDX-License-Identifier: Apache-2.0
// The only translation unit that sees the TOML library (toml++, header only, without exceptions).
#include "control/toml_document.hh"

#define TOML_HEADER_ONLY 1
#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <algorithm>

namespace nlb {
namespace {

int line_of(const toml::source_region& region) {
  return static_cast<int>(region.begin.line);
}

TomlNode convert(const toml::node& node, int line);

TomlNode convert_table(const toml::table& table, int line) {
  TomlNode result;
  result.kind = TomlNode::Kind::table;
  result.line = line;
  for (const auto& [key, value] : table) {
    // A table header's own place is the value's; a plain value is best shown at its key.
    const int at =
        value.is_table() || value.is_array_of_tables() ? line_of(value.source()) : line_of(key.source());
    result.children.emplace_back(std::string(key.str()), convert(value, at));
  }
  return result;
}

TomlNode convert(const toml::node& node, int line) {
  if (const auto* table = node.as_table()) return convert_table(*table, line);
  TomlNode result;
  result.line = line;
  if (const auto* text = node.as_string()) {
    // A control character belongs into no name, path or address, and would act on the terminal that shows it.
    const bool printable = std::all_of(text->get().begin(), text->get().end(),
                                       [](char c) { return (c & 0xe0) != 0 && c != 0x7f; });
    result.kind = printable ? TomlNode::Kind::text : TomlNode::Kind::other;
    result.text = text->get();
  } else if (const auto* integer = node.as_integer()) {
    result.kind = TomlNode::Kind::integer;
    result.integer = integer->get();
  } else if (const auto* boolean = node.as_boolean()) {
    result.kind = TomlNode::Kind::boolean;
    result.integer = boolean->get() ? 1 : 0;
  } else if (const auto* array = node.as_array()) {
    result.kind = TomlNode::Kind::array;
    for (const auto& item : *array) result.items.push_back(convert(item, line_of(item.source())));
  }
  return result;
}

}  // namespace

const TomlNode* TomlNode::find(std::string_view key) const {
  const auto found =
      std::find_if(children.begin(), children.end(), [&](const auto& c) { return c.first == key; });
  return found == children.end() ? nullptr : &found->second;
}

std::string TomlNode::describe() const {
  switch (kind) {
    case Kind::text:
      return "the text \"" + text + "\"";
    case Kind::integer:
      return "the number " + std::to_string(integer);
    case Kind::boolean:
      return integer != 0 ? "true" : "false";
    case Kind::array:
      return "a list";
    case Kind::table:
      return "a table";
    case Kind::other:
      break;
  }
  return "a fraction, a date, a time or a text with control characters";
}

tl::expected<TomlNode, TomlSyntaxError> parse_toml(std::string_view text) {
  const toml::parse_result parsed = toml::parse(text);
  if (parsed.failed()) {
    const auto& error = parsed.error();
    return tl::unexpected(TomlSyntaxError{line_of(error.source()), std::string(error.description())});
  }
  return convert_table(parsed.table(), 1);
}

}  // namespace nlb
