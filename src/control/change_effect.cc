// SPDX-License-Identifier: Apache-2.0
#include "control/change_effect.hh"

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>

#include "control/config_json.hh"
#include "wire/codec.hh"

namespace nlb {
namespace {

using Json = nlohmann::json;
using Alter = std::function<void(PortRule&)>;

struct Words {
  const char *name, *label, *text;
};

Words words_of(ChangeEffect effect) {
  switch (effect) {
    case ChangeEffect::live:
      return {"live", "takes effect live",
              "Buckets move from host to host while every host goes on serving; open connections stay where "
              "they are."};
    case ChangeEffect::convergence:
      return {"convergence", "causes convergence",
              "The hosts give up their buckets and converge with the new rules: a connection that begins in "
              "that moment is tried again by its client; open connections stay where they are."};
    case ChangeEffect::rebind:
      break;
  }
  return {"rebind", "causes convergence and a new bind",
          "The hosts give up their buckets, prove the path and look for an address conflict, and converge: "
          "until then no new connection is accepted; open connections to addresses that stay go on."};
}

Config example() {
  Config config;
  config.vips = {{*IpAddress::parse("192.0.2.1"), std::nullopt}};
  config.rules = {{}};
  return config;
}

ChangeEffect effect_of(const std::function<void(Config&)>& alter) {
  Config changed = example();
  alter(changed);
  return change_effect(example(), changed);
}

Json labelled(ChangeEffect effect) {
  return {{"effect", name_of(effect)}, {"label", label_of(effect)}, {"text", text_of(effect)}};
}

// One key of [[port_rule]]: its shape, and an example of another value in the mode where it means something.
Json field(const char* key, Json shape, FilteringMode mode, const Alter& alter) {
  Config before = example();
  before.rules.front().mode = mode;
  Config after = before;
  alter(after.rules.front());
  shape["key"] = key;
  shape.update(labelled(change_effect(before, after)));
  const Json shown = to_json(before.rules.front(), 0);
  if (shown.contains(key)) shape["default"] = shown[key];
  return shape;
}

template <typename Value>
Json choice(std::initializer_list<Value> values) {
  Json choices = Json::array();
  for (const Value value : values) choices.push_back(name_of(value));
  return {{"kind", "choice"}, {"choices", choices}};
}

Json number(uint32_t least, uint32_t most, const char* kind = "number") {
  return {{"kind", kind}, {"least", least}, {"most", most}};
}

Json in_mode(Json shape, FilteringMode mode) {
  shape["modes"] = {name_of(mode)};
  return shape;
}

Json rule_fields() {
  using enum FilteringMode;
  return {field("vip", {{"kind", "vip"}}, multiple,
                [](PortRule& rule) { rule.vip = example().vips.front().address; }),
          field("ports", {{"kind", "ports"}, {"most", UINT16_MAX}}, multiple,
                [](PortRule& rule) { rule.last_port = rule.first_port; }),
          field("protocol", choice({RuleProtocol::tcp, RuleProtocol::udp, RuleProtocol::both}), multiple,
                [](PortRule& rule) { rule.protocol = RuleProtocol::udp; }),
          field("mode", choice({multiple, single, disabled}), multiple,
                [](PortRule& rule) { rule.mode = disabled; }),
          field("affinity", in_mode(choice({Affinity::none, Affinity::single, Affinity::network}), multiple),
                multiple, [](PortRule& rule) { rule.affinity = Affinity::none; }),
          field("weight", in_mode(number(0, kMaxWeight, "weight"), multiple), multiple,
                [](PortRule& rule) { rule.weight = 1; }),
          field("priority", in_mode(number(1, kMaxHosts), single), single,
                [](PortRule& rule) { ++rule.handling_priority; }),
          field("timeout_s", in_mode(number(0, kMaxAffinityTimeoutS), multiple), multiple,
                [](PortRule& rule) { rule.timeout_s = 1; })};
}

}  // namespace

ChangeEffect change_effect(const Config& before, const Config& after) {
  auto former = wire::digests_of(before, 0), now = wire::digests_of(after, 0);
  const bool same_rules = former.rules == now.rules;
  former.rules = now.rules = 0;
  if (!(former == now) || before.mac_strategy != after.mac_strategy || before.vips != after.vips)
    return ChangeEffect::rebind;
  return same_rules ? ChangeEffect::live : ChangeEffect::convergence;
}

std::vector<IpAddress> vips_only_in(const Config& one, const Config& other) {
  std::vector<IpAddress> only;
  for (const Vip& vip : one.vips) {
    const auto same = [&](const Vip& its) { return its.address == vip.address; };
    if (std::none_of(other.vips.begin(), other.vips.end(), same)) only.push_back(vip.address);
  }
  return only;
}

const char* name_of(ChangeEffect effect) {
  return words_of(effect).name;
}

const char* label_of(ChangeEffect effect) {
  return words_of(effect).label;
}

const char* text_of(ChangeEffect effect) {
  return words_of(effect).text;
}

Json change_fields() {
  const auto another_rule = effect_of([](Config& config) { config.rules.emplace_back().last_port = 1; });
  const auto another_vip = effect_of([](Config& config) { config.vips.push_back(config.vips.front()); });
  return {{"rule", rule_fields()}, {"rules", labelled(another_rule)}, {"vips", labelled(another_vip)}};
}

}  // namespace nlb
