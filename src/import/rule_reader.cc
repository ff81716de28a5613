// SPDX-License-Identifier: Apache-2.0
// One exported port rule. PowerShell and WMI count the timeout of extended affinity in minutes, the
// documentation of unattend files in seconds.
#include "base/limits.hh"
#include "import/property_value.hh"
#include "import/windows_cluster.hh"

namespace nlb::import {
namespace {

constexpr uint32_t kMaxTimeoutMinutes = 240, kMaxWindowsPriority = 32;
enum class PortState { not_found, enabled, disabled, draining };

void read_scope(ObjectReader& reader, PortRule& rule) {
  const auto vip = reader.text({"VirtualIPAddress"});
  if (!vip.empty() && !same_word(vip, "All") && vip != "255.255.255.255")
    rule.vip = reader.address({"VirtualIPAddress"});
}

void read_ports(ObjectReader& reader, const SourceObject& object, PortRule& rule) {
  const auto first = reader.number({"StartPort"}, 0, 65535), last = reader.number({"EndPort"}, 0, 65535);
  for (const char* name : {"StartPort", "EndPort"})
    if (object.find({name}) == nullptr)
      reader.complain(object.line, std::string("port rule without ") + name);
  if (!first || !last) return;
  if (*first > *last)
    reader.complain(object.find({"StartPort"})->line,
                    "StartPort " + std::to_string(*first) + " is behind EndPort " + std::to_string(*last));
  rule.first_port = static_cast<uint16_t>(*first);
  rule.last_port = static_cast<uint16_t>(*last);
}

// The default of a value that is not there is NLB's own, and is told.
template <typename Value>
Value told_default(std::optional<Value> value, Value otherwise, const SourceObject& object,
                   std::initializer_list<std::string_view> names, const std::string& remark,
                   std::vector<std::string>& remarks) {
  if (!value && object.find(names) == nullptr) remarks.push_back(remark);
  return value.value_or(otherwise);
}

void read_timeout(ObjectReader& reader, const SourceObject& object, WindowsRule& result) {
  const auto* property = reader.find({"Timeout", "ClientStickinessTimeout"});
  if (property == nullptr || property->value == "0") return;
  if (result.rule.affinity == Affinity::none)
    return result.remarks.push_back("Timeout " + property->value +
                                    " was left out: without affinity it has no meaning");
  if (object.unattend) {
    result.rule.timeout_s =
        reader.number({"Timeout", "ClientStickinessTimeout"}, 0, kMaxAffinityTimeoutS).value_or(0);
    result.remarks.push_back(
        "Timeout " + property->value +
        " was read as seconds, as unattend files document it; PowerShell counts minutes");
  } else {
    result.rule.timeout_s =
        60 * reader.number({"Timeout", "ClientStickinessTimeout"}, 0, kMaxTimeoutMinutes).value_or(0);
  }
}

void read_multiple(ObjectReader& reader, const SourceObject& object, WindowsRule& result) {
  auto& rule = result.rule;
  rule.affinity =
      told_default(reader.word<Affinity>({"Affinity", "ClientAffinity"}, {{"None", 0, Affinity::none},
                                                                          {"Single", 1, Affinity::single},
                                                                          {"Network", 2, Affinity::network},
                                                                          {"ClassC", -1, Affinity::network}}),
                   Affinity::single, object, {"Affinity", "ClientAffinity"},
                   "no affinity was exported: single, NLB's default", result.remarks);
  const auto weight = reader.number({"LoadWeight"}, 0, kMaxWeight);
  const auto equal = reader.flag({"EqualLoad"});
  if (equal ? !*equal : weight.has_value()) {
    if (weight)
      rule.weight = static_cast<uint8_t>(*weight);
    else if (object.find({"LoadWeight"}) == nullptr)
      reader.complain(object.line, "port rule with EqualLoad False and without LoadWeight");
  } else if (!equal && object.find({"EqualLoad"}) == nullptr) {
    result.remarks.push_back("no load weight was exported: equal, NLB's default");
  }
  read_timeout(reader, object, result);
}

void read_single(ObjectReader& reader, const SourceObject& object, WindowsRule& result) {
  const auto priority = reader.number({"Priority", "HandlingPriority"}, 1, kMaxWindowsPriority);
  if (priority) result.rule.handling_priority = static_cast<uint8_t>(*priority);
  result.without_priority = object.find({"Priority", "HandlingPriority"}) == nullptr;
}

void remark_on_state(ObjectReader& reader, WindowsRule& result) {
  const auto state = reader.word<PortState>({"PortState"}, {{"NotFound", 0, PortState::not_found},
                                                            {"Enabled", 1, PortState::enabled},
                                                            {"Disabled", 2, PortState::disabled},
                                                            {"Draining", 3, PortState::draining}});
  if (state != PortState::disabled && state != PortState::draining) return;
  const std::string now = state == PortState::disabled ? "disabled" : "draining";
  const std::string command = state == PortState::disabled ? "nlb disable " : "nlb drain ";
  result.remarks.push_back("the rule was " + now + " when it was exported, which no file keeps; `" + command +
                           std::to_string(result.rule.first_port) + "` does it");
}

}  // namespace

std::optional<WindowsRule> read_rule(const SourceObject& object, std::vector<Note>& notes,
                                     std::vector<ConfigProblem>& problems) {
  ObjectReader reader(object, notes, problems);
  const auto before = problems.size();
  WindowsRule result;
  result.place = object.place(object.line);
  read_scope(reader, result.rule);
  read_ports(reader, object, result.rule);
  result.rule.protocol = told_default(
      reader.word<RuleProtocol>(
          {"Protocol"},
          {{"TCP", 1, RuleProtocol::tcp}, {"UDP", 2, RuleProtocol::udp}, {"Both", 3, RuleProtocol::both}}),
      RuleProtocol::both, object, {"Protocol"}, "no protocol was exported: both, NLB's default",
      result.remarks);
  result.rule.mode = told_default(
      reader.word<FilteringMode>({"FilteringMode", "Mode"}, {{"Single", 1, FilteringMode::single},
                                                             {"Multiple", 2, FilteringMode::multiple},
                                                             {"Disabled", 3, FilteringMode::disabled},
                                                             {"SingleHost", -1, FilteringMode::single},
                                                             {"MultipleHost", -1, FilteringMode::multiple}}),
      FilteringMode::multiple, object, {"FilteringMode", "Mode"},
      "no filtering mode was exported: multiple, NLB's default", result.remarks);
  if (result.rule.mode == FilteringMode::multiple) read_multiple(reader, object, result);
  if (result.rule.mode == FilteringMode::single) read_single(reader, object, result);
  remark_on_state(reader, result);
  reader.note_what_is_left_out();
  if (problems.size() != before) return std::nullopt;
  return result;
}

}  // namespace nlb::import
