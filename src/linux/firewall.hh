// SPDX-License-Identifier: Apache-2.0
// What packet filters of this machine stand in a cluster's way: rules that drop heartbeats (EtherType 0x88b5;
// IP protocol 253, wire/carrier.hh) or ARP at the hooks that an interface's frames pass, and translations of
// a VIP's ports. Judged on nft's own JSON listing, which holds the rules of iptables-nft and ebtables-nft,
// too. The legacy programs' tables are not in it.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

struct FirewallFacts {
  struct Translation {
    std::string where;         // "table ip nat, chain DOCKER"
    std::set<uint16_t> ports;  // empty = not told
  };
  std::vector<std::string> dropped;         // one sentence each
  std::vector<Translation> translations;    // to another address or port
  std::string tracking_trouble;             // why translated connections cannot be read; "" = they can
  std::vector<std::string> guard_families;  // in which our own guard has its table
};
// `carried_for`: the VIP for which heartbeats go in IP as well, if they do.
[[nodiscard]] Result<FirewallFacts> judge_ruleset(const std::string& json, const std::string& interface,
                                                  const std::optional<IpAddress>& carried_for);
[[nodiscard]] Result<FirewallFacts> read_firewall(const std::string& interface,
                                                  const std::optional<IpAddress>& carried_for);

}  // namespace nlb
