// SPDX-License-Identifier: Apache-2.0
// The adapter: on what it runs, whether it is fit for a cluster, its hooks, its MAC addresses.
#include <algorithm>

#include "doctor/checks.hh"
#include "linux/switch_words.hh"

namespace nlb::doctor {
namespace {

bool carries_cluster_mac(const Subject& subject) {
  const AdapterFacts& adapter = subject.on.adapter;
  if (subject.config.mode != ClusterMode::unicast) return subject.on.in_group;
  return adapter.mac_current == subject.cluster_mac ||
         std::find(adapter.extra_macs.begin(), adapter.extra_macs.end(), subject.cluster_mac) !=
             adapter.extra_macs.end();
}

void check_mac(const Subject& subject, Report& report) {
  const AdapterFacts& adapter = subject.on.adapter;
  const std::string now = "MAC now " + adapter.mac_current.text() + ", permanent " +
                          (adapter.mac_permanent.is_zero() ? "not told" : adapter.mac_permanent.text());
  std::string expected = subject.facts.daemon ? subject.facts.daemon->mac_expected : "";
  if (expected.empty() && subject.replace && subject.bound) expected = subject.cluster_mac.text();
  if (expected.empty() && !subject.replace && !adapter.mac_permanent.is_zero())
    expected = adapter.mac_permanent.text();
  const bool wrong = !expected.empty() && expected != adapter.mac_current.text();
  report.judge("net.mac", subject.facts.daemon ? Status::fail : Status::warn,
               wrong ? now + ", expected " + expected : "",
               remedy_for(subject.on.platform.platform, BindReason::mac_changed_by_hand, subject.names),
               now + (expected.empty() ? "" : ", as expected"));
}

void check_cluster_mac(const Subject& subject, Report& report) {
  constexpr const char* id = "net.cluster-mac";
  const std::string mac = subject.cluster_mac.text();
  if (!subject.bound) {
    report.warn(id, "not bound: the adapter is not asked to carry " + mac + " yet",
                "start nlbd; when it does not bind, nlb display says why");
    return;
  }
  report.judge(
      id, Status::fail,
      carries_cluster_mac(subject) ? "" : subject.config.interface + " does not carry " + mac,
      remedy_for(subject.on.platform.platform, BindReason::rx_filtered, subject.names) + " Then: nlb reload.",
      subject.config.interface + " carries " + mac);
}

void check_hooks(const Subject& subject, Report& report) {
  const HookFacts& hooks = subject.on.hooks;
  const std::string& name = subject.config.interface;
  report.judge(
      "net.ingress-qdisc", Status::fail,
      hooks.qdisc == IngressQdisc::ingress
          ? name + " has an `ingress` qdisc, which excludes the clsact that the filter needs"
          : "",
      "tc qdisc del dev " + name + " ingress (set by a rate limit or another program), then nlb reload",
      "no `ingress` qdisc is in the way");
  const bool foreign = hooks.xdp != "none" && !hooks.xdp_program.starts_with("nlb_");
  const bool dispatcher = hooks.xdp_program == "xdp_dispatcher";  // libxdp's; it has files of its own
  report.judge(
      "net.xdp", Status::warn,
      foreign ? "another XDP program (" + hooks.xdp_program + ", " + hooks.xdp +
                    ") is attached: the filter works in tc alone, more slowly"
              : "",
      (dispatcher ? "xdp-loader unload " + name + " --all" : "ip link set dev " + name + " xdp off") +
          ", if nobody needs it; nlbd attaches its own then",
      hooks.xdp == "none" ? "no XDP program is attached; the filter works in tc" : "XDP is " + hooks.xdp);
  const std::string missing =
      joined({hooks.tc_ingress ? "" : "ingress", hooks.tc_egress ? "" : "egress"}, " ");
  constexpr const char* id = "net.filter";
  if (!subject.bound)
    report.pass(id, "not bound, nothing to filter");
  else
    report.judge(id, Status::fail,
                 hooks.tc_ingress && hooks.tc_egress ? "" : "the filter is not attached at tc " + missing,
                 "start nlbd, which attaches it; until then every host would answer for the VIP",
                 "attached at tc ingress and egress");
}

const char* consequence_of(SwitchFit fit) {
  switch (fit) {
    case SwitchFit::off:
      return "; no frame of a cluster passes";
    case SwitchFit::other_host:
      return "; the host id is another than this host's";
    case SwitchFit::other_name:
      return "; the cluster has another name than this host's";
    case SwitchFit::fits:
      break;
  }
  return "";
}

}  // namespace

// What the guard of the hypervisor's switch says of itself; it knows better than any probe.
void check_switch_policy(const Subject& subject, Report& report) {
  constexpr const char* id = "switch-policy";
  const auto& told = subject.on.switch_policy;
  if (!subject.on.switch_trouble.empty())
    return report.warn(id, "could not be heard: " + subject.on.switch_trouble, "run it as root");
  if (!told) return report.pass(id, "no OpenNLB guard announces itself");
  const ClusterSeat seat{subject.config.name, subject.config.id};
  const SwitchFit fit = fit_of(*told, seat);
  const std::string detail = quote_of(*told) + consequence_of(fit);
  if (fit == SwitchFit::fits) return report.pass(id, detail);
  if (fit == SwitchFit::other_name)
    return report.warn(id, detail,
                       "see that cluster " + told->cluster + " on host " + told->host + " has the VIP " +
                           subject.names.vip + ", and name both alike");
  const std::string remedy = remedy_on_switch(*told, seat);
  told->audit ? report.warn(id, detail + "; once enforced", remedy) : report.fail(id, detail, remedy);
}

void check_platform(const Subject& subject, Report& report) {
  const PlatformFinding& found = subject.on.platform;
  const std::string what = std::string(title_of(found.platform)) + " (" + found.evidence + ")";
  if (const auto objection = cloud_objection(found.platform); !objection.empty())
    report.fail("platform", what, objection);
  else
    report.pass("platform", what);
}

void check_link(const Subject& subject, Report& report) {
  const AdapterFacts& adapter = subject.on.adapter;
  const Platform platform = subject.on.platform.platform;
  const auto [wrong, remedy] = halves_of(link_objections(adapter));
  report.judge("net.interface", Status::fail, wrong,
               adapter.ethernet ? remedy : remedy_for(platform, BindReason::not_ethernet, subject.names),
               adapter.name + " is up, Ethernet, of its own, MTU " + std::to_string(adapter.mtu));
  report.judge("net.carrier", Status::fail, adapter.carrier ? "" : adapter.name + " has no carrier",
               remedy_for(platform, BindReason::no_carrier, subject.names), "there is a carrier");
  // A driver that cannot filter a second unicast address takes all of them instead, when one is added.
  const bool by_driver = subject.bound && !adapter.extra_macs.empty();
  const bool on = subject.on.promiscuous;
  report.judge("net.promiscuous", Status::warn,
               on && !by_driver ? adapter.name + " is promiscuous: every frame costs this host time" : "",
               "ip link set dev " + adapter.name + " promisc off, and end the capture that set it",
               on ? "on: the driver filters no second unicast address, or somebody captures" : "off");
  check_hooks(subject, report);
}

void check_macs(const Subject& subject, Report& report) {
  check_mac(subject, report);
  check_cluster_mac(subject, report);
}

}  // namespace nlb::doctor
