// SPDX-License-Identifier: Apache-2.0
// iproute2 in batches: one process a namespace, not one a link.
#include "lab/topology.hh"

#include <fmt/core.h>
#include <linux/magic.h>
#include <sys/mount.h>
#include <sys/vfs.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "lab/guarded_switch.hh"
#include "lab/machine.hh"
#include "lab/network.hh"
#include "lab/process.hh"

namespace nlb::lab {
namespace {

Result<void> ip_in(const std::string& network, const std::string& lines) {
  if (network.empty()) return must_run({"ip", "-batch", "-"}, lines);
  return must_run({"ip", "-n", network, "-batch", "-"}, lines);
}

// IPv6 would only add frames of its own (router solicitations, MLD) to every capture.
Result<void> quiet_ipv6(const std::string& network) {
  return write_sysctls(
      network, {{"net/ipv6/conf/all/disable_ipv6", "1"}, {"net/ipv6/conf/default/disable_ipv6", "1"}});
}

Result<void> build_switch() {
  if (auto made = ip_in("", fmt::format("netns add {}\n", kSwitch)); !made) return made;
  if (auto quiet = quiet_ipv6(kSwitch); !quiet) return quiet;
  // Snooping would keep the heartbeats' group from the ports that have not asked for it.
  return ip_in(kSwitch, fmt::format("link add {0} type bridge stp_state 0 forward_delay 0 mcast_snooping 0\n"
                                    "link set {0} up\nlink set lo up\n",
                                    kBridge));
}

// No waiting for duplicates that cannot be, nobody advertises himself as a router.
Result<void> ready_ipv6(const std::string& network) {
  return write_sysctls(network,
                       {{"net/ipv6/conf/default/accept_dad", "0"}, {"net/ipv6/conf/default/accept_ra", "0"}});
}

std::string node_lines(const Plan& plan, const Node& node) {
  std::string lines = "link set lo up\nlink set eth0 up\n";
  for (const auto& address : node.addresses) lines += fmt::format("addr add {} dev eth0\n", address);
  if (plan.ipv6) lines += fmt::format("addr add {}/64 dev eth0\n", address6_of(node));
  if (node.name != "gateway") lines += fmt::format("route add default via {}\n", kGateway);
  if (node.name != "gateway" && plan.ipv6) lines += fmt::format("route add default via {}\n", kGateway6);
  if (node.host_id != 0 && plan.client_addresses > 1) {
    for (unsigned client = 1; client <= plan.clients; ++client) {
      lines += fmt::format("route add 10.{}.0.0/16 via 10.77.0.{}\n", 80 + client, 200 + client);
    }
  }
  return lines;
}

// Deleting a namespace frees its links a little later; the port's name must be free before it is made again.
void wait_port_gone(const Node& node) {
  for (int turn = 0; turn < 200; ++turn) {
    const auto shown = run({"ip", "-n", kSwitch, "link", "show", "dev", node.port});
    if (!shown || shown->exit_code != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<void> make_network(const Plan& plan, const Node& node) {
  if (auto made = ip_in("", fmt::format("netns add {}\n", node.network)); !made) return made;
  if (auto set = plan.ipv6 ? ready_ipv6(node.network) : quiet_ipv6(node.network); !set) return set;
  const bool is_host = node.host_id != 0;
  std::vector<std::pair<std::string, std::string>> sysctls;
  if (is_host && plan.ip_forward) sysctls.emplace_back("net/ipv4/ip_forward", "1");
  if (!is_host) {
    sysctls.emplace_back("net/ipv4/conf/all/arp_announce", "2");  // asks from its address in the VIP's subnet
    sysctls.emplace_back("net/ipv4/ip_local_port_range", "10240 65535");
  }
  return write_sysctls(node.network, sysctls);
}

}  // namespace

Result<void> plug_in(const Plan& plan, const Node& node) {
  if (plan.machines && node.host_id != 0) return plug_in_tap(node);
  if (auto made = make_network(plan, node); !made) return made;
  auto wired = ip_in(kSwitch, fmt::format("link add {0} type veth peer name eth0 address {1} netns {2}\n"
                                          "link set {0} master {3}\nlink set {0} up\n",
                                          node.port, node.mac, node.network, kBridge));
  if (!wired) return wired;
  return ip_in(node.network, node_lines(plan, node));
}

void unplug(const Node& node) {
  (void)run({"ip", "-n", kSwitch, "link", "del", node.port});
  if (network_exists(node.network)) remove_network(node.network);
  wait_port_gone(node);
}

// An adapter that changes its namespace loses addresses, filters and receive lists, but neither its XDP
// program nor its MAC.
Result<void> renew_network(const Plan& plan, const Node& node) {
  const std::string parked = "off-" + node.port;
  auto taken = ip_in(node.network, fmt::format("link set eth0 down\nlink set eth0 xdpgeneric off\n"
                                               "link set eth0 xdpdrv off\nlink set eth0 address {}\n"
                                               "link set eth0 name {}\n",
                                               node.mac, parked));
  if (!taken) return taken;
  // Parked beside the switch, on no bridge, while its kernel is made anew.
  if (auto moved = ip_in(node.network, fmt::format("link set {} netns {}\n", parked, kSwitch)); !moved)
    return moved;
  remove_network(node.network);
  if (auto made = make_network(plan, node); !made) return made;
  if (auto moved = ip_in(kSwitch, fmt::format("link set {} netns {}\n", parked, node.network)); !moved)
    return moved;
  if (auto back = ip_in(node.network, fmt::format("link set {} name eth0\n", parked)); !back) return back;
  return ip_in(node.network, node_lines(plan, node));
}

Result<void> set_port(const Node& node, bool up) {
  if (node.port.empty()) return fail("the switch itself has no port; name a host, a client or the gateway");
  return must_run({"ip", "-n", kSwitch, "link", "set", node.port, up ? "up" : "down"});
}

Result<void> build_topology(const Plan& plan) {
  if (auto made = build_switch(); !made) return made;
  if (is_guarded(plan)) {
    if (auto written = write_switch_files(plan); !written) return written;
    if (auto started = start_guard(); !started) return started;
  }
  for (const auto& node : nodes_of(plan)) {
    if (auto plugged = plug_in(plan, node); !plugged)
      return tl::unexpected<Error>(plugged.error().within(node.name));
  }
  return {};
}

Result<void> need_bpffs() {
  struct statfs status {};
  if (statfs("/sys/fs/bpf", &status) == 0 &&
      status.f_type == static_cast<decltype(status.f_type)>(BPF_FS_MAGIC))
    return {};
  if (mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=0700") == 0) return {};
  return fail(fmt::format("/sys/fs/bpf: no BPF filesystem can be mounted there ({}); nlbd does without pins",
                          std::strerror(errno)),
              errno);
}

}  // namespace nlb::lab
