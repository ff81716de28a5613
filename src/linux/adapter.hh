// SPDX-License-Identifier: Apache-2.0
// One network interface: what it is (read from the kernel), and how cluster MAC and VIPs are put in force on
// it as a transaction that rolls back to exactly what was found. Uses libnl-route; no `ip` subprocesses.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/net.hh"
#include "base/result.hh"
#include "core/bind_reason.hh"
#include "core/config.hh"

namespace nlb {

struct InterfaceAddress {
  IpAddress address;
  uint8_t prefix_length = 0;
  bool operator==(const InterfaceAddress&) const = default;
};

struct AdapterFacts {  // all read from the kernel at the time of the call
  std::string name;
  int index = 0;
  std::string driver;  // ethtool driver name, "" when it states none
  bool up = false, carrier = false;
  bool ethernet = false;
  bool bridge_port = false;
  std::string enslaved_to;  // bond, bridge, team or VRF that it belongs to
  uint32_t mtu = 0;
  MacAddress mac_current;
  MacAddress mac_permanent;  // zero when the driver states none
  std::vector<InterfaceAddress> addresses;
  std::vector<IpAddress> groups;       // multicast addresses, set so that the kernel joins them (IGMP)
  std::vector<MacAddress> extra_macs;  // unicast receive-filter entries added to the device (fdb self)
  std::optional<IpAddress> gateway;    // IPv4 default gateway through this interface
};
[[nodiscard]] Result<AdapterFacts> read_adapter(const std::string& interface);

// What speaks against running a cluster here, with the cause named; empty = nothing. Missing, down, not
// Ethernet, a bridge port, enslaved, MTU below 1500, VIP outside every subnet, VIP equal to own, gateway,
// network or broadcast address.
[[nodiscard]] std::vector<std::string> preflight(const Config& config);
[[nodiscard]] std::vector<std::string> preflight(const Config& config, const AdapterFacts& facts);
[[nodiscard]] bool has_subnet_of(const AdapterFacts& facts, const IpAddress& address);
// Its two halves: the interface as such, and the VIPs on it.
[[nodiscard]] std::vector<std::string> link_objections(const AdapterFacts& facts);
[[nodiscard]] std::vector<std::string> vip_objections(const Config& config, const AdapterFacts& facts);

enum class CarriedBy : uint8_t { none, receive_filter, address };  // how the cluster MAC gets in

struct BindPlan {
  std::string interface;
  MacStrategy strategy = MacStrategy::add;  // add or replace, resolved
  ClusterMode mode = ClusterMode::unicast;
  MacAddress cluster_mac, masked_mac;
  MacAddress own_mac;  // before anything was changed; zero or the cluster MAC = what bind() remembered
  std::vector<IpAddress> vips;
  // Where bind() notes the adapter's former MAC and sysctl values, for the unbind() of a later process. "" =
  // note nothing: then unbind() takes own_mac for the former MAC and leaves sysctls as bind() set them.
  std::string state_directory;
};

// The MAC that the adapter had before an earlier bind() replaced it, as far as that is still in force.
[[nodiscard]] std::optional<MacAddress> remembered_mac(const std::string& state_directory,
                                                       const std::string& interface);

struct BindFailure : Error {
  BindReason reason = BindReason::none;  // none: not one of those that are told apart
};

// Puts the plan in force step by step; any failure undoes what was done and names the step. Idempotent: what
// an earlier daemon left in place is adopted. The caller attaches filter and guard before this. `before_vips`
// runs when the cluster MAC is in force, and only if a VIP is to be added.
[[nodiscard]] tl::expected<void, BindFailure> bind(
    const BindPlan& plan, const std::function<tl::expected<void, BindFailure>()>& before_vips = {});
// Drivers that say so when their host or parent refuses a MAC; the others answer 0 whatever happens to
// frames.
[[nodiscard]] bool driver_tells(const std::string& driver);
// Would the driver take the MAC? It is changed and put back at once where it would, so this is for an adapter
// whose path was found wanting, to learn whether the driver knows more. Error: the driver's own word.
[[nodiscard]] Result<void> ask_driver(const std::string& interface, const MacAddress& mac);
// The group that switches snoop for in mode igmp, 239.255.y.z of the MAC 01-00-5e-7f-y-z; none in other
// modes.
[[nodiscard]] std::optional<IpAddress> igmp_group(const BindPlan& plan);
// Is all of the plan still in force? Read back from the kernel; the error names the first thing that is not.
[[nodiscard]] Result<void> verify_bound(const BindPlan& plan);
// Takes addresses off that a new configuration no longer has; everything else stays.
[[nodiscard]] Result<void> remove_vips(const std::string& interface, const std::vector<IpAddress>& vips);
// The way back: VIPs, receive-filter entries, MAC, sysctls. Idempotent. What others changed meanwhile is
// theirs and stays. Goes on after a failure; the error names every part that could not be put back.
[[nodiscard]] Result<void> unbind(const BindPlan& plan);

// Changes made by others, from netlink, on an own thread-free fd: poll `fd`, then call read(). Kind `link`
// also stands for "messages were lost, read everything again" and for an interface that vanished or came
// back.
struct LinkChange {
  enum class Kind : uint8_t { link, address_added, address_removed } kind = Kind::link;
  IpAddress address;  // address events on this interface
};
class LinkMonitor {
 public:
  [[nodiscard]] static Result<std::unique_ptr<LinkMonitor>> open(const std::string& interface);
  virtual ~LinkMonitor() = default;
  [[nodiscard]] virtual int fd() const = 0;
  [[nodiscard]] virtual std::vector<LinkChange> read() = 0;
  // Whether the interface of that index still bears this name. Needs no descriptor besides its own.
  [[nodiscard]] virtual bool sees(int index) const = 0;
};

}  // namespace nlb
