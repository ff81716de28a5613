// SPDX-License-Identifier: Apache-2.0
// Writes the guard's rules by libnftables, in one transaction (there is no instant without a guard while it
// is replaced), and reads them back. Every rule carries a tag made of its text: a rule that was taken away,
// or replaced by another, is missed.
#include "linux/guard.hh"

#include <fmt/format.h>
#include <net/if.h>
#include <nftables/libnftables.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <sstream>

#include "linux/guard_rules.hh"

namespace nlb {
namespace {

using Nft = std::unique_ptr<nft_ctx, decltype(&nft_ctx_free)>;

// One command buffer = one transaction. Returns what nft printed.
Result<std::string> run(const std::string& commands) {
  Nft nft(nft_ctx_new(NFT_CTX_DEFAULT), nft_ctx_free);
  if (!nft) return fail("nftables: out of memory", ENOMEM);
  nft_ctx_buffer_output(nft.get());
  nft_ctx_buffer_error(nft.get());
  nft_ctx_output_set_flags(nft.get(), NFT_CTX_OUTPUT_STATELESS | NFT_CTX_OUTPUT_NUMERIC_PRIO);
  if (nft_run_cmd_from_buffer(nft.get(), commands.c_str()) == 0) {
    const char* printed = nft_ctx_get_output_buffer(nft.get());
    return std::string(printed ? printed : "");
  }
  const int error = errno;
  // The first line says what; those that follow point at the place in the command.
  std::string words = nft_ctx_get_error_buffer(nft.get());
  words = words.substr(0, words.find('\n'));
  return fail("nftables: " + words, error);
}

// libnftables prints the errno's text and keeps the number to itself.
bool says(const Error& error, const char* words) {
  return error.message.find(words) != std::string::npos;
}

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

std::string add_commands(const guard::Chain& chain, const std::string& table,
                         const std::vector<std::string>& vips) {
  const std::string at = chain.family + " " + table;
  std::string commands = fmt::format("add table {}\n", at);
  if (chain.has_set)
    commands += "add set " + at + " vips { type ipv4_addr; elements = { " + listed(vips) + " }; }\n";
  commands += fmt::format("add chain {} {} {{ {} }}\n", at, chain.name, chain.hook);
  for (const auto& rule : chain.rules)
    commands += fmt::format("add rule {} {} {} comment \"{}\"\n", at, chain.name, rule, guard::tag(rule));
  return commands;
}

Result<void> check(const GuardPlan& plan) {
  if (plan.interface.empty() || plan.interface.find_first_of("\"\\*") != std::string::npos)
    return fail(
        "\"" + plan.interface + "\": nftables cannot name an interface with a quote, backslash or asterisk",
        EINVAL);
  if (guard::ipv4_texts(plan.vips).empty())
    return fail(plan.interface + ": the guard needs an IPv4 VIP", EINVAL);
  return {};
}

// Which of the hooks is wanting? The egress hook is the youngest (Linux 5.16).
bool has_egress_hook(const std::string& interface) {
  const std::string table = guard::table_name(interface) + "/probe";
  return run(fmt::format(
                 "add table netdev {0}\n"
                 "add chain netdev {0} egress {{ type filter hook egress device \"{1}\" priority 0; }}\n"
                 "delete table netdev {0}\n",
                 table, interface))
      .has_value();
}

std::string trimmed(const std::string& line) {
  const auto first = line.find_first_not_of(" \t");
  const auto last = line.find_last_not_of(" \t");
  return first == std::string::npos ? "" : line.substr(first, last - first + 1);
}

// What a table's listing says, as far as the guard is concerned.
struct Listing {
  bool dormant = false;
  std::vector<std::string> hooks, rule_tags, elements;
};

std::vector<std::string> split_elements(std::string text) {
  for (char& c : text)
    if (c == ',' || c == '{' || c == '}' || c == '=') c = ' ';
  std::istringstream words(text);
  std::vector<std::string> elements;
  for (std::string word; words >> word;)
    if (word != "elements") elements.push_back(word);
  return elements;
}

// The printed form: "type filter hook …" for a chain, "elements = { …" over one or more lines for the set,
// and one line for each rule, all of them with our comment or they are not ours.
Listing parse_listing(const std::string& text) {
  Listing listing;
  std::istringstream lines(text);
  bool in_elements = false, in_chain = false;
  for (std::string raw; std::getline(lines, raw);) {
    const std::string line = trimmed(raw);
    if (line.starts_with("elements =")) in_elements = true;
    if (in_elements) {
      for (auto& element : split_elements(line)) listing.elements.push_back(element);
      if (line.ends_with("}")) in_elements = false;
    } else if (line.starts_with("flags dormant")) {
      listing.dormant = true;
    } else if (line.starts_with("chain ")) {
      in_chain = true;
    } else if (line == "}") {
      in_chain = false;
    } else if (in_chain && line.starts_with("type ")) {
      listing.hooks.push_back(line);
    } else if (in_chain && !line.empty()) {
      const auto at = line.find(" comment \"");
      listing.rule_tags.push_back(at == std::string::npos ? line
                                                          : line.substr(at + 10, line.size() - at - 11));
    }
  }
  return listing;
}

// Rules count in their order: an `accept` moved to the front would undo the rest.
bool matches(const Listing& listing, const guard::Chain& chain, std::vector<std::string> vips) {
  std::vector<std::string> tags, elements = listing.elements;
  for (const auto& rule : chain.rules) tags.push_back(guard::tag(rule));
  std::sort(vips.begin(), vips.end());
  std::sort(elements.begin(), elements.end());
  return !listing.dormant && listing.hooks == std::vector{chain.hook} && listing.rule_tags == tags &&
         elements == vips;
}

}  // namespace

Result<bool> guard_in_force(const GuardPlan& plan) {
  if (auto good = check(plan); !good) return tl::unexpected(good.error());
  // Newer kernels keep the chain of a vanished adapter, for one that comes by the same name.
  if (if_nametoindex(plan.interface.c_str()) == 0) return false;
  const std::string table = guard::table_name(plan.interface);
  const auto vips = guard::ipv4_texts(plan.vips);
  for (const auto& chain : guard::chains(plan)) {
    auto listed = run(fmt::format("list table {} {}\n", chain.family, table));
    if (!listed && says(listed.error(), "No such file or directory")) return false;
    if (!listed) return tl::unexpected(listed.error().within(plan.interface));
    if (!matches(parse_listing(*listed), chain, vips)) return false;
  }
  return true;
}

Result<void> install_guard(const GuardPlan& plan) {
  if (auto good = check(plan); !good) return good;
  if (if_nametoindex(plan.interface.c_str()) == 0)
    return fail(plan.interface + ": there is no such network interface to guard", ENODEV);
  const std::string table = guard::table_name(plan.interface);
  std::string commands = remove_commands(table);
  for (const auto& chain : guard::chains(plan))
    commands += add_commands(chain, table, guard::ipv4_texts(plan.vips));
  if (auto done = run(commands); !done) {
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
  auto done = run(remove_commands(guard::table_name(interface)));
  if (!done) return tl::unexpected(done.error().within(interface + ": cannot remove the guard"));
  return {};
}

}  // namespace nlb
