// SPDX-License-Identifier: Apache-2.0
#include "import/property_value.hh"

#include <algorithm>
#include <bit>

#include "control/config_values.hh"

namespace nlb::import {
namespace {

// What is read elsewhere, or only names and describes.
constexpr std::string_view kReadOrSaysNothing[] = {"Name",
                                                   "Cluster",
                                                   "ClusterName",
                                                   "FullyQualifiedDomainName",
                                                   "IPAddress",
                                                   "ClusterIPAddress",
                                                   "SubnetMask",
                                                   "ClusterNetMask",
                                                   "Mode",
                                                   "ClusterMode",
                                                   "AliveMsgPeriod",
                                                   "AliveMsgTolerance",
                                                   "MembershipHeartbeatPeriod",
                                                   "MembershipHeartbeatLossTolerance",
                                                   "ClusterMacAddress",
                                                   "Node",
                                                   "NodeName",
                                                   "Host",
                                                   "HostName",
                                                   "State",
                                                   "HostPriority",
                                                   "HostId",
                                                   "HostIdentifier",
                                                   "Interface",
                                                   "InterfaceName",
                                                   "AdapterGuid",
                                                   "InitialHostState",
                                                   "CurrentHostState",
                                                   "PersistSuspendOnReboot",
                                                   "PersistSuspendedState",
                                                   "PersistedSuspendedState",
                                                   "PersistedHostStates",
                                                   "VirtualIPAddress",
                                                   "StartPort",
                                                   "EndPort",
                                                   "Protocol",
                                                   "FilteringMode",
                                                   "Affinity",
                                                   "ClientAffinity",
                                                   "EqualLoad",
                                                   "LoadWeight",
                                                   "Priority",
                                                   "HandlingPriority",
                                                   "Timeout",
                                                   "PortState",
                                                   "ParametersVersion",
                                                   "EffectiveNlbVersion",
                                                   "DedicatedIPAddress",
                                                   "PSComputerName",
                                                   "RunspaceId",
                                                   "PSShowComputerName",
                                                   "PSPath",
                                                   "PSProvider"};

// Names, the values of which nothing needs to be said ("" = all are worth saying), and why it is left out.
struct LeftOut {
  std::string_view name, unless;
  const char* reason;
};
constexpr LeftOut kLeftOut[] = {
    {"MaskSourceMac", "True",
     "nlbd masks the source MAC whenever it replaces the adapter's, and need not otherwise"},
    {"MaskSourceMacEnabled", "true",
     "nlbd masks the source MAC whenever it replaces the adapter's, and need not otherwise"},
    {"FilterIcmp", "1",
     "ICMP echo is always answered by one host, as a rule with single affinity; errors reach all"},
    {"IcmpFilteringEnabled", "True",
     "ICMP echo is always answered by one host, as a rule with single affinity; errors reach all"},
    {"GreDescriptorTimeout", "", "PPTP and GRE have no tracking of their own; GRE goes to the default host"},
    {"IpSecDescriptorTimeout", "",
     "IPsec has no tracking of its own; a rule with affinity keeps a client on its host"},
    {"MaxConnectionDescriptors", "",
     "the kernel's socket table is the connection table; there is nothing to size"},
    {"MaximumConnectionDescriptors", "",
     "the kernel's socket table is the connection table; there is nothing to size"},
    {"BDATeam", "", "bi-directional affinity teams do not exist here"},
    {"IdentityHeartbeatPeriod", "", "hosts need no second kind of heartbeat to know each other's names"},
    {"RemoteControlEnabled", "False", "there is no remote control by password"},
    {"RemoteControlUDPPort", "", "there is no remote control by password"},
    {"ClusterIpToClusterMacEnabled", "true", "the cluster MAC always follows from the primary VIP"},
};

bool is_cut_off(std::string_view value) {
  return value.ends_with("...") || value.ends_with("\xE2\x80\xA6");  // … in UTF-8
}

}  // namespace

const Property* ObjectReader::find(Names names) {
  const auto* property = object_.find(names);
  if (property == nullptr || !is_cut_off(property->value)) return property;
  complain(property->line, property->name + " is \"" + property->value +
                               "\", which was cut off; export with | ConvertTo-Json, or set "
                               "$FormatEnumerationLimit = -1 before | Format-List *");
  return nullptr;
}

std::string ObjectReader::text(Names names) {
  const auto* property = find(names);
  return property == nullptr ? "" : property->value;
}

std::optional<uint32_t> ObjectReader::number(Names names, uint32_t least, uint32_t most) {
  const auto* property = find(names);
  if (property == nullptr) return std::nullopt;
  const auto value = parse_number(property->value, most);
  if (value && *value >= least) return value;
  complain(property->line, property->name + " is \"" + property->value + "\"; allowed: a number " +
                               std::to_string(least) + ".." + std::to_string(most));
  return std::nullopt;
}

std::optional<bool> ObjectReader::flag(Names names) {
  return word<bool>(names, {{"True", 1, true}, {"False", 0, false}});
}

std::optional<IpAddress> ObjectReader::address(Names names) {
  const auto* property = find(names);
  if (property == nullptr) return std::nullopt;
  const auto address = IpAddress::parse(property->value);
  if (!address)
    complain(property->line, property->name + " is \"" + property->value + "\"; allowed: an IP address");
  return address;
}

std::optional<uint8_t> ObjectReader::prefix_length(Names names) {
  const auto* property = find(names);
  if (property == nullptr) return std::nullopt;
  const auto mask = IpAddress::parse(property->value);
  if (mask && mask->is_unspecified()) return std::nullopt;
  const uint32_t bits = mask && mask->is_v4() ? mask->v4_host_order() : 0;
  const int ones = std::countl_one(bits);
  if (bits != 0 && std::popcount(bits) == ones) return static_cast<uint8_t>(ones);
  complain(property->line,
           property->name + " is \"" + property->value + "\"; allowed: a network mask as 255.255.255.0");
  return std::nullopt;
}

bool ObjectReader::is_number(const Property& property, int number) {
  return number >= 0 && property.value == std::to_string(number);
}

void ObjectReader::note_number(const Property& property, std::string_view word) {
  note(property, "exported as a number, read as " + std::string(word) + ", which it means in WMI");
}

void ObjectReader::complain_of_word(const Property& property, const std::string& allowed) {
  complain(property.line, property.name + " is \"" + property.value + "\"; allowed: " + allowed +
                              (property.number ? " (the word; | Format-List * gives it)" : ""));
}

void ObjectReader::note_what_is_left_out() {
  for (const Property& property : object_.properties) {
    const auto is = [&](std::string_view name) { return same_word(property.name, name); };
    if (property.value.empty() || property.name.starts_with("Cim") ||
        std::any_of(std::begin(kReadOrSaysNothing), std::end(kReadOrSaysNothing), is))
      continue;
    const auto* known = std::find_if(std::begin(kLeftOut), std::end(kLeftOut),
                                     [&](const LeftOut& entry) { return is(entry.name); });
    if (known == std::end(kLeftOut))
      note(property, "left out; nlb import does not know what it means");
    else if (known->unless.empty() || !same_word(known->unless, property.value))
      note(property, std::string("left out; ") + known->reason);
  }
}

}  // namespace nlb::import
