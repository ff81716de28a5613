// SPDX-License-Identifier: Apache-2.0
// Others on this host: network managers, firewalls, our own guard, the services behind the VIP.
#include <algorithm>
#include <filesystem>

#include "doctor/checks.hh"

namespace nlb::doctor {
namespace {

void check_managers(const Subject& subject, Report& report) {
  constexpr const char* id = "net.manager";
  const ManagerFacts& managers = subject.on.managers;
  const std::string& name = subject.config.interface;
  if (!managers.certain) {
    report.warn(id,
                std::string(managers.networkd ? "systemd-networkd" : "NetworkManager") +
                    " manages an interface of this number; whether it is " + name +
                    " cannot be told without a look at process 1",
                "run it as root");
  } else if (managers.networkd && !managers.networkd_keeps) {
    const std::filesystem::path network_file(managers.networkd_file);
    const std::filesystem::path drop_in(networkd_drop_in_of(network_file.filename(), name));
    report.warn(id, "systemd-networkd manages " + name + " and takes addresses off that it did not set",
                "mkdir -p " + drop_in.parent_path().string() +
                    " && printf '[Network]\\nKeepConfiguration=yes\\n' > " + drop_in.string() +
                    " && networkctl reload");
  } else if (managers.network_manager && !managers.network_manager_told) {
    report.warn(id, "NetworkManager manages " + name + " and may set its MAC and addresses anew",
                "nlb netcfg --manager networkmanager --write && nmcli general reload");
  } else {
    report.pass(id, managers.networkd ? "systemd-networkd keeps what others configured"
                    : managers.network_manager
                        ? "NetworkManager is told to leave the MAC of " + name + " alone"
                        : "nobody manages " + name);
  }
}

void check_firewall(const Subject& subject, Report& report) {
  constexpr const char* id = "net.firewall";
  if (!subject.on.firewall_trouble.empty())
    report.warn(id, "could not be read: " + subject.on.firewall_trouble, "run it as root");
  else
    report.judge(id, Status::warn, joined(subject.on.firewall.dropped),
                 "let them pass there: nft insert rule FAMILY TABLE CHAIN ether type { 0x88b5, arp } accept" +
                     std::string(subject.config.mode == ClusterMode::unicast
                                     ? ""
                                     : "; nft insert rule FAMILY TABLE CHAIN meta l4proto 253 accept"),
                 "no rule drops heartbeats or ARP");
}

void check_guard(const Subject& subject, Report& report) {
  constexpr const char* id = "net.guard";
  if (!subject.bound) {
    report.pass(id, "not bound, nothing to guard");
    return;
  }
  std::vector<std::string> missing;
  const auto& there = subject.on.firewall.guard_families;
  for (const char* family : {"netdev", "inet", "arp"})
    if (std::find(there.begin(), there.end(), family) == there.end())
      missing.push_back(std::string("table ") + family + " nlb_" + subject.config.interface);
  if (!subject.on.firewall_trouble.empty())
    report.warn(id, "could not be read: " + subject.on.firewall_trouble, "run it as root");
  else
    report.judge(id, Status::fail, missing.empty() ? "" : joined(missing, ", ") + " is not there",
                 "start nlbd, which puts it back; nobody else may remove it (nft flush ruleset does)",
                 "its tables are there");
}

bool reaches(const SocketEntry& socket, const Config& config) {
  const auto is_vip = [&](const Vip& vip) { return vip.address == socket.local; };
  return socket.local.is_unspecified() || std::any_of(config.vips.begin(), config.vips.end(), is_vip);
}

bool speaks(const SocketEntry& socket, RuleProtocol protocol) {
  return protocol == RuleProtocol::both || (protocol == RuleProtocol::tcp) == socket.tcp;
}

// Of a narrow rule every port is looked at, of a wide one whether there is any service at all.
constexpr unsigned kNarrowPorts = 16;

std::vector<std::string> unserved(const Subject& subject, const PortRule& rule) {
  const auto listens = [&](unsigned first, unsigned last) {
    return std::any_of(
        subject.facts.sockets.begin(), subject.facts.sockets.end(), [&](const SocketEntry& socket) {
          return socket.listening && speaks(socket, rule.protocol) && reaches(socket, subject.config) &&
                 socket.local_port >= first && socket.local_port <= last;
        });
  };
  const unsigned count = rule.last_port - rule.first_port + 1u;
  const std::string whole = std::to_string(rule.first_port) + "-" + std::to_string(rule.last_port);
  if (count > kNarrowPorts)
    return listens(rule.first_port, rule.last_port) ? std::vector<std::string>{} : std::vector{whole};
  std::vector<std::string> texts;
  for (unsigned port = rule.first_port; port <= rule.last_port; ++port)
    if (!listens(port, port)) texts.push_back(std::to_string(port));
  return texts;
}

void check_listening(const Subject& subject, Report& report) {
  std::vector<std::string> ports;
  for (const PortRule& rule : subject.config.rules) {
    if (rule.mode == FilteringMode::disabled) continue;
    const auto missing = unserved(subject, rule);
    ports.insert(ports.end(), missing.begin(), missing.end());
  }
  report.judge(
      "service.listening", Status::warn,
      ports.empty() ? "" : "nothing listens on the VIP or 0.0.0.0 at port " + joined(ports, ", "),
      "start the service, and let it listen on 0.0.0.0 or the VIP, not on the dedicated address: ss -ltnup",
      "every port rule has a service");
}

bool is_served(const Subject& subject, uint16_t port) {
  return std::any_of(
      subject.facts.sockets.begin(), subject.facts.sockets.end(), [&](const SocketEntry& socket) {
        return socket.listening && socket.local_port == port && reaches(socket, subject.config);
      });
}

void check_outgoing(const Subject& subject, Report& report) {
  std::vector<std::string> found;
  for (const SocketEntry& socket : subject.facts.sockets)
    if (socket.opening && !socket.local.is_unspecified() && reaches(socket, subject.config) &&
        !is_served(subject, socket.local_port) && found.size() < 5)
      found.push_back(socket.local.text() + ":" + std::to_string(socket.local_port) + " to " +
                      socket.remote.text() + ":" + std::to_string(socket.remote_port));
  report.judge(
      "service.outgoing", Status::warn,
      found.empty() ? "" : "connections go out from a VIP, and their answers to any host: " + joined(found),
      "let the program connect from the dedicated address (no bind to the VIP); ss -tunap shows whose it is",
      "none goes out from a VIP");
}

void check_translation(const Subject& subject, Report& report) {
  std::vector<std::string> found;
  for (const auto& translation : subject.on.firewall.translations) {
    const bool ours =
        std::any_of(subject.config.rules.begin(), subject.config.rules.end(), [&](const PortRule& rule) {
          return translation.ports.empty() ||
                 std::any_of(translation.ports.begin(), translation.ports.end(), [&](uint16_t port) {
                   return port >= rule.first_port && port <= rule.last_port;
                 });
        });
    if (ours && std::find(found.begin(), found.end(), translation.where) == found.end())
      found.push_back(translation.where);
  }
  const std::string where = "connections are translated (DNAT): " + joined(found);
  const std::string& trouble = subject.on.firewall.tracking_trouble;
  report.judge("service.translation", Status::warn,
               found.empty() || trouble.empty() ? "" : where + "; their state cannot be read: " + trouble,
               "they are reset when their bucket moves: make the kernel module nf_conntrack_netlink "
               "available, or let the "
               "service listen on the host itself (Docker: --network host), or drain before every change",
               found.empty() ? "no rule translates the ports of a port rule"
                             : where + "; connection tracking holds those of TCP when buckets move");
}

}  // namespace

void check_surroundings(const Subject& subject, Report& report) {
  check_managers(subject, report);
  check_firewall(subject, report);
  check_guard(subject, report);
}

void check_services(const Subject& subject, Report& report) {
  check_listening(subject, report);
  check_outgoing(subject, report);
  check_translation(subject, report);
}

}  // namespace nlb::doctor
