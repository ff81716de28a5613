// SPDX-License-Identifier: Apache-2.0
#include "linux/firewall.hh"

#include <nftables/libnftables.h>

#include <algorithm>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "linux/conntrack.hh"
#include "wire/carrier.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

// Frames that must pass, as nft may print what they are.
struct Wanted {
  std::string what;
  std::vector<Json> types;  // EtherType
  std::string network;      // nft's name of the header behind it; "" = none that nft knows
  Json protocol;            // of IP; null = not IP
};
std::vector<Wanted> wanted_frames(const std::optional<IpAddress>& carried_for) {
  std::vector<Wanted> wanted = {{"heartbeats (EtherType 0x88b5)", {"0x88b5", 0x88b5}, "", {}},
                                {"ARP", {"arp", "0x806", "0x0806", 0x0806}, "arp", {}}};
  if (!carried_for) return wanted;
  const Json protocol = wire::kCarrierProtocol;
  wanted.push_back(carried_for->is_v4()
                       ? Wanted{"heartbeats in IP (protocol 253)", {"ip", 0x0800}, "ip", protocol}
                       : Wanted{"heartbeats in IPv6 (protocol 253)", {"ip6", 0x86dd}, "ip6", protocol});
  return wanted;
}

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool names(const Json& value, const Json& one) {
  if (value.is_object() && value.contains("set")) return names(value["set"], one);
  if (value.is_object() && value.contains("range"))
    return one.is_number() && value["range"][0] <= one && one <= value["range"][1];
  if (value.is_array())
    return std::any_of(value.begin(), value.end(), [&](const Json& each) { return names(each, one); });
  return value == one;
}

bool names(const Json& value, const std::vector<Json>& spellings) {
  return std::any_of(spellings.begin(), spellings.end(), [&](const Json& one) { return names(value, one); });
}

bool is_about_ether_type(const Json& left) {
  if (left.contains("meta")) return text(left["meta"], "key") == "protocol";
  return left.contains("payload") && text(left["payload"], "protocol") == "ether" &&
         text(left["payload"], "field") == "type";
}

bool is_about_protocol(const Json& left) {
  if (left.contains("meta")) return text(left["meta"], "key") == "l4proto";
  if (!left.contains("payload")) return false;
  const std::string field = text(left["payload"], "field");
  return field == "protocol" || field == "nexthdr";
}

bool is_of_another_header(const Json& left, const Wanted& wanted) {
  const std::string header = left.contains("payload") ? text(left["payload"], "protocol") : "";
  if (header.empty() || header == "ether" || header == wanted.network) return false;
  return header != "th" || wanted.protocol.is_null();
}

// Which of the wanted frames a rule meets. Only what is said of their type and protocol is looked at; a rule
// with other conditions as well meets some of them.
enum class Share { none, some, all };
Share met_by_match(const Json& match, const Wanted& wanted) {
  const Json left = match.value("left", Json::object()), right = match.value("right", Json());
  if (is_of_another_header(left, wanted)) return Share::none;
  const bool is = text(match, "op") != "!=";
  if (is_about_ether_type(left)) return names(right, wanted.types) == is ? Share::all : Share::none;
  if (!wanted.protocol.is_null() && is_about_protocol(left))
    return names(right, wanted.protocol) == is ? Share::all : Share::none;
  return Share::some;
}
Share met_by(const Json& expressions, const Wanted& wanted) {
  Share met = Share::all;
  for (const Json& expression : expressions)
    if (expression.contains("match")) met = std::min(met, met_by_match(expression["match"], wanted));
  return met;
}

bool has(const Json& expressions, const char* verdict) {
  return std::any_of(expressions.begin(), expressions.end(),
                     [&](const Json& expression) { return expression.contains(verdict); });
}

bool hooks_interface(const Json& chain, const std::string& interface) {
  const std::string family = text(chain, "family");
  if (!chain.contains("hook")) return false;
  if (family == "arp" || family == "bridge") return true;
  if (family != "netdev") return false;
  const Json device = chain.value("dev", Json());
  if (device.is_null()) return true;  // nft 1.0.6 does not tell it: rather one warning too many
  return device == Json(interface) ||
         (device.is_array() && std::find(device.begin(), device.end(), Json(interface)) != device.end());
}

std::string place_of(const Json& object, const char* chain_key) {
  return "table " + text(object, "family") + " " + text(object, "table") + ", chain " +
         text(object, chain_key);
}

void judge_chain(const Json& chain, const std::vector<Json>& rules, const Wanted& wanted,
                 std::vector<std::string>& dropped) {
  if (text(chain, "family") == "arp" && wanted.network != "arp") return;
  const std::string place = place_of(chain, "name");
  for (const Json& rule : rules) {
    const Share met = met_by(rule, wanted);
    if (met == Share::none) continue;
    if (has(rule, "drop") || has(rule, "reject")) {
      dropped.push_back(place + " drops " + (met == Share::all ? "" : "some ") + wanted.what);
      return;
    }
    if (met == Share::all && has(rule, "accept")) return;
  }
  if (text(chain, "policy") == "drop") dropped.push_back(place + " drops " + wanted.what + " by its policy");
}

bool translates(const Json& expressions) {
  for (const Json& expression : expressions) {
    if (expression.contains("dnat") || expression.contains("redirect")) return true;
    if (!expression.contains("xt")) continue;
    const std::string name = text(expression["xt"], "name");
    if (name == "DNAT" || name == "REDIRECT") return true;
  }
  return false;
}

std::set<uint16_t> ports_of(const Json& expressions) {
  std::set<uint16_t> ports;
  for (const Json& expression : expressions) {
    if (!expression.contains("match")) continue;
    const Json left = expression["match"].value("left", Json::object());
    if (!left.contains("payload") || text(left["payload"], "field") != "dport") continue;
    const Json right = expression["match"].value("right", Json());
    const auto add = [&](const Json& value) {
      if (value.is_number_unsigned()) ports.insert(value.get<uint16_t>());
    };
    add(right);
    if (right.is_object() && right.contains("set") && right["set"].is_array())
      for (const Json& one : right["set"]) add(one);
  }
  return ports;
}

struct NftFree {
  void operator()(nft_ctx* context) const { nft_ctx_free(context); }
};

}  // namespace

Result<FirewallFacts> judge_ruleset(const std::string& json, const std::string& interface,
                                    const std::optional<IpAddress>& carried_for) {
  const Json document = Json::parse(json, nullptr, false);
  if (!document.is_object() || !document.contains("nftables"))
    return fail("nftables: the listing of the rules cannot be read");
  FirewallFacts facts;
  const std::string own_table = "nlb_" + interface;
  std::map<std::string, Json> chains;
  std::map<std::string, std::vector<Json>> rules;
  for (const Json& element : document["nftables"]) {
    if (element.contains("table") && text(element["table"], "name") == own_table)
      facts.guard_families.push_back(text(element["table"], "family"));
    if (element.contains("chain") && text(element["chain"], "table") != own_table &&
        hooks_interface(element["chain"], interface))
      chains[place_of(element["chain"], "name")] = element["chain"];
    if (!element.contains("rule")) continue;
    const Json& rule = element["rule"];
    const Json expressions = rule.value("expr", Json::array());
    rules[place_of(rule, "chain")].push_back(expressions);
    if (translates(expressions))
      facts.translations.push_back({place_of(rule, "chain"), ports_of(expressions)});
  }
  const std::vector<Wanted> wanted = wanted_frames(carried_for);
  for (const auto& [place, chain] : chains)
    for (const Wanted& frames : wanted) judge_chain(chain, rules[place], frames, facts.dropped);
  return facts;
}

Result<FirewallFacts> read_firewall(const std::string& interface,
                                    const std::optional<IpAddress>& carried_for) {
  const std::unique_ptr<nft_ctx, NftFree> nft(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!nft) return fail("nftables: out of memory");
  nft_ctx_buffer_output(nft.get());
  nft_ctx_buffer_error(nft.get());
  nft_ctx_output_set_flags(nft.get(), NFT_CTX_OUTPUT_JSON | NFT_CTX_OUTPUT_STATELESS);
  if (nft_run_cmd_from_buffer(nft.get(), "list ruleset") != 0) {
    std::string words = nft_ctx_get_error_buffer(nft.get());
    return fail("nftables: " + words.substr(0, words.find('\n')));
  }
  const char* printed = nft_ctx_get_output_buffer(nft.get());
  auto facts = judge_ruleset(printed ? printed : "", interface, carried_for);
  if (!facts || facts->translations.empty()) return facts;
  if (auto read = each_translated([](const TranslatedConnection&) { return false; }); !read)
    facts->tracking_trouble = read.error().message;
  return facts;
}

}  // namespace nlb
