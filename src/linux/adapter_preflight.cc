// SPDX-License-Identifier: Apache-2.0
// What speaks against running a cluster on an interface. A list, not the first objection: an administrator
// mends everything in one go. Pure but for one read of the kernel.
#include <algorithm>

#include "base/limits.hh"
#include "linux/adapter.hh"

namespace nlb {
namespace {

uint8_t host_prefix(const IpAddress& ip) {
  return ip.is_v4() ? 32 : 128;
}

// Octets and prefix length counted within the address's own family.
bool same_subnet(const IpAddress& a, const InterfaceAddress& b) {
  if (a.is_v4() != b.address.is_v4()) return false;
  std::size_t bits = b.prefix_length + (a.is_v4() ? 96u : 0u);
  for (std::size_t i = 0; i < 16 && bits > 0; ++i) {
    const std::size_t taken = std::min<std::size_t>(bits, 8);
    const auto mask = static_cast<uint8_t>(0xff << (8 - taken));
    if ((a.octets[i] & mask) != (b.address.octets[i] & mask)) return false;
    bits -= taken;
  }
  return true;
}

// A VIP that an earlier daemon left is there as a host address; anything else that equals it is somebody's
// own.
bool is_left_vip(const IpAddress& vip, const InterfaceAddress& on) {
  return on.address == vip && on.prefix_length == host_prefix(vip);
}

std::string subnets_of(const std::vector<InterfaceAddress>& addresses) {
  std::string text;
  for (const auto& on : addresses)
    text += (text.empty() ? "" : ", ") + on.address.text() + "/" + std::to_string(on.prefix_length);
  return text;
}

// RFC 3021: a /31 has neither a network nor a broadcast address.
void check_edges(const IpAddress& vip, const InterfaceAddress& on, std::vector<std::string>& objections) {
  if (!vip.is_v4() || on.prefix_length >= 31 || !same_subnet(vip, on)) return;
  const uint32_t host_bits = on.prefix_length == 0 ? ~0u : (1u << (32 - on.prefix_length)) - 1;
  const uint32_t host = vip.v4_host_order() & host_bits;
  if (host != 0 && host != host_bits) return;
  objections.push_back("VIP " + vip.text() + " is the " + (host == 0 ? "network" : "broadcast") +
                       " address of the subnet of " + on.address.text() + "/" +
                       std::to_string(on.prefix_length) + ": choose an address between the two");
}

void check_vip(const IpAddress& vip, const AdapterFacts& facts, const std::vector<InterfaceAddress>& own,
               std::vector<std::string>& objections) {
  const auto equals = [&](const InterfaceAddress& on) { return on.address == vip; };
  if (std::any_of(own.begin(), own.end(), equals)) {
    objections.push_back("VIP " + vip.text() + " is a dedicated address of " + facts.name +
                         ": a VIP must be an address that no host has for itself");
    return;
  }
  if (facts.gateway == vip) {
    objections.push_back("VIP " + vip.text() + " is the address of the default gateway of " + facts.name +
                         ": choose an unused address");
    return;
  }
  const auto inside = [&](const InterfaceAddress& on) { return same_subnet(vip, on); };
  if (std::none_of(own.begin(), own.end(), inside)) {
    objections.push_back(
        "VIP " + vip.text() + " is outside every subnet of " + facts.name + " (" +
        (own.empty() ? "it has no address" : subnets_of(own)) +
        "): give the interface a dedicated address in the VIP's subnet, or choose a VIP in its");
    return;
  }
  for (const auto& on : own) check_edges(vip, on, objections);
}

}  // namespace

bool has_subnet_of(const AdapterFacts& facts, const IpAddress& address) {
  return std::any_of(facts.addresses.begin(), facts.addresses.end(),
                     [&](const InterfaceAddress& on) { return same_subnet(address, on); });
}

std::vector<std::string> link_objections(const AdapterFacts& facts) {
  std::vector<std::string> objections;
  if (!facts.ethernet)
    objections.push_back(facts.name + " is not an Ethernet interface: a cluster needs MACs");
  if (!facts.up) objections.push_back(facts.name + " is down: run `ip link set " + facts.name + " up`");
  if (facts.bridge_port) {
    objections.push_back(facts.name + " is a port of " + facts.enslaved_to +
                         ": name the bridge itself as interface, or an interface of its own");
  } else if (!facts.enslaved_to.empty()) {
    objections.push_back(facts.name + " is enslaved to " + facts.enslaved_to +
                         ": name the master as interface, or release it");
  }
  if (facts.mtu < kMinMtu)
    objections.push_back(facts.name + " has an MTU of " + std::to_string(facts.mtu) + ": at least " +
                         std::to_string(kMinMtu) + " is needed, for a heartbeat of 64 hosts");
  return objections;
}

std::vector<std::string> vip_objections(const Config& config, const AdapterFacts& facts) {
  std::vector<std::string> objections;
  std::vector<InterfaceAddress> own;
  for (const auto& on : facts.addresses) {
    const auto left = [&](const Vip& vip) { return is_left_vip(vip.address, on); };
    if (std::none_of(config.vips.begin(), config.vips.end(), left)) own.push_back(on);
  }
  for (const auto& vip : config.vips) check_vip(vip.address, facts, own, objections);
  return objections;
}

std::vector<std::string> preflight(const Config& config, const AdapterFacts& facts) {
  std::vector<std::string> objections = link_objections(facts);
  if (!facts.ethernet) return objections;
  const auto about_vips = vip_objections(config, facts);
  objections.insert(objections.end(), about_vips.begin(), about_vips.end());
  return objections;
}

std::vector<std::string> preflight(const Config& config) {
  auto facts = read_adapter(config.interface);
  if (!facts) return {facts.error().message};
  return preflight(config, *facts);
}

}  // namespace nlb
