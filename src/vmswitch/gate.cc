// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/gate.hh"

#include <fmt/format.h>
#include <net/if.h>
#include <nlb/abi/guard.h>

#include <array>
#include <cerrno>
#include <optional>

#include "control/config_values.hh"
#include "linux/nft.hh"
#include "vmswitch/config_values.hh"

namespace nlb::vmswitch {
namespace {

// How a frame's bridge is told.
enum class Told { by_bridge, by_port };

struct Chain {
  const char* name;
  const char* hook;  // as nft prints it
  std::vector<std::string> rules;
};

// Prerouting of the bridge family sees frames that came in through a port, after tc and before the bridge
// learns from them; what the host sends through the bridge device never passes there. First in order, so that
// nobody's `accept` comes before it; last in order on the way out, so that no other chain sees what is
// dropped as sent. What a good frame fails comes first in a rule: the rest of it is not evaluated then.
std::array<Chain, 2> chains(const std::string& bridge, Told told) {
  constexpr uint32_t kMark = NLB_GUARD_MARK, kOthers = ~kMark;
  const bool by_bridge = told == Told::by_bridge;
  const std::string in = by_bridge ? fmt::format("meta ibrname \"{}\"", bridge) : "iif != @elsewhere";
  const std::string out = by_bridge ? fmt::format("meta obrname \"{}\"", bridge) : "oif != @elsewhere";
  return {Chain{"from_ports",
                "type filter hook prerouting priority -400; policy accept;",
                {fmt::format("meta mark & {:#x} != {:#x} {} counter drop", kMark, kMark, in),
                 fmt::format("{} meta mark set meta mark & {:#x}", in, kOthers)}},
          Chain{"to_ports",
                "type filter hook postrouting priority 400; policy accept;",
                {fmt::format("oif != @ready {} counter drop", out)}}};
}

std::string table_of(const std::string& bridge) {
  return "bridge " + nft::identifier("nlb_switch_", bridge);
}

std::string elements(const std::set<uint32_t>& indices) {
  std::string list;
  for (const uint32_t ifindex : indices) list += (list.empty() ? "" : ", ") + std::to_string(ifindex);
  return list;
}

std::string fill_commands(const GatePlan& plan, Told told) {
  const std::string table = table_of(plan.bridge);
  std::string commands;
  const auto fill = [&](const char* set, const std::set<uint32_t>& indices) {
    commands += fmt::format("flush set {} {}\n", table, set);
    if (!indices.empty())
      commands += fmt::format("add element {} {} {{ {} }}\n", table, set, elements(indices));
  };
  fill("ready", plan.ready);
  if (told == Told::by_port) fill("elsewhere", plan.elsewhere);
  return commands;
}

std::string install_commands(const GatePlan& plan, Told told) {
  const std::string table = table_of(plan.bridge);
  std::string commands = fmt::format("add table {0}\ndelete table {0}\nadd table {0}\n", table);
  for (const char* set : {"ready", "elsewhere"})
    commands += fmt::format("add set {} {} {{ type iface_index; }}\n", table, set);
  for (const auto& chain : chains(plan.bridge, told)) {
    commands += fmt::format("add chain {} {} {{ {} }}\n", table, chain.name, chain.hook);
    for (const auto& rule : chain.rules)
      commands += fmt::format("add rule {} {} {} comment \"{}\"\n", table, chain.name, rule, nft::tag(rule));
  }
  return commands + fill_commands(plan, told);
}

// nft shows an index by the name of its interface, while there is one.
std::optional<uint32_t> index_in(std::string element) {
  if (element.size() > 2 && element.front() == '"') element = element.substr(1, element.size() - 2);
  if (const unsigned index = if_nametoindex(element.c_str()); index != 0) return index;
  return parse_number(element, UINT32_MAX);
}

struct ReadBack {
  std::optional<Told> told;  // none: there is no gate, or no whole one
  std::set<uint32_t> ready, elsewhere;
};

bool has_chains(const nft::Listing& listing, const std::string& bridge, Told told) {
  std::vector<std::string> hooks, tags;
  for (const auto& chain : chains(bridge, told)) {
    hooks.emplace_back(chain.hook);
    for (const auto& rule : chain.rules) tags.push_back(nft::tag(rule));
  }
  return !listing.dormant && listing.hooks == hooks && listing.rule_tags == tags;
}

Result<ReadBack> read_back(const std::string& bridge) {
  auto text = nft::run("list table " + table_of(bridge) + "\n");
  if (!text && nft::says(text.error(), "No such file or directory")) return ReadBack{};
  if (!text) return tl::unexpected(text.error().within(bridge));
  auto listing = nft::parse_listing(*text);
  ReadBack result;
  for (const Told told : {Told::by_bridge, Told::by_port})
    if (has_chains(listing, bridge, told)) result.told = told;
  for (auto [name, set] : {std::pair{"ready", &result.ready}, std::pair{"elsewhere", &result.elsewhere}})
    for (const auto& element : listing.elements[name])
      if (const auto index = index_in(element)) set->insert(*index);
  return result;
}

Result<void> check(const std::string& bridge) {
  if (is_nameable_bridge(bridge)) return {};
  return fail("\"" + bridge + "\": nftables cannot name a bridge with a quote, backslash or asterisk",
              EINVAL);
}

}  // namespace

Result<void> install_gate(const GatePlan& plan) {
  if (auto good = check(plan.bridge); !good) return good;
  if (auto done = nft::run(install_commands(plan, Told::by_bridge)); !done) {
    if (auto again = nft::run(install_commands(plan, Told::by_port)); !again)
      return tl::unexpected(again.error().within(
          plan.bridge + ": cannot install the gate (nftables with the bridge family is needed)"));
  }
  auto in_force = gate_in_force(plan);
  if (!in_force) return tl::unexpected(in_force.error());
  if (!*in_force) return fail(plan.bridge + ": nftables took the gate's rules but does not show them");
  return {};
}

Result<void> fill_gate(const GatePlan& plan) {
  if (auto good = check(plan.bridge); !good) return good;
  const auto found = read_back(plan.bridge);
  if (!found) return tl::unexpected(found.error());
  if (!found->told) return fail(plan.bridge + ": the gate is gone", ENOENT);
  if (auto done = nft::run(fill_commands(plan, *found->told)); !done)
    return tl::unexpected(done.error().within(plan.bridge + ": cannot change the gate"));
  return {};
}

Result<bool> gate_in_force(const GatePlan& plan) {
  if (auto good = check(plan.bridge); !good) return tl::unexpected(good.error());
  const auto found = read_back(plan.bridge);
  if (!found) return tl::unexpected(found.error());
  return found->told && found->ready == plan.ready &&
         (found->told == Told::by_bridge || found->elsewhere == plan.elsewhere);
}

Result<bool> gate_stands(const std::string& bridge) {
  if (auto good = check(bridge); !good) return tl::unexpected(good.error());
  const auto found = read_back(bridge);
  if (!found) return tl::unexpected(found.error());
  return found->told.has_value();
}

Result<std::set<uint32_t>> gate_ready(const std::string& bridge) {
  if (auto good = check(bridge); !good) return tl::unexpected(good.error());
  auto found = read_back(bridge);
  if (!found) return tl::unexpected(found.error());
  return found->told ? std::move(found->ready) : std::set<uint32_t>{};
}

Result<void> remove_gate(const std::string& bridge) {
  if (auto good = check(bridge); !good) return good;
  auto done = nft::run(fmt::format("add table {0}\ndelete table {0}\n", table_of(bridge)));
  if (!done) return tl::unexpected(done.error().within(bridge + ": cannot remove the gate"));
  return {};
}

}  // namespace nlb::vmswitch
