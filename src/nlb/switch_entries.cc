// SPDX-License-Identifier: Apache-2.0
#include "nlb/switch_entries.hh"

#include <algorithm>

#include "control/config_json.hh"

namespace nlb {
namespace {

using Lines = std::vector<std::string>;

// 03:bf:0a:4d:00:64 in groups of four digits: 03bf.0a4d.0064, or with another separator.
std::string grouped(const MacAddress& mac, char separator) {
  std::string digits, out;
  for (const char c : mac.text())
    if (c != ':') digits += c;
  for (std::size_t at = 0; at < digits.size(); at += 4)
    out += (at == 0 ? "" : std::string(1, separator)) + digits.substr(at, 4);
  return out;
}

class Entries {
 public:
  Entries(const Config& config, const SwitchSite& site)
      : config_(config),
        mode_(config.mode),
        vlan_(site.vlan.empty() ? "VLAN" : site.vlan),
        ports_(site.ports.empty() ? Lines{"PORT1", "PORT2"} : site.ports),
        router_(site.router_interface.empty() ? "INTERFACE" : site.router_interface) {
    const auto macs = cluster_macs(config.vips.front().address);
    mac_ = mode_ == ClusterMode::unicast     ? macs.unicast
           : mode_ == ClusterMode::multicast ? macs.multicast
                                             : macs.igmp;
    heartbeat_ = macs.heartbeat_group;
    for (const Vip& vip : config.vips)
      if (vip.address.is_v4()) vips_.push_back(vip.address.text());
    if (vips_.size() != config.vips.size()) left_out_ = "IPv6 VIPs are left out: these are ARP entries.";
  }

  Lines cisco_like(bool arista) {
    comment_ = "!";
    open();
    const auto mac = grouped(mac_, '.');
    static_arp([&](const auto& vip) { return "arp " + vip + " " + mac + (arista ? " arpa" : " ARPA"); });
    if (mode_ == ClusterMode::multicast)
      say("mac address-table static " + mac + " vlan " + vlan_ + " interface " + joined(" "));
    if (mode_ == ClusterMode::igmp) {
      say(arista ? "" : "ip igmp snooping");
      for (const auto& port : ports_)
        say("ip igmp snooping vlan " + vlan_ + " static " + group() + " interface " + port);
    }
    return done();
  }

  Lines juniper() {
    comment_ = "#";
    open();
    static_arp([&](const auto& vip) {
      return "set interfaces irb unit " + vlan_ + " family inet address ROUTER-ADDRESS/PREFIX arp " + vip +
             (mode_ == ClusterMode::unicast ? " mac " : " multicast-mac ") + mac_.text();
    });
    if (mode_ == ClusterMode::multicast)
      remark(
          "Static entries of a group MAC on several ports differ between EX, QFX and MX and are not given "
          "here; without them the switch floods the VLAN: give the cluster one of its own.");
    if (mode_ == ClusterMode::igmp)
      for (const auto& port : ports_)
        say("set protocols igmp-snooping vlan vlan-" + vlan_ + " interface " + port + " static group " +
            group());
    return done();
  }

  Lines h3c() {
    comment_ = "#";
    open();
    const auto mac = grouped(mac_, '-');
    if (mode_ != ClusterMode::unicast) {
      remark("Either let the switch learn group MACs by ARP (Comware 5), or use the static entries.");
      remark("undo arp check enable");
    }
    static_arp([&](const auto& vip) { return "arp static " + vip + " " + mac; });
    if (mode_ == ClusterMode::multicast)
      say("mac-address multicast " + mac + " interface " + joined(" ") + " vlan " + vlan_);
    if (mode_ == ClusterMode::igmp) {
      say("igmp-snooping");
      say("quit");
      say("vlan " + vlan_);
      say("igmp-snooping enable");
      say("quit");
      for (const auto& port : ports_) {
        say("interface " + port);
        say("igmp-snooping static-group " + group() + " vlan " + vlan_);
        say("quit");
      }
    }
    return done();
  }

  Lines linux_host() {
    comment_ = "#";
    origin_.clear();
    open();
    remark(
        "Linux believes ARP replies with a group MAC; the entries spare the question, and are gone after a "
        "restart (systemd-networkd keeps them in [Neighbor]).");
    static_arp([&](const auto& vip) {
      return "ip neigh replace " + vip + " lladdr " + mac_.text() + " dev " + router_ + " nud permanent";
    });
    const auto vid = vlan_ == "VLAN" ? "" : " vid " + vlan_;
    if (mode_ == ClusterMode::unicast) return done();
    remark(
        "On a Linux bridge with multicast_snooping 1 (BRIDGE is its name; group MACs need Linux 5.11). It "
        "looks");
    remark("IP up by its address, which is no group here, and sends it to router ports alone:");
    for (const auto& port : ports_) say("bridge link set dev " + port + " mcast_router 2");
    for (const auto& port : ports_)
      say("bridge mdb add dev BRIDGE port " + port + " grp " +
          (mode_ == ClusterMode::igmp ? group() : mac_.text()) + " permanent" + vid);
    return done();
  }

 private:
  void say(const std::string& line) {
    if (!line.empty()) lines_.push_back(line);
  }
  void remark(const std::string& text) { lines_.push_back(comment_ + " " + text); }

  [[nodiscard]] std::string joined(const char* separator) const {
    std::string out;
    for (const auto& port : ports_) out += (out.empty() ? "" : separator) + port;
    return out;
  }

  [[nodiscard]] std::string group() const { return igmp_group_of(mac_).text(); }

  void open() {
    remark("Cluster " + config_.name + ", mode " + name_of(mode_) + ", cluster MAC " + mac_.text() +
           ". Words in capitals are yours to fill in." + origin_);
    if (!left_out_.empty()) remark(left_out_);
    if (mode_ == ClusterMode::unicast) {
      remark("Mode unicast needs no static MAC entry, and must not have one: the switch is never to learn " +
             mac_.text() + ", and floods it to the hosts' ports.");
      remark(
          "So: no port security or MAC limit there, unknown unicast not blocked; a VLAN of its own contains "
          "the flooding.");
      remark(
          "Static ARP only on a router that refuses replies whose Ethernet source is not the sender within:");
    }
  }

  template <typename Line>
  void static_arp(Line line) {
    for (const auto& vip : vips_) {
      if (mode_ == ClusterMode::unicast)
        remark(line(vip));
      else
        say(line(vip));
    }
  }

  Lines done() {
    if (mode_ == ClusterMode::unicast)
      remark("Heartbeats go to the group " + heartbeat_.text() + ", which must be flooded, too.");
    if (mode_ == ClusterMode::igmp)
      remark(
          "The hosts join " + group() +
          " by themselves; static groups are for switches without a querier in the VLAN. Heartbeats go to " +
          heartbeat_.text() + ", which no switch snoops.");
    return std::move(lines_);
  }

  const Config& config_;
  ClusterMode mode_;
  std::string vlan_;
  Lines ports_;
  std::string router_, comment_, left_out_;
  std::string origin_ = " From the vendor's documents, not tried on a switch.";
  MacAddress mac_, heartbeat_;
  Lines vips_, lines_;
};

}  // namespace

std::vector<std::string> switch_entries(std::string_view vendor, const Config& config,
                                        const SwitchSite& site) {
  Entries entries(config, site);
  if (vendor == "juniper") return entries.juniper();
  if (vendor == "h3c") return entries.h3c();
  if (vendor == "linux") return entries.linux_host();
  return entries.cisco_like(vendor == "arista");
}

}  // namespace nlb
