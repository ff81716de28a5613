// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/port_table.hh"

#include <algorithm>

namespace nlb::vmswitch {
namespace {

// Control characters become '?', as in messages: no name or address has one.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += (c & 0xe0) == 0 || c == 0x7f ? '?' : c;
  }
  return out + "\"";
}

std::string value_text(const TomlNode& node) {
  switch (node.kind) {
    case TomlNode::Kind::text:
      return quoted(node.text);
    case TomlNode::Kind::integer:
      return std::to_string(node.integer);
    case TomlNode::Kind::boolean:
      return node.integer != 0 ? "true" : "false";
    case TomlNode::Kind::array: {
      std::string list;
      for (const auto& item : node.items) list += (list.empty() ? "" : ", ") + value_text(item);
      return "[" + list + "]";
    }
    default:
      return "";
  }
}

std::string key_text(const std::string& key) {
  const bool bare = !key.empty() && std::all_of(key.begin(), key.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? key : quoted(key);
}

TomlNode node_of(TomlNode::Kind kind, const std::string& key) {
  TomlNode node;
  node.kind = kind;
  node.key = key;
  return node;
}

}  // namespace

TomlNode text_node(const std::string& key, const std::string& text) {
  TomlNode node = node_of(TomlNode::Kind::text, key);
  node.text = text;
  return node;
}

TomlNode number_node(const std::string& key, int64_t number) {
  TomlNode node = node_of(TomlNode::Kind::integer, key);
  node.integer = number;
  return node;
}

TomlNode flag_node(const std::string& key, bool flag) {
  TomlNode node = node_of(TomlNode::Kind::boolean, key);
  node.integer = flag ? 1 : 0;
  return node;
}

TomlNode list_node(const std::string& key, const std::vector<std::string>& texts) {
  TomlNode node = node_of(TomlNode::Kind::array, key);
  for (const auto& text : texts) node.items.push_back(text_node("", text));
  return node;
}

void put(TomlNode& table, const TomlNode& value) {
  const auto found = std::find_if(table.items.begin(), table.items.end(),
                                  [&](const TomlNode& item) { return item.key == value.key; });
  if (found == table.items.end())
    table.items.push_back(value);
  else
    *found = value;
}

std::string text_at(const TomlNode& table, const char* key) {
  const auto* node = table.find(key);
  return node != nullptr && node->kind == TomlNode::Kind::text ? node->text : "";
}

std::string port_text(const TomlNode& table) {
  std::string text = "\n[[port]]\n";
  for (const char* key : {"vm", "adapter"})
    if (const auto* node = table.find(key)) text += std::string(key) + " = " + value_text(*node) + "\n";
  for (const auto& item : table.items)
    if (item.key != "vm" && item.key != "adapter")
      text += key_text(item.key) + " = " + value_text(item) + "\n";
  return text;
}

}  // namespace nlb::vmswitch
