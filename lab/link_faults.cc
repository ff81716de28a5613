// SPDX-License-Identifier: Apache-2.0
// nftables in the switch's namespace: the kernels that have it are more than those that have netem.
#include "lab/link_faults.hh"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <set>

#include "lab/process.hh"

namespace nlb::lab {
namespace {

constexpr int kWrongUsage = 2;
const std::string kSplitTable = "nlb_split";

Result<void> remove_table(const std::string& family, const std::string& name) {
  const auto listed = run({"nft", "list", "table", family, name}, "", kSwitch);
  if (!listed || listed->exit_code != 0) return {};
  return must_run({"nft", "delete", "table", family, name}, "", kSwitch);
}

std::string ports_of(const std::vector<Node>& nodes) {
  std::string text;
  for (const auto& node : nodes) text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", node.port);
  return "{ " + text + " }";
}

std::string loss_table(const Node& node) {
  return "loss_" + node.port;
}

// What enters the switch is what the node sends. `set`: what the conditions name, if they name any.
Result<void> drop_at_port(const Node& node, Direction direction, const std::string& set,
                          const std::string& of_sent, const std::string& of_received) {
  if (auto removed = remove_table("netdev", loss_table(node)); !removed) return removed;
  std::string rules = fmt::format("table netdev {} {{\n{}", loss_table(node), set);
  const auto chain = [&](const char* hook, const std::string& which) {
    rules += fmt::format("  chain {0} {{ type filter hook {0} device \"{1}\" priority 0; {2}drop; }}\n", hook,
                         node.port, which);
  };
  if (direction != Direction::in) chain("ingress", of_sent);
  if (direction != Direction::out) chain("egress", of_received);
  return must_run({"nft", "-f", "-"}, rules + "}\n", kSwitch);
}

}  // namespace

Result<Direction> direction_from(const std::string& word) {
  if (word.empty()) return Direction::both;
  if (word == "in") return Direction::in;
  if (word == "out") return Direction::out;
  return fail(fmt::format("\"{}\" is no direction: say in (what the node receives), out (what it sends), or "
                          "nothing for both",
                          word),
              kWrongUsage);
}

Result<unsigned> number_from(const std::string& word, const std::string& what, unsigned most) {
  unsigned number = 0;
  const auto parsed = std::from_chars(word.data(), word.data() + word.size(), number);
  if (word.empty() || parsed.ec != std::errc{} || parsed.ptr != word.data() + word.size() || number > most)
    return fail(fmt::format("\"{}\" is not {} of 0 to {}", word, what, most), kWrongUsage);
  return number;
}

Result<void> lose_frames(const Node& node, unsigned percent, Direction direction) {
  if (percent == 0) return remove_table("netdev", loss_table(node));
  const auto which = percent == 100 ? "" : fmt::format("numgen random mod 100 < {} ", percent);
  return drop_at_port(node, direction, "", which, which);
}

Result<void> lose_all_for(const Node& node, unsigned ms, Direction direction) {
  const auto now = fmt::format(
      "  set now {{ type ifname; flags timeout; elements = {{ \"{}\" timeout {}ms }}; }}\n", node.port, ms);
  return drop_at_port(node, direction, now, "iifname @now ", "oifname @now ");
}

Result<Groups> groups_from(const Plan& plan, const std::vector<std::string>& words) {
  Groups groups;
  std::set<std::string> seen;
  for (const auto& word : words) {
    auto& group = groups.emplace_back();
    for (const auto& name : CLI::detail::split(word, ',')) {
      auto node = find_node(plan, name);
      if (!node) return fail("split: " + node.error().message, kWrongUsage);
      if (node->port.empty())
        return fail("split: the switch itself is on no side; name hosts, clients, the gateway", kWrongUsage);
      if (!seen.insert(node->port).second)
        return fail(fmt::format("split: {} is named twice", node->name), kWrongUsage);
      group.push_back(std::move(*node));
    }
  }
  if (groups.size() < 2)
    return fail("split: say two groups or more, as in `split host1,client1 host2,host3`", kWrongUsage);
  return groups;
}

Result<void> split_switch(const Groups& groups) {
  if (auto removed = unsplit_switch(); !removed) return removed;
  std::string rules = fmt::format(
      "table bridge {} {{\n  chain between {{ type filter hook forward priority 0;\n", kSplitTable);
  for (const auto& from : groups)
    for (const auto& to : groups)
      if (&from != &to)
        rules += fmt::format("    iifname {} oifname {} drop;\n", ports_of(from), ports_of(to));
  return must_run({"nft", "-f", "-"}, rules + "  }\n}\n", kSwitch);
}

Result<void> unsplit_switch() {
  return remove_table("bridge", kSplitTable);
}

}  // namespace nlb::lab
