// SPDX-License-Identifier: Apache-2.0
#include "linux/switch_words.hh"

namespace nlb {
namespace {

using wire::PolicyAnnouncement;
using wire::PortSpoofing;

std::string title_of(const PolicyAnnouncement& told) {
  return told.adapter.empty() ? told.vm : told.vm + "/" + told.adapter;
}

std::string spoofing_of(const PolicyAnnouncement& told) {
  switch (told.mac_spoofing) {
    case PortSpoofing::off:
      return "MAC spoofing off";
    case PortSpoofing::on:
      return "MAC spoofing on";
    case PortSpoofing::cluster:
      break;
  }
  const std::string host = told.host_id == 0 ? "" : ", host id " + std::to_string(told.host_id);
  return "MAC spoofing cluster (" + told.cluster + host + ")";
}

// The cluster's name on the hypervisor, where one is declared for the port.
std::string name_there(const PolicyAnnouncement& told, const ClusterSeat& seat) {
  return told.cluster.empty() ? seat.cluster : told.cluster;
}

std::string declaration_of(const PolicyAnnouncement& told, const ClusterSeat& seat) {
  return "On host " + told.host + " nobody declared port " + told.port + " of " + told.bridge +
         ": add to /etc/opennlb/vmswitch.toml there [[port]] vm = \"VM\", interface = \"" + told.port +
         "\", mac = this adapter's, mac_spoofing = \"cluster\", cluster = \"" + seat.cluster +
         "\", host_id = " + std::to_string(seat.host_id) + ", and [[cluster]] " + seat.cluster +
         " unless it is there; then nlb vmswitch reload.";
}

}  // namespace

std::string quote_of(const PolicyAnnouncement& told) {
  const bool declared = !told.vm.empty();
  return "port " + (declared ? title_of(told) : told.port + " of " + told.bridge) + " on host " + told.host +
         ": " + (declared ? "" : "not declared, ") + spoofing_of(told) +
         (told.audit ? " (audit: nothing is dropped)" : "");
}

SwitchFit fit_of(const PolicyAnnouncement& told, const ClusterSeat& seat) {
  switch (told.mac_spoofing) {
    case PortSpoofing::off:
      return SwitchFit::off;
    case PortSpoofing::on:
      return SwitchFit::fits;
    case PortSpoofing::cluster:
      break;
  }
  if (told.host_id != seat.host_id) return SwitchFit::other_host;
  return told.cluster == seat.cluster ? SwitchFit::fits : SwitchFit::other_name;
}

bool may_be_the_switch(BindReason reason) {
  switch (reason) {
    case BindReason::tx_filtered:
    case BindReason::rx_filtered:
    case BindReason::arp_filtered:
    case BindReason::rx_or_arp_filtered:
    case BindReason::unproven:
      return true;
    default:
      return false;
  }
}

RefusalWords with_switch_words(RefusalWords refusal, const PolicyAnnouncement& told,
                               const ClusterSeat& seat) {
  if (!may_be_the_switch(refusal.reason)) return refusal;
  const bool drops = !told.audit && fit_of(told, seat) == SwitchFit::off;
  if (drops && refusal.reason == BindReason::rx_or_arp_filtered) refusal.reason = BindReason::rx_filtered;
  refusal.evidence += "; the switch says: " + quote_of(told);
  return refusal;
}

std::string remedy_on_switch(const PolicyAnnouncement& told, const ClusterSeat& seat) {
  const SwitchFit fit = fit_of(told, seat);
  if (fit == SwitchFit::fits || fit == SwitchFit::other_name) return "";
  if (told.vm.empty()) return declaration_of(told, seat);
  const std::string command = "nlb vmswitch set " + title_of(told) + " --mac-spoofing cluster --cluster " +
                              name_there(told, seat) + " --host-id " + std::to_string(seat.host_id);
  const std::string undeclared = told.cluster.empty()
                                     ? " Unless `nlb vmswitch clusters` lists " + seat.cluster +
                                           " there, declare it before: [[cluster]] in "
                                           "/etc/opennlb/vmswitch.toml with this cluster's VIPs."
                                     : "";
  if (!told.require_stopped)
    return "On host " + told.host + ": " + command + " (takes effect at once, VM " + told.vm + " runs on)." +
           undeclared;
  return "On host " + told.host + ", with VM " + told.vm + " stopped: " + command + "; then start VM " +
         told.vm + ". (--live changes it while the VM runs and is recorded.)" + undeclared;
}

}  // namespace nlb
