// SPDX-License-Identifier: Apache-2.0
// What the daemon answers about port rules: connections, queryport, filter, and enable/disable/drain.
#include <nlb/abi/portless.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "core/slots.hh"
#include "datapath/client_bucket.hh"
#include "nlbd/answer.hh"
#include "nlbd/daemon.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;
constexpr uint8_t kIcmp = 1, kTcp = 6, kUdp = 17;

struct ProtocolName {
  const char* name;
  uint8_t number;
  bool has_ports;
};
constexpr std::array kProtocolName = {ProtocolName{"tcp", kTcp, true},
                                      ProtocolName{"udp", kUdp, true},
                                      ProtocolName{"icmp", kIcmp, false},
                                      ProtocolName{"gre", NLB_PROTOCOL_GRE, false},
                                      ProtocolName{"esp", NLB_PROTOCOL_ESP, false},
                                      ProtocolName{"ah", NLB_PROTOCOL_AH, false},
                                      ProtocolName{"sctp", NLB_PROTOCOL_SCTP, true}};

const char* name_of_switch(uint8_t offer) {
  if (wire::is_unhealthy_offer(offer)) return "unhealthy";
  return offer == wire::kOfferDrained ? "draining" : offer == wire::kOfferDisabled ? "disabled" : "enabled";
}

constexpr const char* kPortRange = "a port is a number from 0 to 65535";

}  // namespace

const char* Daemon::switch_name(std::size_t slot) const {
  return kRuleStateNames[static_cast<std::size_t>(switches_[slot])];
}

Json Daemon::connections() {
  Json answer = common();
  auto live = datapath_->live_connections();
  if (!live) return failure(live.error().message, 1);
  live->add(protocol_->translated_connections());
  answer["rules"] = Json::array();
  uint64_t total = 0;
  protocol_->inspect([&](const core::Host& host, Nanos) {
    for (std::size_t slot : host.ownership().slots()) {
      total += live->connections[slot];
      answer["rules"].push_back({{"slot", slot},
                                 {"rule", rule_text(config_, slot)},
                                 {"connections", live->connections[slot]},
                                 {"held_buckets", host.ownership().held()[slot].count()},
                                 {"owned_buckets", host.ownership().owned()[slot].count()}});
    }
  });
  answer["total"] = total;
  return answer;
}

Result<std::vector<std::size_t>> Daemon::selected_slots(const Json& request) const {
  const bool all_ports = request.value("port", Json()) == "all";
  const auto port = all_ports ? 0 : number_in(request, "port", UINT16_MAX);
  if (!port) return fail(std::string(kPortRange) + ", or \"all\"", 2);
  const std::string vip = request.value("vip", "");
  std::vector<std::size_t> slots;
  const auto is_named = [&](const Vip& one) { return one.address.text() == vip; };
  if (!vip.empty() && vip != "all" && std::none_of(config_.vips.begin(), config_.vips.end(), is_named))
    return fail(vip + " is no VIP of this cluster", 1);
  for (std::size_t slot = 0; slot < config_.rules.size(); ++slot) {
    const PortRule& rule = config_.rules[slot];
    const bool port_fits = all_ports || (*port >= rule.first_port && *port <= rule.last_port);
    const bool vip_fits = vip.empty() || (vip == "all" ? !rule.vip : !rule.vip || rule.vip->text() == vip);
    if (port_fits && vip_fits) slots.push_back(slot);
  }
  if (slots.empty())
    return fail("no port rule holds port " + (all_ports ? "all" : std::to_string(*port)) +
                    (vip.empty() ? "" : " of VIP " + vip),
                1);
  return slots;
}

Json Daemon::rule_command(const std::string& command, const Json& request) {
  const auto slots = selected_slots(request);
  if (!slots) return failure(slots.error().message, slots.error().code);
  const RuleSwitch wanted = command == "enable"    ? RuleSwitch::enabled
                            : command == "disable" ? RuleSwitch::disabled
                                                   : RuleSwitch::draining;
  const EventId event = command == "enable"    ? EventId::rule_enabled
                        : command == "disable" ? EventId::rule_disabled
                                               : EventId::rule_drained;
  Json answer = common();
  bool changed = false;
  answer["rules"] = Json::array();
  for (std::size_t slot : *slots) {
    changed = changed || switches_[slot] != wanted;
    switches_[slot] = wanted;
    answer["rules"].push_back(
        {{"slot", slot}, {"rule", rule_text(config_, slot)}, {"state", switch_name(slot)}});
    events_.add(event, rule_text(config_, slot));
  }
  if (changed) apply_rule_switches();
  if (changed) save_switches();
  answer["changed"] = changed;
  answer["message"] = std::to_string(slots->size()) + " port rule(s): " + command + ".";
  return answer;
}

Json Daemon::queryport(const Json& request) {
  const auto slots = selected_slots(request);
  if (!slots) return failure(slots.error().message, slots.error().code);
  Json answer = common();
  answer["rules"] = Json::array();
  const auto scan = protocol_->last_scan();
  protocol_->inspect([&](const core::Host& host, Nanos) {
    const auto members = host.members_offers(host.phase() == core::Phase::none ? 0 : host.view().members);
    for (std::size_t slot : *slots) {
      Json rule = to_json(config_.rules[slot], slot);
      rule["rule"] = rule_text(config_, slot);
      rule["state"] = state_of_rule(slot);
      rule["share"] =
          static_cast<double>(host.ownership().owned()[slot].count()) / static_cast<double>(kBucketCount);
      rule["connections"] = scan.connections[slot];
      rule["members"] = Json::array();
      for (const auto& member : members) {
        const auto& table = host.tables()[slot];
        const auto owned = std::count(table.begin(), table.end(), member.id);
        const uint8_t offered = member.offers[slot];
        const uint8_t offer =
            wire::is_offer_as_last(offered) ? static_cast<uint8_t>(offered - wire::kOfferAsLast) : offered;
        Json entry = {{"id", member.id},
                      {"share", static_cast<double>(owned) / static_cast<double>(kBucketCount)},
                      {"state", name_of_switch(offered)}};
        const bool single = config_.rules[slot].mode == FilteringMode::single;
        if (single && offer <= kMaxHosts)
          entry["priority"] = offer;
        else if (single)
          entry["priority"] = nullptr;  // drained, disabled or unhealthy: none is offered
        else if (offer == wire::kOfferEqual)
          entry["weight"] = "equal";
        else
          entry["weight"] = core::weight_of_offer(offer);
        rule["members"].push_back(entry);
      }
      answer["rules"].push_back(rule);
    }
  });
  return answer;
}

// Foretells what the kernel filters of all members do with a packet.
Json Daemon::filter(const Json& request) {
  const auto client = IpAddress::parse(request.value("client", ""));
  const auto vip = IpAddress::parse(request.value("vip", ""));
  const std::string protocol_name = request.value("protocol", "tcp");
  const auto named = std::find_if(kProtocolName.begin(), kProtocolName.end(),
                                  [&](const ProtocolName& one) { return protocol_name == one.name; });
  if (!client || !vip) return failure("client and vip are IP addresses", 2);
  if (named == kProtocolName.end()) return failure("protocol is tcp, udp, icmp, gre, esp, ah or sctp", 2);
  const uint8_t protocol = named->number;
  const bool is_vip =
      std::any_of(config_.vips.begin(), config_.vips.end(), [&](const Vip& v) { return v.address == *vip; });
  if (!is_vip) return failure(vip->text() + " is no VIP of this cluster", 1);
  if (client->is_v4() != vip->is_v4())
    return failure(client->text() + " and " + vip->text() + " are of different address families", 2);
  const bool group = client->is_v4() ? client->v4_host_order() >> 28 == 14 : client->octets[0] == 0xff;
  if (group || client->is_unspecified()) return failure(client->text() + " is the address of no client", 2);
  if (named->has_ports && !request.contains("port")) return failure("a port is needed: --to VIP:PORT", 2);
  const auto port = number_in(request, "port", UINT16_MAX);
  const auto client_port = number_in(request, "client_port", UINT16_MAX);
  if (!port || !client_port) return failure(kPortRange, 2);
  const std::string flags = request.value("flags", "syn");
  const std::size_t slot =
      protocol == kIcmp ? kEchoSlot
                        : core::slot_of_packet(config_.rules, *vip, protocol, static_cast<uint16_t>(*port));
  const bool configured = slot < config_.rules.size();
  Json answer = common();
  answer["rule"] = rule_text(config_, slot);
  answer["slot"] = slot;
  if (configured && config_.rules[slot].mode == FilteringMode::disabled) {
    answer.update({{"bucket", -1}, {"host", 0}, {"verdict", "drop"}, {"reason", "the rule is disabled"}});
    return answer;
  }
  const Affinity affinity = configured && config_.rules[slot].mode == FilteringMode::multiple
                                ? config_.rules[slot].affinity
                                : Affinity::single;
  const bool by_port = protocol == kTcp || protocol == kUdp;  // of the others, no port of the client counts
  if (affinity == Affinity::none && by_port && !request.contains("client_port"))
    return failure("affinity none spreads by client port: name one, --client IP:PORT", 2);
  const uint32_t bucket =
      client_bucket(config_.keys.seed, affinity, *client, static_cast<uint16_t>(by_port ? *client_port : 0));
  answer["bucket"] = bucket;
  protocol_->inspect([&](const core::Host& host, Nanos now) {
    const HostId owner = host.phase() == core::Phase::acquired ? host.tables()[slot][bucket] : HostId{0};
    const bool begins = protocol != kTcp || flags == "syn";
    const bool owned = host.ownership().owned()[slot][bucket];
    const bool held = host.ownership().held()[slot][bucket];
    const bool kept = owner != 0 && host.kept_by(owner)[slot][bucket];
    const bool accepted = owned && (!begins || now < host.lease());
    answer["host"] = owner;
    answer["verdict"] = accepted || (held && !begins) ? "accept" : "drop";
    answer["reason"] =
        owned && !accepted ? "this host owns the bucket, but its lease is over"
        : owned ? kept ? "this host keeps the bucket for returning clients" : "this host owns the bucket"
        : held && !begins ? "held here: accepted if a local socket matches"
        : owner == 0      ? "nobody owns the bucket at the moment"
        : kept            ? "host " + std::to_string(owner) + " keeps the bucket for returning clients"
                          : "host " + std::to_string(owner) + " owns the bucket";
  });
  return answer;
}

}  // namespace nlb
