// SPDX-License-Identifier: Apache-2.0
// One table: platform, reasons, what to do there. The first row that fits is taken, so rows for a single
// reason stand before the platform's general one, and rows for every platform at the end. Facts:
// the platforms' own manuals (Set-VMNetworkAdapter, vSphere Security, libvirt's formatdomain and
// formatnwfilter, pve-firewall, ip-link(8), Neutron's allowed address pairs).
#include <array>
#include <utility>

#include "linux/platform.hh"

namespace nlb {
namespace {

constexpr uint32_t bit(BindReason reason) {
  return uint32_t{1} << static_cast<uint32_t>(reason);
}
template <typename... Reasons>
constexpr uint32_t any(Reasons... reasons) {
  return (bit(reasons) | ...);
}

using enum BindReason;
constexpr uint32_t kReceive = any(rx_filtered, rx_or_arp_filtered);
constexpr uint32_t kArp = any(arp_filtered);
constexpr uint32_t kPath = any(driver_refused, tx_filtered) | kReceive | kArp;

struct Row {
  Platform platform;
  uint32_t reasons;
  const char* text;
};

constexpr std::array kRows = {
    Row{Platform::hyper_v, kPath,
        "On the Hyper-V host, with the VM stopped: Stop-VM VM; Get-VMNetworkAdapter -VMName VM | "
        "Set-VMNetworkAdapter -MacAddressSpoofing On; Start-VM VM. Or Hyper-V Manager: VM > Settings > "
        "Network Adapter > Advanced Features > tick \"Enable MAC address spoofing\"."},

    Row{Platform::vmware, any(tx_filtered),
        "vSphere Client: the VM's port group > Edit Settings > Security > Forged transmits: Accept. Or, on "
        "the ESXi host: esxcli network vswitch standard portgroup policy security set -p PORTGROUP "
        "--allow-forged-transmits true."},
    Row{Platform::vmware, kPath,
        "vSphere Client: the VM's port group > Edit Settings > Security > MAC address changes: Accept, "
        "Forged transmits: Accept; and for reception of the cluster MAC either MAC learning (distributed "
        "switch 6.6 or later, or NSX: MAC learning and unknown unicast flooding enabled) or Promiscuous "
        "mode: Accept. Under NIC Teaming set Notify switches: No, or a RARP at power-on and vMotion makes "
        "the switch pin the cluster MAC to one port. Or, on the ESXi host: esxcli network vswitch standard "
        "portgroup policy security set -p PORTGROUP --allow-mac-change true --allow-forged-transmits true "
        "--allow-promiscuous true."},

    Row{Platform::libvirt, any(tx_filtered),
        "On the host: virsh edit VM; in <interface> remove <filterref filter='clean-traffic'/> or "
        "'no-mac-spoofing' (or refer to a filter that lists MASKED-MAC as well); then virsh shutdown VM, "
        "virsh start VM."},
    Row{Platform::libvirt, kArp,
        "On the host: virsh edit VM; in <interface> replace <filterref filter='clean-traffic'/>, "
        "'no-arp-mac-spoofing' and 'no-arp-ip-spoofing' by a filter that lets ARP for VIP with CLUSTER-MAC "
        "through; then virsh shutdown VM, virsh start VM."},
    Row{Platform::libvirt, kPath,
        "On the host: virsh net-edit NETWORK and take macTableManager='libvirt' off <bridge> (it turns "
        "flooding and learning off for the port; until then: bridge link set dev TAP flood on learning on); "
        "with macvtap: virsh edit VM, <interface trustGuestRxFilters='yes'>; remove <filterref> of "
        "'clean-traffic' or 'no-mac-spoofing'; then virsh shutdown VM, virsh start VM."},

    Row{Platform::proxmox, any(tx_filtered),
        "On the Proxmox host, in /etc/pve/firewall/VMID.fw: [OPTIONS] macfilter: 0. Or: Datacenter > VM > "
        "Firewall > Options > MAC filter: No."},
    Row{Platform::proxmox, kArp,
        "On the Proxmox host, in /etc/pve/firewall/VMID.fw: [OPTIONS] ipfilter: 0 and macfilter: 0; or, with "
        "ipfilter kept: [IPSET ipfilter-net0] with the VM's own address and VIP. Or: Datacenter > VM > "
        "Firewall > Options > IP filter: No."},
    Row{Platform::proxmox, kPath,
        "On the Proxmox host, in /etc/pve/firewall/VMID.fw: [OPTIONS] macfilter: 0 and ipfilter: 0, and no "
        "layer2_protocols there (or list 0x88b5, ARP, IPv4 and IPv6); in /etc/network/interfaces no "
        "\"bridge-disable-mac-learning 1\" on the bridge (ifreload -a after the change). Or: Datacenter > VM "
        "> Firewall > Options > MAC filter: No, IP filter: No."},

    Row{Platform::opennlb_guard, kPath,
        "On the hypervisor, with the VM stopped: nlb vmswitch set VM --mac-spoofing cluster --cluster "
        "CLUSTER "
        "--host-id HOST-ID. (Then start the VM; --live changes it while the VM runs and is recorded.)"},

    Row{Platform::kvm, kPath,
        "On the host, by what manages it. OpenNLB's guard: nlb vmswitch set VM --mac-spoofing cluster "
        "--cluster CLUSTER --host-id HOST-ID. libvirt: virsh edit VM and remove <filterref> of "
        "'clean-traffic' "
        "or 'no-mac-spoofing', no macTableManager='libvirt' on the network's <bridge>, with macvtap "
        "trustGuestRxFilters='yes'; then virsh shutdown VM, virsh start VM. Proxmox: "
        "/etc/pve/firewall/VMID.fw, [OPTIONS] macfilter: 0 and ipfilter: 0. Plain bridge: bridge link set "
        "dev "
        "TAP flood on learning on."},

    Row{Platform::xen, kPath,
        "On the Xen host: xe vif-param-set uuid=VIF-UUID locking-mode=unlocked (XCP-ng, Citrix Hypervisor), "
        "and for reception of the cluster MAC xe vif-param-set uuid=VIF-UUID "
        "other-config:promiscuous=\"true\"; then xe vif-unplug uuid=VIF-UUID and xe vif-plug uuid=VIF-UUID."},

    Row{Platform::virtualbox, kPath,
        "On the host, with the VM stopped: VBoxManage modifyvm VM --nic-promisc1 allow-all. Or: VM > "
        "Settings "
        "> Network > Advanced > Promiscuous Mode: Allow All (bridged or internal network, not NAT)."},

    Row{Platform::openstack, kPath,
        "openstack port set PORT --allowed-address ip-address=VIP,mac-address=CLUSTER-MAC --allowed-address "
        "ip-address=VIP,mac-address=MASKED-MAC; where that does not deliver one MAC to several ports: "
        "openstack port set PORT --no-security-group --disable-port-security."},

    Row{Platform::sriov_vf, kPath,
        "On the host of the card: ip link set PF vf N trust on spoofchk off (PF = the card's interface, N = "
        "the number of the virtual function, both shown by `ip link show`); then restart the VM. One MAC on "
        "several functions of one card is not delivered to all of them: use functions of different cards, "
        "or mode multicast."},

    Row{Platform::macvlan, any(driver_refused),
        "Another interface on the same parent has the address already, and a parent delivers a MAC to one "
        "interface alone: give each host an interface of its own (veth on a bridge), or use mac_strategy = "
        "\"add\"."},
    Row{Platform::macvlan, kPath,
        "A parent delivers frames to the interface's own MAC only: use ip link add link PARENT name "
        "INTERFACE "
        "type macvlan mode passthru (one interface a parent), or veth on a bridge; and what guards the "
        "parent "
        "applies to it as well."},

    Row{Platform::network_namespace, kPath,
        "On the host, see the other end of this veth: bridge link set dev PORT flood on learning on, and "
        "nft list table bridge filter for rules that match source addresses. Under OpenNLB's guard: nlb "
        "vmswitch set VM --mac-spoofing cluster --cluster CLUSTER --host-id HOST-ID."},

    Row{Platform::physical, any(driver_refused),
        "The card's driver does not take another MAC address: set mac_strategy = \"add\" or mode = "
        "\"multicast\", or use another card."},
    Row{Platform::physical, kPath,
        "On the physical switch: no port security with one address on this port (Cisco: no switchport "
        "port-security), no static entry for CLUSTER-MAC, no blocking of unknown unicast (no switchport "
        "block "
        "unicast), no dynamic ARP inspection for VIP. Or mode = \"multicast\", which spoofs nothing."},

    Row{Platform::unknown, any(driver_refused),
        "The driver does not take another MAC address: enable MAC address changes for this adapter where the "
        "machine is managed, or set mac_strategy = \"add\" or mode = \"multicast\"."},
    Row{Platform::unknown, kPath,
        "Where the machine is managed, allow this adapter to send from and to receive for other MAC "
        "addresses "
        "than its own (MAC spoofing, forged transmits, promiscuous mode: the names differ)."},
};

struct AnywhereRow {
  BindReason reason;
  const char* text;
};
// What has nothing to do with the platform.
constexpr std::array kAnywhere = {
    AnywhereRow{
        unproven,
        "Let somebody answer: start another host of the cluster, or set a default gateway that answers "
        "ARP. If the segment is meant to be empty now: on_unproven = \"bind\" in [host]."},
    AnywhereRow{
        ip_conflict,
        "Take VIP off the machine that the evidence names, or give the cluster another address; the bind is "
        "tried again by itself."},
    AnywhereRow{vip_added_by_hand,
                "ip addr del VIP dev INTERFACE, and take it out of the network configuration: nlbd adds it "
                "itself, when the cluster MAC is proven."},
    AnywhereRow{mac_changed_by_hand,
                "Find out who sets the address of INTERFACE (ip link set address, NetworkManager "
                "cloned-mac-address, networkd MACAddress=) and take that out; nlbd sets it itself."},
    AnywhereRow{no_carrier,
                "Connect INTERFACE: the cable, the switch port, or the virtual adapter (\"connected\")."},
    AnywhereRow{no_address,
                "Give INTERFACE an address of its own in the VIP's subnet: ip addr add ADDRESS/PREFIX dev "
                "INTERFACE, and the same in the network configuration."},
    AnywhereRow{not_ethernet,
                "Name an Ethernet interface in [host] interface: MAC addresses are what NLB lives by."},
};

// Where the cluster MAC is a group, nothing is spoofed: what keeps frames back is IGMP snooping that looks
// groups up by the IP address, which is a VIP here and no group. Facts: br_multicast.c and bridge(8); vSphere
// Networking, "Multicast Filtering Modes"; Cisco's NLB guides.
constexpr const char* kLinuxBridgeSnoops =
    "On the machine with the bridge, for the port of each cluster host: bridge link set dev PORT "
    "mcast_router 2 "
    "(a bridge that snoops sends IP that is for no joined group to router ports alone; others get none of "
    "it). Or, for all ports: ip link set BRIDGE type bridge mcast_snooping 0.";
constexpr bool is_on_linux_bridge(Platform platform) {
  using enum Platform;
  return platform == network_namespace || platform == kvm || platform == libvirt || platform == proxmox ||
         platform == opennlb_guard;
}
std::string group_remedy(Platform platform, BindReason reason) {
  if (reason == unproven)
    return "Start another host of the cluster: its heartbeats show whether IP to the group comes in. Or, "
           "where "
           "you know that the switch floods or forwards CLUSTER-MAC: on_unproven = \"bind\" in [host].";
  if (is_on_linux_bridge(platform)) return kLinuxBridgeSnoops;
  if (platform == Platform::vmware)
    return "vSphere Client: the distributed switch > Settings > Edit Settings > Advanced > Multicast "
           "filtering "
           "mode: Basic (it looks groups up by MAC; \"IGMP/MLD snooping\" looks them up by IP).";
  return "On the switches: forward CLUSTER-MAC to the hosts' ports by a static entry (`nlb switch-config` "
         "writes it), or look groups up by MAC (NX-OS: layer-2 multicast lookup mac), or no IGMP snooping in "
         "this VLAN.";
}

bool is_tested(Platform platform) {
  constexpr std::array tested = {
#define NLB_PLATFORM_TESTED(enumerator, name, title, is_tested) is_tested,
      NLB_PLATFORMS(NLB_PLATFORM_TESTED)
#undef NLB_PLATFORM_TESTED
  };
  return tested[static_cast<std::size_t>(platform)];
}

bool is_word(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// Whole words only: the VM of "VMID" or of "Set-VMNetworkAdapter" stays.
void fill_in(std::string& text, std::string_view word, const std::string& value) {
  if (value.empty()) return;
  for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos;) {
    const std::size_t end = at + word.size();
    const bool whole = (at == 0 || !is_word(text[at - 1])) && (end == text.size() || !is_word(text[end]));
    if (whole) text.replace(at, word.size(), value);
    at += whole ? value.size() : word.size();
  }
}

std::string filled_in(std::string text, const RemedyNames& names) {
  const std::pair<std::string_view, const std::string&> words[] = {{"CLUSTER-MAC", names.cluster_mac},
                                                                   {"MASKED-MAC", names.masked_mac},
                                                                   {"HOST-ID", names.host_id},
                                                                   {"CLUSTER", names.cluster},
                                                                   {"INTERFACE", names.interface},
                                                                   {"VIP", names.vip},
                                                                   {"VM", names.vm}};
  for (const auto& [word, value] : words) fill_in(text, word, value);
  return text;
}

}  // namespace

std::string cloud_objection(Platform platform) {
  switch (platform) {
    case Platform::aws:
      return "Amazon EC2 delivers frames by the addresses that it assigned, never by a MAC that two "
             "instances "
             "share: no mode of NLB can work there. Use a Network Load Balancer of Elastic Load Balancing, "
             "or "
             "move a secondary private address between instances (aws ec2 assign-private-ip-addresses "
             "--allow-reassignment).";
    case Platform::azure:
      return "Azure answers every ARP request itself (12:34:56:78:9a:bc) and does not allow MAC spoofing: no "
             "mode of NLB can work there. Use an Azure Load Balancer (floating IP enabled keeps the VIP on "
             "the "
             "hosts).";
    case Platform::gcp:
      return "Google Compute Engine routes each packet by its network's tables and has no shared segment: no "
             "mode of NLB can work there. Use an internal or external passthrough Network Load Balancer.";
    case Platform::other_cloud:
      return "A public cloud delivers frames by the addresses that it assigned and has no shared segment: no "
             "mode of NLB can work there. Use the provider's load balancer or floating address.";
    default:
      return "";
  }
}

std::string remedy_for(Platform platform, BindReason reason, const RemedyNames& names) {
  if (reason == none) return "";
  if (names.group && (reason == unproven || reason == rx_filtered))
    return filled_in(group_remedy(platform, reason), names) +
           (reason == unproven || platform == Platform::network_namespace
                ? ""
                : " (Not run on this platform by the project.)");
  for (const AnywhereRow& row : kAnywhere)
    if (row.reason == reason) return filled_in(row.text, names);
  constexpr const char* kFromDocuments = " (From documents: not run on this platform by the project.)";
  if (const auto objection = cloud_objection(platform); !objection.empty()) return objection + kFromDocuments;
  for (const Row& row : kRows)
    if (row.platform == platform && (row.reasons & bit(reason)))
      return filled_in(row.text, names) + (is_tested(platform) ? "" : kFromDocuments);
  return "";
}

}  // namespace nlb
