// SPDX-License-Identifier: Apache-2.0
// Component Microsoft-Windows-NetworkLoadBalancing-Core of an unattend file: each <Cluster> is one host of
// one cluster, with everything that it says in elements.
//
// The XML library (the one that reads libvirt's domains) knows no lines of elements. Once it has accepted a
// text, its n-th element is the n-th start tag, and those are found without parsing.
#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <sstream>

#include "import/source_object.hh"

namespace nlb::import {
namespace {

using Tree = boost::property_tree::ptree;
constexpr std::size_t kMaxDepth = 64;

// Where a construct that begins at `at` ends: behind its closing mark.
std::size_t behind(std::string_view text, std::size_t at, std::string_view mark) {
  const auto found = text.find(mark, at);
  return found == std::string_view::npos ? text.size() : found + mark.size();
}

std::size_t behind_tag(std::string_view text, std::size_t at) {
  for (char quote = 0; at < text.size(); ++at) {
    if (quote != 0)
      quote = text[at] == quote ? '\0' : quote;
    else if (text[at] == '"' || text[at] == '\'')
      quote = text[at];
    else if (text[at] == '>')
      return at + 1;
  }
  return at;
}

// Finds the start tags, and what the library does not look at: depth, and whether each end tag is that of the
// element that is open.
class TagScan {
 public:
  explicit TagScan(std::string_view text) : text_(text) {
    for (std::size_t at = text.find('<'); at != std::string_view::npos && trouble.empty();) {
      count_lines_to(at);
      at = text.find('<', scan(at));
    }
  }

  std::vector<int> lines;  // of the start tags
  int line = 1;
  std::string trouble;  // "" = none; else it is in `line`

 private:
  void count_lines_to(std::size_t at) {
    const auto begin = text_.begin();
    line += static_cast<int>(std::count(begin + static_cast<std::ptrdiff_t>(counted_),
                                        begin + static_cast<std::ptrdiff_t>(at), '\n'));
    counted_ = at;
  }

  std::size_t scan(std::size_t at) {
    const auto rest = text_.substr(at);
    if (rest.starts_with("<!--")) return behind(text_, at + 4, "-->");
    if (rest.starts_with("<![CDATA[")) return behind(text_, at, "]]>");
    if (rest.starts_with("<?")) return behind(text_, at, "?>");
    const std::size_t next = behind_tag(text_, at);
    const auto tag = text_.substr(at, next - at);
    if (tag.starts_with("</"))
      close(trimmed(tag.substr(2, tag.size() - std::min<std::size_t>(tag.size(), 3))));
    else if (!tag.starts_with("<!"))
      open(tag);
    return next;
  }

  void open(std::string_view tag) {
    lines.push_back(line);
    if (tag.ends_with("/>")) return;
    open_.push_back({tag.substr(1, tag.find_first_of(" \t\r\n>") - 1), line});
    if (open_.size() > kMaxDepth) trouble = "is nested too deep for an unattend file";
  }

  void close(std::string_view name) {
    if (open_.empty() || open_.back().name != name)
      trouble = "is not XML: </" + std::string(name) + "> closes " +
                (open_.empty() ? "nothing"
                               : "<" + std::string(open_.back().name) + "> of line " +
                                     std::to_string(open_.back().line));
    else
      open_.pop_back();
  }

  struct Open {
    std::string_view name;
    int line;
  };
  std::string_view text_;
  std::size_t counted_ = 0;
  std::vector<Open> open_;
};

struct Element {
  std::string name, value;
  int line = 0;
  std::vector<Element> children;

  [[nodiscard]] const Element* child(std::string_view wanted) const {
    for (const Element& element : children)
      if (same_word(element.name, wanted)) return &element;
    return nullptr;
  }
};

Element element_of(const std::string& name, const Tree& tree, const std::vector<int>& lines,
                   std::size_t& index) {
  Element element{name, std::string(trimmed(tree.data())), 0, {}};
  element.line = index < lines.size() ? lines[index] : 0;
  ++index;
  for (const auto& [tag, child] : tree)
    if (!tag.starts_with('<')) element.children.push_back(element_of(tag, child, lines, index));
  return element;
}

void put(SourceObject& object, const std::string& name, const Element& element) {
  object.properties.push_back({name, element.value, element.line, false});
}

SourceObject object_at(const Element& element, ObjectKind kind, const std::string& scope) {
  SourceObject object;
  object.line = element.line;
  object.kind = kind;
  object.scope = scope;
  object.unattend = true;
  return object;
}

// <VirtualIpAddresses> and <DedicatedIpAddresses> hold <IpAddress> elements, each with an <IpAddress> and a
// <NetworkMask> of its own.
void add_addresses(const Element& list, ObjectKind kind, const std::string& scope,
                   std::vector<SourceObject>& objects) {
  for (const Element& entry : list.children) {
    auto object = object_at(entry, kind, scope);
    if (const auto* address = entry.child("IpAddress")) put(object, "IPAddress", *address);
    if (const auto* mask = entry.child("NetworkMask")) put(object, "SubnetMask", *mask);
    objects.push_back(std::move(object));
  }
}

void add_rules(const Element& list, const std::string& scope, std::vector<SourceObject>& objects) {
  for (const Element& entry : list.children) {
    auto object = object_at(entry, ObjectKind::rule, scope);
    for (const Element& value : entry.children) put(object, value.name, value);
    objects.push_back(std::move(object));
  }
}

void add_cluster(const Element& cluster, std::vector<SourceObject>& objects) {
  const std::string scope = "<Cluster> of line " + std::to_string(cluster.line);
  auto host = object_at(cluster, ObjectKind::parameters, scope);
  std::vector<SourceObject> parts;
  for (const Element& element : cluster.children) {
    if (same_word(element.name, "Portrules"))
      add_rules(element, scope, parts);
    else if (same_word(element.name, "VirtualIpAddresses"))
      add_addresses(element, ObjectKind::vip, scope, parts);
    else if (same_word(element.name, "DedicatedIpAddresses"))
      add_addresses(element, ObjectKind::dip, scope, parts);
    else if (element.children.empty())
      put(host, element.name, element);
    else
      host.properties.push_back({element.name, "(of several parts)", element.line, false});
  }
  objects.push_back(std::move(host));
  objects.insert(objects.end(), parts.begin(), parts.end());
}

void find_clusters(const Element& element, std::vector<SourceObject>& objects) {
  if (same_word(element.name, "Cluster")) return add_cluster(element, objects);
  for (const Element& child : element.children) find_clusters(child, objects);
}

}  // namespace

Objects read_unattend_objects(std::string_view text, const std::string& file) {
  const TagScan tags(text);
  if (!tags.trouble.empty()) return tl::unexpected(ConfigProblem{file, tags.line, tags.trouble});
  Tree document;
  try {
    std::istringstream stream{std::string(text)};
    boost::property_tree::read_xml(stream, document);
  } catch (const boost::property_tree::xml_parser_error& error) {
    return tl::unexpected(
        ConfigProblem{file, static_cast<int>(error.line()), "is not XML: " + error.message()});
  }
  std::vector<SourceObject> objects;
  std::size_t index = 0;
  for (const auto& [tag, tree] : document)
    if (!tag.starts_with('<')) find_clusters(element_of(tag, tree, tags.lines, index), objects);
  return objects;
}

}  // namespace nlb::import
