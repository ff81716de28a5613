// SPDX-License-Identifier: Apache-2.0
#include "nlb/network_files.hh"

#include <fmt/format.h>

#include "linux/network_manager.hh"

namespace nlb {
namespace {

std::string heading(const Config& config) {
  std::string vips;
  for (const Vip& vip : config.vips) vips += (vips.empty() ? "" : ", ") + vip.address.text();
  return fmt::format(
      "# From `nlb netcfg`, for cluster {} on {}.\n"
      "# nlbd itself puts on {} and looks after: the VIPs ({}), the cluster MAC ({}),\n"
      "# the clsact qdisc with its filters, XDP, and the nftables tables nlb_…. Do not configure any of them "
      "here.\n",
      config.name, config.interface, config.interface, vips,
      cluster_macs(config.vips.front().address).unicast.text());
}

}  // namespace

NetworkFile networkd_file(const Config& config, const std::string& network_file) {
  return {
      networkd_drop_in_of(network_file, config.interface),
      heading(config) +
          "\n[Network]\n"
          "# Without this, networkd takes the VIPs off when it starts, and when it configures the link "
          "anew.\n"
          "KeepConfiguration=yes\n"
          "# A short loss of carrier is no reason to take the host's own address off.\n"
          "IgnoreCarrierLoss=5s\n"
          "\n# Not set here on purpose: [Link] MACAddress= (nlbd changes the MAC under mac_strategy replace, "
          "and\n# changes it back), [QDisc] and the sections of queueing disciplines (they would take the "
          "place of clsact).\n",
      "networkctl reload"};
}

NetworkFile network_manager_file(const Config& config) {
  return {
      network_manager_file_of(config.interface),
      heading(config) +
          fmt::format(
              "\n[device-opennlb-{0}]\n"
              "match-device=interface-name:{0}\n"
              "# What is on the interface when NetworkManager starts stays there.\n"
              "keep-configuration=yes\n"
              "# A loss of carrier is no reason to deactivate the connection, which would take all addresses "
              "off.\n"
              "ignore-carrier=yes\n"
              "\n[connection-opennlb-{0}]\n"
              "match-device=interface-name:{0}\n"
              "# Do not set the MAC, neither the permanent nor a random one.\n"
              "ethernet.cloned-mac-address=preserve\n"
              "\n# Activating the connection anew (nmcli connection up) takes the VIPs off all the same; "
              "nlbd "
              "puts them back at\n# once. To keep NetworkManager away altogether, configure the host's own "
              "address elsewhere, add\n# [keyfile]\n# unmanaged-devices+=interface-name:{0}\n# and restart "
              "it: by a reload it would take all addresses off, and the link down.\n",
              config.interface),
      "nmcli general reload"};
}

NetworkFile ifupdown_file(const Config& config) {
  return {
      "",
      heading(config) +
          fmt::format(
              "\n# ifupdown needs no drop-in: it acts only in ifup and ifdown. ifdown {0} takes every "
              "address "
              "off; nlbd sees\n# the link go, serves nobody, and puts VIPs and MAC back after ifup {0}. In "
              "/etc/network/interfaces, do not\n# give {0} a hwaddress line under mac_strategy replace, and "
              "do "
              "not list a VIP as an address.\n",
              config.interface),
      ""};
}

}  // namespace nlb
