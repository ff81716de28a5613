// SPDX-License-Identifier: Apache-2.0
#include "nlbd/withdrawal.hh"

#include "base/net.hh"
#include "datapath/datapath.hh"
#include "datapath/pins.hh"
#include "linux/adapter.hh"
#include "linux/guard.hh"

namespace nlb {
namespace {

BindPlan plan_of(const Config& config, const DaemonPaths& paths, const AdapterFacts& facts) {
  const IpAddress& primary = config.vips.front().address;
  const ClusterMacs macs = cluster_macs(primary);
  BindPlan plan;
  plan.interface = config.interface;
  plan.mode = config.mode;
  plan.cluster_mac = config.mode == ClusterMode::unicast     ? macs.unicast
                     : config.mode == ClusterMode::multicast ? macs.multicast
                                                             : macs.igmp;
  plan.strategy = facts.mac_current == plan.cluster_mac ? MacStrategy::replace : MacStrategy::add;
  plan.masked_mac = masked_mac(primary, config.id);
  plan.own_mac = remembered_mac(paths.state_directory, config.interface).value_or(facts.mac_current);
  for (const Vip& vip : config.vips) plan.vips.push_back(vip.address);
  plan.state_directory = paths.state_directory;
  return plan;
}

}  // namespace

Result<void> withdraw(const Config& config, const DaemonPaths& paths) {
  std::string failures;
  const auto note = [&](const Result<void>& done) {
    if (!done) failures += (failures.empty() ? "" : "; ") + done.error().message;
  };
  const std::string pins = pin_directory_of(paths.runtime_directory);
  // First the addresses: the filter keeps the host silent for as long as it has one.
  if (const auto facts = read_adapter(config.interface)) {
    note(unbind(plan_of(config, paths, *facts)));
    note(Datapath::remove({config.interface, pins, DatapathKind::xdp_native}));
  } else {
    remove_pins(pins);  // with the interface, all else is gone
  }
  note(remove_guard(config.interface));
  return failures.empty() ? Result<void>{} : fail(failures);
}

}  // namespace nlb
