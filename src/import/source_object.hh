// SPDX-License-Identifier: Apache-2.0
// What the formats have in common: objects with properties, as PowerShell knows them. Each property keeps the
// line that it was read from, so that whatever is said later names its place.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <tl/expected.hpp>
#include <vector>

#include "control/config_problem.hh"

namespace nlb::import {

struct Property {
  std::string name;
  std::string value;  // "" = empty or null; lists are one text with ", "
  int line = 0;
  bool number = false;  // a JSON number: an enumeration's number rather than its word
};

enum class ObjectKind { unknown, cluster, node, rule, vip, dip, parameters };

struct SourceObject {
  std::string file;
  int line = 0;
  ObjectKind kind = ObjectKind::unknown;
  std::string scope;  // objects of one scope are of one host: those of one <Cluster> of an unattend file
  bool unattend = false;
  bool wraps = false;  // holds other objects, and may say nothing itself
  std::vector<Property> properties;

  // The first of these names that is there with a value; names in any case.
  [[nodiscard]] const Property* find(std::initializer_list<std::string_view> names) const;
  [[nodiscard]] std::string text(std::initializer_list<std::string_view> names) const;  // "" = not there
  [[nodiscard]] ConfigProblem problem(int at_line, std::string message) const;
  [[nodiscard]] std::string place(int at_line) const;  // FILE:LINE
};

using Objects = tl::expected<std::vector<SourceObject>, ConfigProblem>;

// Any exported file: JSON, Format-List text or unattend XML, told apart by how it begins.
[[nodiscard]] Objects read_objects(std::string_view bytes, const std::string& file);

[[nodiscard]] Objects read_json_objects(std::string_view text, const std::string& file);
[[nodiscard]] Objects read_list_objects(std::string_view text, const std::string& file);
[[nodiscard]] Objects read_unattend_objects(std::string_view text, const std::string& file);

// Told by its properties; unknown when they fit nothing.
[[nodiscard]] ObjectKind kind_of(const SourceObject& object);

[[nodiscard]] bool same_word(std::string_view a, std::string_view b);  // ASCII, in any case
[[nodiscard]] std::string_view trimmed(std::string_view text);

}  // namespace nlb::import
