// SPDX-License-Identifier: Apache-2.0
// IP addresses: VIPs, who answers for them, the gateway, and the settings that ARP and routing live by.
#include <algorithm>

#include "doctor/checks.hh"

namespace nlb::doctor {
namespace {

bool is_of_cluster(const Subject& subject, const MacAddress& mac) {
  const IpAddress& primary = subject.config.vips.front().address;
  if (mac == subject.cluster_mac || mac == subject.on.adapter.mac_current) return true;
  for (std::size_t host = 1; host <= kMaxHosts; ++host)
    if (mac == masked_mac(primary, static_cast<HostId>(host))) return true;
  return false;
}

std::string strangers_at(const Subject& subject, const IpAddress& vip) {
  std::string text;
  const auto found = subject.on.answers->find(vip);
  if (found == subject.on.answers->end()) return text;
  for (const MacAddress& mac : found->second)
    if (!is_of_cluster(subject, mac)) text += (text.empty() ? "" : ", ") + mac.text();
  return text;
}

void check_conflict(const Subject& subject, Report& report) {
  constexpr const char* id = "net.vip-conflict";
  if (!subject.on.answers) {
    report.warn(id, "could not be asked: " + subject.on.arp_trouble,
                "run it as root, on an interface that is up");
    return;
  }
  if (!subject.on.conflicts_counted && subject.on.hooks.xdp_program.starts_with("nlb_")) {
    report.warn(
        id, "not known: the filter drops a stranger's answers, and nlbd, which counts them, does not answer",
        "start nlbd and ask again");
    return;
  }
  std::vector<std::string> conflicts;
  for (const Vip& vip : subject.config.vips)
    if (const auto strangers = strangers_at(subject, vip.address); !strangers.empty())
      conflicts.push_back(vip.address.text() + " is answered by " + strangers);
  if (const auto counted = subject.on.conflicts_counted.value_or(0); counted > 0 && conflicts.empty())
    conflicts.push_back(std::to_string(counted) +
                        " frames of a stranger claimed a VIP while it was asked for");
  report.judge(id, Status::fail, joined(conflicts),
               remedy_for(subject.on.platform.platform, BindReason::ip_conflict, subject.names),
               "nobody outside the cluster answers for a VIP");
}

void check_gateway(const Subject& subject, Report& report) {
  constexpr const char* id = "net.gateway";
  const auto& gateway = subject.on.adapter.gateway;
  if (!gateway)
    report.pass(id, "no default gateway leads through " + subject.config.interface);
  else if (!subject.on.answers)
    report.warn(id, "could not be asked: " + subject.on.arp_trouble,
                "run it as root, on an interface that is up");
  else
    report.judge(id, Status::warn,
                 subject.on.answers->contains(*gateway) ? "" : gateway->text() + " does not answer ARP",
                 "check cable, VLAN and the gateway itself; clients of other subnets come through it",
                 gateway->text() + " answers");
}

void check_presence(const Subject& subject, Report& report) {
  std::vector<std::string> missing, early;
  for (const Vip& vip : subject.config.vips) {
    const auto& addresses = subject.on.adapter.addresses;
    const bool present = std::any_of(addresses.begin(), addresses.end(),
                                     [&](const InterfaceAddress& on) { return on.address == vip.address; });
    if (subject.bound && !present) missing.push_back(vip.address.text());
    if (!subject.bound && present) early.push_back(vip.address.text());
  }
  constexpr const char* id = "net.vip-present";
  if (!early.empty())
    report.fail(id, joined(early, ", ") + " is on the adapter, and the cluster is not bound to it",
                remedy_for(subject.on.platform.platform, BindReason::vip_added_by_hand, subject.names));
  else
    report.judge(id, Status::fail, missing.empty() ? "" : joined(missing, ", ") + " is not on the adapter",
                 "nlb reload; when it goes again, find out what takes it off (net.manager)",
                 subject.bound ? "every VIP is on the adapter" : "not bound, and no VIP is there");
}

std::string value(const Subject& subject, const char* name) {
  const auto found = subject.on.sysctls.find(name);
  return found == subject.on.sysctls.end() ? "" : found->second;
}

void check_arp_sysctls(const Subject& subject, Report& report) {
  std::vector<std::string> wrong;
  if (const auto ignore = value(subject, "arp_ignore"); ignore.size() == 1 && ignore[0] >= '2')
    wrong.push_back("arp_ignore is " + ignore + ": the probes of the others are not answered");
  if (const auto announce = value(subject, "arp_announce");
      subject.bound && !announce.empty() && announce != "2")
    wrong.push_back("arp_announce is " + announce + ", nlbd set 2: the kernel may ask with a VIP as sender");
  if (const auto notify = value(subject, "arp_notify"); subject.bound && notify == "1")
    wrong.push_back("arp_notify is 1, nlbd set 0: the kernel announces addresses by itself");
  const std::string all = "/proc/sys/net/ipv4/conf/" + subject.config.interface;
  report.judge("net.arp-sysctl", Status::warn, joined(wrong),
               "for s in arp_ignore=0 arp_announce=2 arp_notify=0; do sysctl -w net.ipv4.conf." +
                   subject.config.interface + ".$s; done; and take other values out of /etc/sysctl.d",
               "as they should be in " + all);
}

// An address made of the MAC that every host would have: octets 1 to 3, ff:fe, 4 to 6, bit 1 of the first
// turned.
bool is_made_of(const IpAddress& address, const MacAddress& mac) {
  const auto& o = mac.octets;
  const std::array<uint8_t, 8> end = {
      static_cast<uint8_t>(o[0] ^ 2), o[1], o[2], 0xff, 0xfe, o[3], o[4], o[5]};
  return address.octets[0] == 0xfe && address.octets[1] == 0x80 &&
         std::equal(end.begin(), end.end(), address.octets.begin() + 8);
}

void check_replace(const Subject& subject, Report& report) {
  const std::string& name = subject.config.interface;
  const bool replace = subject.replace;
  report.judge(
      "net.ip-forward", Status::warn,
      replace && value(subject, "ip_forward") == "1"
          ? "ip_forward is 1: without the filter, hosts of this cluster would forward each other's frames"
          : "",
      "sysctl -w net.ipv4.conf." + name + ".forwarding=0, or mac_strategy = \"add\"",
      replace ? "off" : "does not matter with this strategy");
  report.judge("net.dhcp", Status::fail,
               replace && subject.on.leased_address
                   ? name + " has its address by DHCP: under `replace` every host asks with the same MAC"
                   : "",
               "give " + name + " a static address, or set mac_strategy = \"add\"",
               replace ? "static address" : "does not matter with this strategy");
  const auto& addresses = subject.on.adapter.addresses;
  const bool made =
      replace && std::any_of(addresses.begin(), addresses.end(), [&](const InterfaceAddress& on) {
        return is_made_of(on.address, subject.cluster_mac);
      });
  report.judge("net.eui64", Status::fail,
               made ? name + " has a link-local address made of the cluster MAC, as every host would" : "",
               "ip link set dev " + name + " addrgenmode none; ip -6 addr flush dev " + name +
                   " scope link; networkd: IPv6LinkLocalAddressGenerationMode=none in [Network]",
               replace ? "none is made of the cluster MAC" : "does not matter with this strategy");
}

}  // namespace

void check_addresses(const Subject& subject, Report& report) {
  const auto [wrong, remedy] = halves_of(vip_objections(subject.config, subject.on.adapter));
  report.judge("net.vip-subnet", Status::fail, wrong, remedy,
               "every VIP fits the addresses of " + subject.config.interface);
  check_presence(subject, report);
  check_conflict(subject, report);
  check_gateway(subject, report);
}

void check_sysctls(const Subject& subject, Report& report) {
  const auto filter = std::max(value(subject, "rp_filter"), value(subject, "all.rp_filter"));
  report.judge(
      "net.rp-filter", Status::warn,
      filter == "1" && !subject.on.adapter.gateway
          ? "rp_filter is strict and no default route leads through " + subject.config.interface +
                ": clients of other subnets are dropped"
          : "",
      "sysctl -w net.ipv4.conf." + subject.config.interface + ".rp_filter=2 net.ipv4.conf.all.rp_filter=0",
      filter == "1" ? "strict, and the default route leads through the interface" : "not in the way");
  check_arp_sysctls(subject, report);
  check_replace(subject, report);
}

}  // namespace nlb::doctor
