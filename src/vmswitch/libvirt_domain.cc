// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/libvirt_domain.hh"

#include <algorithm>
#include <boost/property_tree/ptree.hpp>
#include <boost/property_tree/xml_parser.hpp>
#include <charconv>
#include <map>
#include <optional>
#include <sstream>

#include "control/config_section.hh"
#include "control/config_values.hh"
#include "vmswitch/port_table.hh"

namespace nlb::vmswitch {
namespace {

using Tree = boost::property_tree::ptree;
constexpr std::size_t kMaxXmlBytes = 1 << 20, kMaxDepth = 256;
constexpr const char* kAttributes = "<xmlattr>";

// Attributes of <nlb:port> are keys of [[port]]; "-" stands for "_", as is usual in XML.
enum class Value { text, number, flag };
const std::map<std::string, Value>& settings() {
  static const std::map<std::string, Value> known = {
      {"cluster", Value::text},      {"dhcp_guard", Value::flag}, {"host_id", Value::number},
      {"mac_spoofing", Value::text}, {"max_macs", Value::number}, {"recover_s", Value::number},
      {"router_guard", Value::flag}, {"sticky", Value::flag},     {"storm_limit_pps", Value::number},
      {"violation", Value::text},    {"vlan", Value::number},
  };
  return known;
}

// A value that is not of its kind stays a text, and is complained of where kinds are judged.
TomlNode setting_node(const std::string& key, Value kind, const std::string& text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (kind == Value::number && error == std::errc() && end == text.data() + text.size())
    return number_node(key, number);
  if (kind == Value::flag && (text == "yes" || text == "true")) return flag_node(key, true);
  if (kind == Value::flag && (text == "no" || text == "false")) return flag_node(key, false);
  return text_node(key, text);
}

// What prefixes mean at some place in the document.
using Prefixes = std::map<std::string, std::string>;

Prefixes with_declarations(Prefixes scope, const Tree& element) {
  const auto attributes = element.get_child_optional(kAttributes);
  if (!attributes) return scope;
  for (const auto& [name, value] : *attributes) {
    if (name == "xmlns") scope[""] = value.data();
    if (name.starts_with("xmlns:")) scope[name.substr(6)] = value.data();
  }
  return scope;
}

// The element's name within our namespace; nothing when it is of another.
std::optional<std::string> our_name(const Prefixes& scope, const std::string& tag) {
  const auto colon = tag.find(':');
  const std::string prefix = colon == std::string::npos ? "" : tag.substr(0, colon);
  const auto found = scope.find(prefix);
  if (found == scope.end() || found->second != kMetadataNamespace) return std::nullopt;
  return colon == std::string::npos ? tag : tag.substr(colon + 1);
}

bool is_element(const std::string& tag) {
  return tag != kAttributes && tag != "<xmlcomment>" && tag != "<xmltext>";
}

std::string attribute(const Tree& element, const std::string& path) {
  return element.get<std::string>(Tree::path_type(path, '|'), "");
}

std::string trimmed(const std::string& text) {
  const auto first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

// The parser calls itself for each level.
bool is_too_deep(const std::string& xml) {
  std::size_t depth = 0;
  for (std::size_t at = xml.find('<'); at != std::string::npos; at = xml.find('<', at + 1)) {
    const char next = at + 1 < xml.size() ? xml[at + 1] : '\0';
    if (next == '/' && depth > 0) --depth;
    const auto end = xml.find('>', at);
    const bool empty = end != std::string::npos && xml[end - 1] == '/';
    if (next != '/' && next != '!' && next != '?' && !empty && ++depth > kMaxDepth) return true;
  }
  return false;
}

class DomainReader {
 public:
  explicit DomainReader(const Tree& domain) : domain_(domain) {}

  GuestMachine read() {
    machine_.name = trimmed(domain_.get<std::string>("name", ""));
    read_adapters();
    const auto scope = with_declarations({}, domain_);
    for (const auto& [tag, element] : domain_)
      if (tag == "metadata") read_metadata(with_declarations(scope, element), element);
    for (const auto& problem : machine_.problems)
      for (auto& adapter : machine_.adapters)
        if (adapter.refused.empty()) adapter.refused = problem;
    return std::move(machine_);
  }
  [[nodiscard]] bool has_settings() const { return has_settings_; }

 private:
  // libvirt numbers adapters as they stand; a running domain says the number, or the name that its definition
  // gave ("ua-…"), in <alias>. One that is handed through from a device has no port.
  void read_adapters() {
    const auto devices = domain_.get_child_optional("devices");
    if (!devices) return;
    uint32_t next = 0;
    for (const auto& [tag, device] : *devices) {
      if (tag != "interface" || attribute(device, "<xmlattr>|type") == "hostdev") continue;
      std::string name = attribute(device, "alias|<xmlattr>|name");
      if (!is_vm_name(name)) name = "net" + std::to_string(next);
      if (const auto number = name.starts_with("net") ? parse_number(name.substr(3), 4095) : std::nullopt)
        next = std::max(next, *number + 1);
      add_adapter(name, device);
    }
  }

  void add_adapter(const std::string& name, const Tree& device) {
    GuestAdapter adapter;
    adapter.vm = machine_.name;
    adapter.adapter = name;
    adapter.bridge = attribute(device, "source|<xmlattr>|bridge");
    adapter.element = "libvirt domain " + machine_.name;
    adapter.table.kind = TomlNode::Kind::table;
    put(adapter.table, text_node("vm", machine_.name));
    put(adapter.table, text_node("adapter", name));
    if (const auto interface = attribute(device, "target|<xmlattr>|dev"); !interface.empty())
      put(adapter.table, text_node("interface", interface));
    put(adapter.table, text_node("mac", attribute(device, "mac|<xmlattr>|address")));
    machine_.adapters.push_back(std::move(adapter));
  }

  void complain(const std::string& text) {
    machine_.problems.push_back("libvirt domain " + machine_.name + ", " + text);
  }

  void read_metadata(const Prefixes& scope, const Tree& metadata) {
    for (const auto& [tag, element] : metadata) {
      if (!is_element(tag)) continue;
      const auto inner = with_declarations(scope, element);
      const auto name = our_name(inner, tag);
      if (!name) continue;
      if (std::exchange(has_settings_, true))
        complain("<metadata>: there is more than one element of " + std::string(kMetadataNamespace) +
                 "; allowed: one <vmswitch>");
      else if (*name == "vmswitch")
        read_vmswitch(inner, element);
      else
        complain("<metadata>: <" + *name + "> is unknown; allowed: <vmswitch>, with one <port> an adapter");
    }
  }

  void read_vmswitch(const Prefixes& scope, const Tree& vmswitch) {
    if (const auto attributes = vmswitch.get_child_optional(kAttributes))
      for (const auto& [name, value] : *attributes)
        if (!name.starts_with("xmlns"))
          complain("<vmswitch>: the attribute " + name + " is unknown; allowed: none");
    for (const auto& [tag, element] : vmswitch) {
      if (!is_element(tag)) continue;
      const auto inner = with_declarations(scope, element);
      if (our_name(inner, tag) == "port")
        read_port(inner, element);
      else
        complain("<vmswitch>: <" + tag + "> is unknown; allowed: <port>, of the same namespace");
    }
  }

  GuestAdapter* adapter_of(const Tree& port) {
    const std::string name = attribute(port, "<xmlattr>|adapter");
    std::vector<std::string> names;
    for (auto& adapter : machine_.adapters) {
      if (adapter.adapter == name || (name.empty() && machine_.adapters.size() == 1)) return &adapter;
      names.push_back("\"" + adapter.adapter + "\"");
    }
    complain("<port>: adapter is " + (name.empty() ? "missing" : "\"" + name + "\"") +
             "; allowed: " + (names.empty() ? "no <port>, the domain has no adapter" : joined(names)));
    return nullptr;
  }

  void read_port(const Prefixes& scope, const Tree& port) {
    auto* adapter = adapter_of(port);
    if (adapter == nullptr) return;
    if (adapter->element.ends_with('>'))
      return refuse(*adapter, "there is more than one; allowed: one <port> an adapter");
    adapter->element += ", <port adapter=\"" + adapter->adapter + "\">";
    std::vector<std::string> names = {"adapter"};
    for (const auto& [key, kind] : settings()) names.push_back(key);
    if (const auto attributes = port.get_child_optional(kAttributes))
      for (const auto& [name, value] : *attributes) {
        std::string key = name;
        std::replace(key.begin(), key.end(), '-', '_');
        const auto known = settings().find(key);
        if (known != settings().end())
          put(adapter->table, setting_node(key, known->second, value.data()));
        else if (key != "adapter" && !name.starts_with("xmlns"))
          refuse(*adapter, "the attribute " + name + " is unknown; nearest: " + nearest(key, names) +
                               " (known: " + joined(names) + ")");
      }
    read_addresses(scope, port, *adapter);
  }

  // An empty list, <nlb:addresses/>, would be "may claim none": there is no such element.
  static void read_addresses(const Prefixes& scope, const Tree& port, GuestAdapter& adapter) {
    std::vector<std::string> addresses;
    for (const auto& [tag, element] : port) {
      if (!is_element(tag)) continue;
      if (our_name(with_declarations(scope, element), tag) == "address")
        addresses.push_back(trimmed(element.data()));
      else
        refuse(adapter, "<" + tag + "> is unknown; allowed: <address>, of the same namespace");
    }
    if (!addresses.empty()) put(adapter.table, list_node("addresses", addresses));
  }

  static void refuse(GuestAdapter& adapter, const std::string& why) {
    if (adapter.refused.empty()) adapter.refused = adapter.element + ": " + why;
  }

  const Tree& domain_;
  GuestMachine machine_;
  bool has_settings_ = false;
};

}  // namespace

Result<GuestMachine> read_libvirt_domain(const std::string& xml) {
  if (xml.size() > kMaxXmlBytes || is_too_deep(xml)) return fail("the domain's XML is too long or too deep");
  Tree document;
  try {
    std::istringstream stream(xml);
    boost::property_tree::read_xml(stream, document);
  } catch (const boost::property_tree::xml_parser_error& error) {
    return fail("the domain's XML cannot be read: " + error.message() + " in line " +
                std::to_string(error.line()));
  }
  const auto domain = document.get_child_optional("domain");
  if (!domain) return fail("there is no <domain> in the XML");
  DomainReader reader(*domain);
  auto machine = reader.read();
  if (is_vm_name(machine.name)) return machine;
  if (reader.has_settings())
    return fail("libvirt domain \"" + machine.name +
                "\" has <vmswitch> in its metadata, which needs another name; allowed: 1 to 64 letters, "
                "digits, \"-\", \"_\" and \".\", not beginning with \".\"");
  machine.adapters.clear();
  return machine;
}

}  // namespace nlb::vmswitch
