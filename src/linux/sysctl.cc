// SPDX-License-Identifier: Apache-2.0
#include "linux/sysctl.hh"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace nlb::sysctl {

namespace {

struct Want {
  Setting setting;
  bool wanted;
};

std::vector<Want> all(const std::string& interface, bool ipv6, bool replace) {
  const std::string v4 = "net/ipv4/conf/" + interface + "/", v6 = "net/ipv6/conf/" + interface + "/";
  return {
      // The kernel's own ARP requests name a dedicated address, never a VIP.
      {{v4 + "arp_announce", "2"}, true},
      // No announcement of addresses when the MAC changes: we announce ourselves.
      {{v4 + "arp_notify", "0"}, true},
      {{v6 + "ndisc_notify", "0"}, ipv6},
      // RFC 1122 3.3.6 forbids what multicast modes live by.
      {{v4 + "drop_unicast_in_l2_multicast", "0"}, true},
      {{v6 + "drop_unicast_in_l2_multicast", "0"}, ipv6},
      // A VIP stays when the link is set down, as an IPv4 one does.
      {{v6 + "keep_addr_on_down", "1"}, ipv6},
      // Link-local addresses made of a MAC that every host has would collide; make none.
      {{v6 + "addr_gen_mode", "1"}, replace},
  };
}

}  // namespace

std::vector<Setting> possible(const std::string& interface) {
  std::vector<Setting> settings;
  for (const Want& want : all(interface, true, true)) settings.push_back(want.setting);
  return settings;
}

std::vector<Setting> wanted(const BindPlan& plan) {
  const bool ipv6 = std::any_of(plan.vips.begin(), plan.vips.end(), [](auto& vip) { return !vip.is_v4(); });
  const bool replace = plan.mode == ClusterMode::unicast && plan.strategy == MacStrategy::replace;
  std::vector<Setting> settings;
  for (const Want& want : all(plan.interface, ipv6, replace))
    if (want.wanted) settings.push_back(want.setting);
  return settings;
}

Result<std::string> read(const std::string& path) {
  const int fd = open(("/proc/sys/" + path).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return fail("sysctl " + path + ": " + std::strerror(errno), errno);
  char buffer[64];
  const ssize_t got = ::read(fd, buffer, sizeof buffer);
  const int error = errno;
  close(fd);
  if (got < 0) return fail("sysctl " + path + ": " + std::strerror(error), error);
  std::string value(buffer, static_cast<std::size_t>(got));
  while (!value.empty() && value.back() == '\n') value.pop_back();
  return value;
}

Result<void> write(const Setting& setting) {
  const int fd = open(("/proc/sys/" + setting.path).c_str(), O_WRONLY | O_CLOEXEC);
  const ssize_t put = fd < 0 ? -1 : ::write(fd, setting.value.data(), setting.value.size());
  const int error = errno;
  if (fd >= 0) close(fd);
  if (put == static_cast<ssize_t>(setting.value.size())) return {};
  return fail("sysctl " + setting.path + " cannot be set to " + setting.value + ": " + std::strerror(error),
              error);
}

}  // namespace nlb::sysctl
