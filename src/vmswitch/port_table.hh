// SPDX-License-Identifier: Apache-2.0
// [[port]] tables that programs write: as a tree of values, and as text that reads back as that tree.
#pragma once

#include <string>
#include <vector>

#include "control/toml_document.hh"

namespace nlb::vmswitch {

[[nodiscard]] TomlNode text_node(const std::string& key, const std::string& text);
[[nodiscard]] TomlNode number_node(const std::string& key, int64_t number);
[[nodiscard]] TomlNode flag_node(const std::string& key, bool flag);
[[nodiscard]] TomlNode list_node(const std::string& key, const std::vector<std::string>& texts);
// In place of the value with the same key, or as the last one.
void put(TomlNode& table, const TomlNode& value);
[[nodiscard]] std::string text_at(const TomlNode& table, const char* key);  // "" = none

// "[[port]]" and a line a key; vm and adapter first, as a person would write it.
[[nodiscard]] std::string port_text(const TomlNode& table);

}  // namespace nlb::vmswitch
