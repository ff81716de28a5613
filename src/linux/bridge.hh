// SPDX-License-Identifier: Apache-2.0
// Bridges as the kernel has them now: which interfaces are ports of which bridge, and what the bridge's table
// of addresses says.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

struct Link {
  uint32_t ifindex = 0;
  std::string name;
  uint32_t master = 0;         // ifindex of the bridge (or bond, …) that it is a port of; 0 = none
  std::string kind;            // "bridge", "tun", "veth", …; "" for a physical adapter
  bool up = false;             // by the administrator, whatever the carrier
  bool filters_vlans = false;  // a bridge whose ports have VLANs
  bool carrier = false;        // up, and somebody is at the other end
  bool operator==(const Link&) const = default;
};
[[nodiscard]] Result<std::vector<Link>> links();

// Which VLANs a port of such a bridge has without a tag.
struct PortVlans {
  uint16_t pvid = 0;               // of what comes in without a tag, and with a tag of this number; 0 = none
  std::vector<uint16_t> untagged;  // of what goes out without one; at most kMost of them
  static constexpr std::size_t kMost = 16;
  bool operator==(const PortVlans&) const = default;
};
// By interface index, of every bridge's ports; whether their bridge filters is not asked.
[[nodiscard]] Result<std::map<uint32_t, PortVlans>> port_vlans();

struct TableEntry {
  uint32_t ifindex = 0;  // the port
  MacAddress mac;
  bool fixed = false;  // static and sticky: never learned anew elsewhere
  bool local = false;  // the port's or the bridge's own
};
// The bridge's table, one entry for each VLAN that has it.
[[nodiscard]] Result<std::vector<TableEntry>> bridge_table(uint32_t bridge);
// Static, in all VLANs of the port; moves it from another port.
[[nodiscard]] Result<void> fix_in_table(uint32_t port, const MacAddress& mac);
// What is not there need not be taken away.
[[nodiscard]] Result<void> remove_from_table(uint32_t port, const MacAddress& mac);

// What a bridge that snoops sends a port of groups that nobody there has asked for: `mcast_router` of `bridge
// link set`, by the kernel's numbers.
enum class UnaskedGroups : uint8_t { never = 0, as_learned = 1, always = 2, as_learned_for_now = 3 };
// By interface index, of every bridge's ports.
[[nodiscard]] Result<std::map<uint32_t, UnaskedGroups>> unasked_groups();
[[nodiscard]] Result<void> set_unasked_groups(uint32_t port, UnaskedGroups to);

// Says that something may have changed: links, tc qdiscs and filters, nftables. A hint, not a truth: whoever
// acts on it looks again.
class BridgeMonitor {
 public:
  [[nodiscard]] static Result<std::unique_ptr<BridgeMonitor>> open();
  virtual ~BridgeMonitor() = default;
  [[nodiscard]] virtual int link_fd() const = 0;  // links, tc
  [[nodiscard]] virtual int rule_fd() const = 0;  // nftables
  virtual void drain() = 0;                       // takes all that waits, of both
};

}  // namespace nlb
