// SPDX-License-Identifier: Apache-2.0
#include "import/source_object.hh"

#include <algorithm>

#include "import/source_text.hh"

namespace nlb::import {
namespace {

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

}  // namespace

bool same_word(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view blanks = " \t\r\n\v\f";
  const auto first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

const Property* SourceObject::find(std::initializer_list<std::string_view> names) const {
  for (const auto name : names)
    for (const Property& property : properties)
      if (same_word(property.name, name) && !property.value.empty()) return &property;
  return nullptr;
}

std::string SourceObject::text(std::initializer_list<std::string_view> names) const {
  const auto* property = find(names);
  return property == nullptr ? "" : property->value;
}

ConfigProblem SourceObject::problem(int at_line, std::string message) const {
  return {file, at_line, std::move(message)};
}

std::string SourceObject::place(int at_line) const {
  return file + ":" + std::to_string(at_line);
}

ObjectKind kind_of(const SourceObject& object) {
  const auto has = [&](std::string_view name) {
    return std::any_of(object.properties.begin(), object.properties.end(),
                       [&](const Property& property) { return same_word(property.name, name); });
  };
  if (has("StartPort") || has("EndPort") || has("FilteringMode")) return ObjectKind::rule;
  if (has("ClusterIPAddress") && has("HostId")) return ObjectKind::parameters;
  if (has("HostPriority") || (has("HostID") && has("Name"))) return ObjectKind::node;
  if (!has("IPAddress")) return ObjectKind::unknown;
  if (has("Mode") || has("ClusterMode")) return ObjectKind::cluster;
  if (has("Node") || has("NodeName")) return ObjectKind::dip;
  return has("SubnetMask") ? ObjectKind::vip : ObjectKind::unknown;
}

Objects read_objects(std::string_view bytes, const std::string& file) {
  const auto text = utf8_of(bytes, file);
  if (!text) return tl::unexpected(text.error());
  const auto content = trimmed(*text);
  if (content.empty()) return tl::unexpected(ConfigProblem{file, 0, "is empty"});
  auto objects = content.front() == '<'                             ? read_unattend_objects(*text, file)
                 : content.front() == '{' || content.front() == '[' ? read_json_objects(*text, file)
                                                                    : read_list_objects(*text, file);
  if (!objects) return objects;
  for (SourceObject& object : *objects) {
    object.file = file;
    if (object.kind == ObjectKind::unknown) object.kind = kind_of(object);
  }
  const bool any = std::any_of(objects->begin(), objects->end(),
                               [](const SourceObject& object) { return object.kind != ObjectKind::unknown; });
  if (!any)
    return tl::unexpected(ConfigProblem{
        file, 0,
        "holds no object of Windows NLB; allowed: what Get-NlbCluster, Get-NlbClusterNode, "
        "Get-NlbClusterPortRule, Get-NlbClusterVip, Get-NlbClusterNodeDip and Get-NlbClusterDriverInfo give, "
        "as ConvertTo-Json or Format-List *, or an unattend file"});
  return objects;
}

}  // namespace nlb::import
