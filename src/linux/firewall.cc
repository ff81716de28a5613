// SPDX-License-Identifier: Apache-2.0
#include "linux/firewall.hh"

#include <nftables/libnftables.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include "linux/conntrack.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;

struct EtherType {
  const char* what;
  std::vector<Json> names;  // as nft may print it
};
const std::array kNeeded = {EtherType{"heartbeats (EtherType 0x88b5)", {Json("0x88b5"), Json(0x88b5)}},
                            EtherType{"ARP", {Json("arp"), Json("0x806"), Json("0x0806"), Json(0x0806)}}};

std::string text(const Json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool names(const Json& value, const EtherType& type) {
  if (value.is_object() && value.contains("set")) return names(value["set"], type);
  if (value.is_array())
    return std::any_of(value.begin(), value.end(), [&](const Json& one) { return names(one, type); });
  return std::find(type.names.begin(), type.names.end(), value) != type.names.end();
}

bool is_about_ether_type(const Json& left) {
  if (left.contains("meta")) return text(left["meta"], "key") == "protocol";
  return left.contains("payload") && text(left["payload"], "protocol") == "ether" &&
         text(left["payload"], "field") == "type";
}

// Does a rule meet frames of the type? Only what is said of the type itself is looked at; a rule with other
// conditions as well meets some of them.
struct Meets {
  bool some = true, all = true;
};
Meets meets(const Json& expressions, const EtherType& type) {
  Meets result;
  for (const Json& expression : expressions) {
    if (!expression.contains("match")) continue;
    const Json& match = expression["match"];
    if (!is_about_ether_type(match.value("left", Json::object()))) {
      result.all = false;
      // Fields of IP are in no frame of these types.
      const Json left = match.value("left", Json::object());
      const std::string protocol = left.contains("payload") ? text(left["payload"], "protocol") : "";
      if (!protocol.empty() && protocol != "ether" && !(protocol == "arp" && type.what == std::string("ARP")))
        result.some = false;
      continue;
    }
    if ((text(match, "op") != "!=") != names(match.value("right", Json()), type)) return {false, false};
  }
  result.all = result.all && result.some;
  return result;
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

void judge_chain(const Json& chain, const std::vector<Json>& rules, FirewallFacts& facts) {
  for (const EtherType& type : kNeeded) {
    if (text(chain, "family") == "arp" && type.what != std::string("ARP")) continue;
    bool settled = false;
    for (const Json& rule : rules) {
      const Meets met = meets(rule, type);
      if (settled || !met.some) continue;
      if (has(rule, "drop") || has(rule, "reject")) {
        facts.dropped.push_back(place_of(chain, "name") + " drops " + (met.all ? "" : "some ") + type.what);
        settled = true;
      }
      settled = settled || (met.all && has(rule, "accept"));
    }
    if (!settled && text(chain, "policy") == "drop")
      facts.dropped.push_back(place_of(chain, "name") + " drops " + type.what + " by its policy");
  }
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

Result<FirewallFacts> judge_ruleset(const std::string& json, const std::string& interface) {
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
  for (const auto& [place, chain] : chains) judge_chain(chain, rules[place], facts);
  return facts;
}

Result<FirewallFacts> read_firewall(const std::string& interface) {
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
  auto facts = judge_ruleset(printed ? printed : "", interface);
  if (!facts || facts->translations.empty()) return facts;
  if (auto read = each_translated([](const TranslatedConnection&) { return false; }); !read)
    facts->tracking_trouble = read.error().message;
  return facts;
}

}  // namespace nlb
