// SPDX-License-Identifier: Apache-2.0
#include "doctor/check.hh"

#include <algorithm>
#include <array>

#include "doctor/checks.hh"

namespace nlb::doctor {
namespace {

MacAddress cluster_mac_of(const Config& config) {
  const auto macs = cluster_macs(config.vips.front().address);
  return config.mode == ClusterMode::unicast ? macs.unicast
         : config.mode == ClusterMode::igmp  ? macs.igmp
                                             : macs.multicast;
}

bool has_vip(const Config& config, const AdapterFacts& adapter) {
  return std::any_of(adapter.addresses.begin(), adapter.addresses.end(),
                     [&](const InterfaceAddress& on) { return on.address == config.vips.front().address; });
}

Subject subject_of(const Facts& facts) {
  const Config& config = *facts.config;
  const InterfaceFacts& on = *facts.interface;
  Subject subject{facts, config, on, false, false, {}, {}, {}};
  subject.cluster_mac = cluster_mac_of(config);
  subject.masked_mac = masked_mac(config.vips.front().address, config.id);
  const bool unicast = config.mode == ClusterMode::unicast;
  const bool carries_it = on.adapter.mac_current == subject.cluster_mac;
  subject.replace = unicast && (facts.daemon ? facts.daemon->strategy == "replace"
                                             : config.mac_strategy == MacStrategy::replace || carries_it);
  subject.bound = facts.daemon ? facts.daemon->bind == "bound" : has_vip(config, on.adapter);
  subject.names = {"",
                   config.interface,
                   config.name,
                   std::to_string(config.id),
                   subject.cluster_mac.text(),
                   subject.masked_mac.text(),
                   config.vips.front().address.text()};
  return subject;
}

}  // namespace

const char* name_of(Status status) {
  constexpr std::array names = {"pass", "warn", "fail"};
  return names[static_cast<std::size_t>(status)];
}

std::string joined(const std::vector<std::string>& texts, const char* between) {
  std::string all;
  for (const std::string& text : texts) all += (all.empty() ? "" : between) + text;
  return all;
}

Halves halves_of(const std::vector<std::string>& objections) {
  std::vector<std::string> wrong, remedies;
  for (const std::string& objection : objections) {
    const auto colon = objection.rfind(": ");
    wrong.push_back(objection.substr(0, colon));
    if (colon != std::string::npos) remedies.push_back(objection.substr(colon + 2));
  }
  return {joined(wrong), joined(remedies)};
}

std::vector<Check> examine(const Facts& facts) {
  Report report;
  check_system(facts, report);
  check_configuration(facts, report);
  check_daemon(facts, report);
  if (facts.config && !facts.interface)
    report.fail("net.interface", facts.interface_trouble,
                "name an existing interface in [host] interface; `ip link show` lists them");
  if (!facts.config || !facts.interface) return report.take();
  const Subject subject = subject_of(facts);
  check_platform(subject, report);
  check_switch_policy(subject, report);
  check_link(subject, report);
  check_addresses(subject, report);
  check_macs(subject, report);
  check_sysctls(subject, report);
  check_surroundings(subject, report);
  check_services(subject, report);
  return report.take();
}

}  // namespace nlb::doctor
