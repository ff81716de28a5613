// SPDX-License-Identifier: Apache-2.0
// Format-List text: "Property : value" lines, objects parted by blank lines. A value that is longer than the
// console is wide goes on in lines that begin with blanks.
#include "import/source_object.hh"

namespace nlb::import {
namespace {

struct Split {
  std::string_view name, value;
};

// A property's name is a word; its colon stands behind blanks.
bool split(std::string_view line, Split& result) {
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return false;
  result.name = trimmed(line.substr(0, colon));
  result.value = trimmed(line.substr(colon + 1));
  const auto rest = line.substr(colon + 1);
  return !result.name.empty() && result.name.find_first_of(" \t\\/{") == std::string_view::npos &&
         (rest.empty() || rest.front() == ' ');
}

bool is_prompt(std::string_view line) {  // of a transcript: PS C:\> Get-NlbCluster | Format-List *
  return line.starts_with("PS ") && line.find('>') != std::string_view::npos;
}

std::string objection(std::string_view line) {
  return "\"" + std::string(line.substr(0, 60)) +
         "\" is no \"Property : value\"; a table (Format-Table) is not read, because it cuts values off: "
         "export with | Format-List * or | ConvertTo-Json";
}

}  // namespace

Objects read_list_objects(std::string_view text, const std::string& file) {
  std::vector<SourceObject> objects;
  bool inside = false;
  int number = 0;
  while (!text.empty()) {
    const auto line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    ++number;
    const auto content = trimmed(line);
    Split parts;
    if (content.empty() || is_prompt(line)) {
      inside = false;
    } else if (inside && (line.front() == ' ' || line.front() == '\t')) {
      objects.back().properties.back().value += " " + std::string(content);
    } else if (split(line, parts)) {
      if (!inside) {
        objects.emplace_back();
        objects.back().line = number;
      }
      inside = true;
      objects.back().properties.push_back({std::string(parts.name), std::string(parts.value), number, false});
    } else {
      return tl::unexpected(ConfigProblem{file, number, objection(content)});
    }
  }
  return objects;
}

}  // namespace nlb::import
