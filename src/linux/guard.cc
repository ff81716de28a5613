// SPDX-License-Identifier: Apache-2.0
// Writes the guard's rules by libnftables, in one transaction (there is no instant without a guard while it
// is replaced), and reads them back. Every rule carries a tag made of its text: a rule that was taken away,
// or replaced by another, is missed.
#include "linux/guard.hh"

#include <fmt/format.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>

#include "linux/guard_rules.hh"
#include "linux/interface_index.hh"
#include "linux/nft.hh"

namespace nlb {
namespace {

std::string remove_commands(const std::string& table) {
  std::string commands;
  for (const char* family : {"netdev", "inet", "arp"})
    commands += fmt::format("add table {0} {1}\ndelete table {0} {1}\n", family, table);
  return commands;
}

std::string listed(const std::vector<std::string>& texts) {
  std::string list;
  for (const auto& text : texts) list += (list.empty() ? "" : ", ") + text;
  return list;
}

std::string add_set(const std::string& table, const char* name, const char* type,
                    const std::vector<std::string>& elements) {
  const std::string listing = elements.empty() ? "" : "elements = { " + listed(elements) + " };";
  return fmt::format("add set {} {} {{ type {}; {} }}\n", table, name, type, listing);
}

std::string add_commands(const guard::Chain& chain, const std::string& table,
                         const std::vector<IpAddress>& vips) {
  const std::string at = chain.family + " " + table;
  std::string commands = fmt::format("add table {}\n", at);
  commands += add_set(at, "vips", "ipv4_addr", guard::texts_of(vips, true));
  commands += add_set(at, "vips6", "ipv6_addr", guard::texts_of(vips, false));
  commands += fmt::format("add chain {} {} {{ {} }}\n", at, chain.name, chain.hook);
  for (const auto& rule : chain.rules)
    commands += fmt::format("add rule {} {} {} comment \"{}\"\n", at, chain.name, rule, nft::tag(rule));
  return commands;
}

Result<void> check(const GuardPlan& plan) {
  if (plan.interface.empty() || plan.interface.find_first_of("\"\\*") != std::string::npos)
    return fail(
        "\"" + plan.interface + "\": nftables cannot name an interface with a quote, backslash or asterisk",
        EINVAL);
  if (plan.vips.empty()) return fail(plan.interface + ": the guard needs a VIP", EINVAL);
  return {};
}

// Which of the hooks is wanting? The egress hook is the youngest (Linux 5.16).
bool has_egress_hook(const std::string& interface) {
  const std::string table = guard::table_name(interface) + "/probe";
  return nft::run(fmt::format(
                      "add table netdev {0}\n"
                      "add chain netdev {0} egress {{ type filter hook egress device \"{1}\" priority 0; }}\n"
                      "delete table netdev {0}\n",
                      table, interface))
      .has_value();
}

// Rules count in their order: an `accept` moved to the front would undo the rest. `chains`: of the whole
// table.
bool matches(nft::Listing listing, const std::vector<guard::Chain>& chains,
             const std::vector<IpAddress>& vips) {
  std::vector<std::string> tags, hooks;
  for (const auto& chain : chains) {
    hooks.push_back(chain.hook);
    for (const auto& rule : chain.rules) tags.push_back(nft::tag(rule));
  }
  const auto has = [&](const char* set, std::vector<std::string> wanted) {
    auto& elements = listing.elements[set];
    std::sort(wanted.begin(), wanted.end());
    std::sort(elements.begin(), elements.end());
    return elements == wanted;
  };
  return !listing.dormant && listing.hooks == hooks && listing.rule_tags == tags &&
         has("vips", guard::texts_of(vips, true)) && has("vips6", guard::texts_of(vips, false));
}

Result<bool> exists(const std::string& interface) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(interface + ": cannot be looked for: " + std::strerror(errno), errno);
  const auto index = interface_index(fd, interface);
  close(fd);
  if (!index && index.error().code != ENODEV) return tl::unexpected(index.error());
  return index.has_value();
}

}  // namespace

Result<bool> guard_in_force(const GuardPlan& plan) {
  if (auto good = check(plan); !good) return tl::unexpected(good.error());
  // Newer kernels keep the chain of a vanished adapter, for one that comes by the same name.
  if (const auto there = exists(plan.interface); !there || !*there) return there;
  const std::string table = guard::table_name(plan.interface);
  std::map<std::string, std::vector<guard::Chain>> tables;  // by family
  for (const auto& chain : guard::chains(plan)) tables[chain.family].push_back(chain);
  for (const auto& [family, chains] : tables) {
    auto listed = nft::run(fmt::format("list table {} {}\n", family, table));
    if (!listed && nft::says(listed.error(), "No such file or directory")) return false;
    if (!listed) return tl::unexpected(listed.error().within(plan.interface));
    if (!matches(nft::parse_listing(*listed), chains, plan.vips)) return false;
  }
  return true;
}

Result<void> install_guard(const GuardPlan& plan) {
  if (auto good = check(plan); !good) return good;
  if (if_nametoindex(plan.interface.c_str()) == 0)
    return fail(plan.interface + ": there is no such network interface to guard", ENODEV);
  const std::string table = guard::table_name(plan.interface);
  std::string commands = remove_commands(table);
  for (const auto& chain : guard::chains(plan)) commands += add_commands(chain, table, plan.vips);
  if (auto done = nft::run(commands); !done) {
    if (!has_egress_hook(plan.interface))
      return fail(plan.interface +
                      ": this kernel has no netdev egress hook for nftables, which the guard needs "
                      "(Linux 5.16 with CONFIG_NETFILTER_EGRESS): " +
                      done.error().message,
                  EOPNOTSUPP);
    return tl::unexpected(done.error().within(plan.interface + ": cannot install the guard"));
  }
  auto in_force = guard_in_force(plan);
  if (!in_force) return tl::unexpected(in_force.error());
  if (!*in_force) return fail(plan.interface + ": nftables took the guard's rules but does not show them");
  return {};
}

Result<void> remove_guard(const std::string& interface) {
  auto done = nft::run(remove_commands(guard::table_name(interface)));
  if (!done) return tl::unexpected(done.error().within(interface + ": cannot remove the guard"));
  return {};
}

}  // namespace nlb
