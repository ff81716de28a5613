// SPDX-License-Identifier: Apache-2.0
#include "linux/guard_rules.hh"

#include <fmt/format.h>
#include <nlb/abi/mark.h>

#include "base/hex.hh"
#include "linux/nft.hh"

namespace nlb::guard {
namespace {

constexpr uint32_t kMark = NLB_MARK, kOtherBits = ~kMark;

std::string quoted(const std::string& interface) {
  return '"' + interface + '"';
}

// A packet for a VIP comes in judged by the filter, or from this host and its own bridges, or not at all. raw
// - 10 is before connection tracking (the filter's drops leave no entry) and after reassembly, which keeps
// the mark. Bridges are let through by a rule of their own, not by `iifkind != "bridge"`: an adapter that
// states no kind (any physical one) matches neither way.
Chain ingress(const GuardPlan& plan) {
  const std::string in = quoted(plan.interface);
  return {
      "inet",
      "ingress",
      "type filter hook prerouting priority -310; policy accept;",
      {"iifname \"lo\" accept",
       fmt::format("iifname {} ip daddr @vips meta mark & {:#x} != {:#x} counter drop", in, kMark, kMark),
       fmt::format("iifname {} ip6 daddr @vips6 meta mark & {:#x} != {:#x} counter drop", in, kMark, kMark),
       fmt::format("iifname {} meta mark & {:#x} == {:#x} meta mark set meta mark & {:#x}", in, kMark, kMark,
                   kOtherBits),
       "meta iifkind \"bridge\" ip daddr @vips accept", "meta iifkind \"bridge\" ip6 daddr @vips6 accept",
       fmt::format("iifname != {} ip daddr @vips counter drop", in),
       fmt::format("iifname != {} ip6 daddr @vips6 counter drop", in)}};
}

// A segment of a bucket in transition for which this host has no socket. Connection tracking has judged it by
// its numbers: one that does not fit is invalid, one without an entry would be new, and is forgotten when it
// is dropped here. Between -200 (tracking) and -100 (translation): the address is still the VIP.
Chain tracking(const GuardPlan& plan) {
  const uint32_t ask = NLB_MARK_ASK, others = ~ask;
  return {"inet",
          "tracking",
          "type filter hook prerouting priority -190; policy accept;",
          {fmt::format("meta mark & {:#x} == 0x0 accept", ask),
           fmt::format("iifname != {} accept", quoted(plan.interface)),
           fmt::format("ct state established ct direction original ct status dnat "
                       "meta mark set meta mark & {:#x} counter accept",
                       others),
           "counter drop"}};
}

// Linux answers ARP for any of its addresses on any interface (arp_ignore 0).
Chain foreign_arp(const GuardPlan& plan) {
  return {"arp",
          "input",
          "type filter hook input priority 0; policy accept;",
          {fmt::format("iifname != {} arp daddr ip @vips counter drop", quoted(plan.interface))}};
}

std::string number_of(const IpAddress& address, std::size_t from) {
  return "0x" + hex_of(std::span(address.octets).subspan(from));
}
std::string number_of(const MacAddress& mac) {
  return "0x" + hex_of(mac.octets);
}

// VIPs of one family as raw numbers, for fields that nft knows no name for; "" = there is none.
std::string numbers_of(const std::vector<IpAddress>& vips, bool v4) {
  std::string elements;
  for (const auto& vip : vips)
    if (vip.is_v4() == v4) elements += (elements.empty() ? "" : ", ") + number_of(vip, v4 ? 12 : 0);
  return elements;
}

// The link-layer address is read where the kernel puts it, in the first option (24 octets behind the ICMPv6
// header's beginning; type, length, MAC).
void add_discovery(const GuardPlan& plan, std::vector<std::string>& rules) {
  const std::string targets = numbers_of(plan.vips, false);
  if (targets.empty()) return;
  const std::string elsewhere = "@th,208,48 != " + number_of(plan.cluster_mac);
  const std::string asks = "ip6 saddr @vips6 icmpv6 type nd-neighbor-solicit " + elsewhere;
  if (!plan.dedicated_ip6.is_unspecified())
    rules.push_back(asks + " ip6 saddr set " + plan.dedicated_ip6.text() + " counter");
  rules.push_back(asks + " counter drop");
  rules.push_back(
      fmt::format("icmpv6 type nd-neighbor-advert @th,64,128 {{ {} }} {} counter drop", targets, elsewhere));
}

// Runs before tc egress. A request that names a VIP as sender is mended, because the kernel waits for its
// answer; anything else that would bind a VIP to a wrong MAC is dropped. Without a dedicated address the
// request becomes a probe (sender 0.0.0.0), which is answered too and cached by nobody.
Chain egress(const GuardPlan& plan) {
  const std::string cluster = plan.cluster_mac.text();
  const std::string from = (plan.replace ? plan.masked_mac : plan.own_mac).text();
  const std::string vip_elsewhere = fmt::format("arp saddr ip @vips arp saddr ether != {}", cluster);
  Chain chain{
      "netdev",
      "egress",
      fmt::format("type filter hook egress device {} priority 0; policy accept;", quoted(plan.interface)),
      {fmt::format("ether saddr {} ether saddr set {} counter", cluster, from),
       fmt::format(
           "ether type arp {} arp operation request arp saddr ether set {} arp saddr ip set {} counter",
           vip_elsewhere, from, plan.dedicated_ip.is_v4() ? plan.dedicated_ip.text() : "0.0.0.0"),
       fmt::format("ether type arp {} counter drop", vip_elsewhere)}};
  // Dedicated addresses live at the masked MAC. A probe (sender 0.0.0.0) with the cluster MAC binds nothing:
  // it asks whether the cluster MAC gets in, and must arrive as it is.
  if (plan.replace)
    chain.rules.push_back(
        fmt::format("ether type arp arp saddr ip != @vips arp saddr ip != 0.0.0.0 "
                    "arp saddr ether {} arp saddr ether set {} counter",
                    cluster, from));
  // RARP (RFC 903) is laid out as ARP; nft knows no names for its fields: sender and target protocol address.
  if (const std::string senders = numbers_of(plan.vips, true); !senders.empty())
    for (const int bit : {112, 192})
      chain.rules.push_back(fmt::format("ether type 0x8035 @nh,{},32 {{ {} }} counter drop", bit, senders));
  add_discovery(plan, chain.rules);
  return chain;
}

}  // namespace

std::string table_name(const std::string& interface) {
  return nft::identifier("nlb_", interface);
}

std::vector<Chain> chains(const GuardPlan& plan) {
  std::vector<Chain> all = {ingress(plan), foreign_arp(plan), egress(plan)};
  if (plan.asks_tracking) all.insert(all.begin() + 1, tracking(plan));  // a table's chains lie together
  return all;
}

std::vector<std::string> texts_of(const std::vector<IpAddress>& vips, bool v4) {
  std::vector<std::string> texts;
  for (const auto& vip : vips)
    if (vip.is_v4() == v4) texts.push_back(vip.text());
  return texts;
}

}  // namespace nlb::guard
