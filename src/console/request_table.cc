// SPDX-License-Identifier: Apache-2.0
#include "console/request_table.hh"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "control/config_values.hh"

namespace nlb::console {
namespace {

using Json = nlohmann::json;
using enum ArgumentKind;

const std::vector<Offered>& table() {
  const std::vector<Argument> member = {{"host", number}};
  const std::vector<Argument> rule = {{"host", number}, {"port", port}, {"vip", text}};
  const auto asks = [&](const char* name) { return Offered{name, Kind::cluster, false, member}; };
  const auto commands = [&](const char* name) { return Offered{name, Kind::cluster, true, member}; };
  static const std::vector<Offered> all = {
      asks("query"),
      asks("display"),
      asks("params"),
      asks("connections"),
      asks("counters"),
      asks("history"),
      asks("doctor"),
      {"queryport", Kind::cluster, false, rule},
      {"buckets", Kind::cluster, false, {{"host", number}, {"slot", number}}},
      {"filter",
       Kind::cluster,
       false,
       {{"host", number},
        {"client", text},
        {"client_port", number},
        {"vip", text},
        {"port", number},
        {"protocol", text},
        {"flags", text}}},
      commands("start"),
      commands("stop"),
      commands("suspend"),
      commands("resume"),
      {"drainstop", Kind::cluster, true, {{"host", number}, {"timeout_s", number}}},
      {"enable", Kind::cluster, true, rule},
      {"disable", Kind::cluster, true, rule},
      {"drain", Kind::cluster, true, rule},
      {"change",
       Kind::cluster,
       true,
       {{"host", number}, {"change", object}, {"local", flag}, {"check", flag}}},
      {"show", Kind::hypervisor, false, {}},
      {"clusters", Kind::hypervisor, false, {}},
      {"violations", Kind::hypervisor, false, {}},
      {"set",
       Kind::hypervisor,
       true,
       {{"vm", text},
        {"adapter", text},
        {"mac_spoofing", text},
        {"cluster", text},
        {"host_id", number},
        {"live", flag}}},
  };
  return all;
}

// JSON carries nothing else: such a text could not be passed on.
bool is_utf8(const Json& text) {
  try {
    return !text.dump().empty();
  } catch (const Json::exception&) {
    return false;
  }
}

bool fits(ArgumentKind kind, const Json& value) {
  switch (kind) {
    case number:
      return value.is_number_unsigned() && value <= 1000000;
    case text:
      return value.is_string() && value.get_ref<const std::string&>().size() <= 255 && is_utf8(value);
    case port:
      return value == "all" || (value.is_number_unsigned() && value <= 65535);
    case flag:
      return value.is_boolean();
    case object:
      return value.is_object();
  }
  return false;
}

}  // namespace

const Offered* offered(Kind target, const std::string& command, bool changes) {
  const auto& all = table();
  const auto found = std::find_if(all.begin(), all.end(), [&](const Offered& one) {
    return one.target == target && one.command == command && one.changes == changes;
  });
  return found == all.end() ? nullptr : &*found;
}

Result<Json> request_from(const Offered& offered, const std::map<std::string, std::string>& query) {
  Json body = Json::object();
  for (const auto& [name, value] : query) {
    const auto number_of = parse_number(value, 1000000);
    const auto known = std::find_if(offered.arguments.begin(), offered.arguments.end(),
                                    [&](const Argument& one) { return name == one.name; });
    const bool as_text = known == offered.arguments.end() || known->kind == text || !number_of;
    body[name] = as_text ? Json(value) : Json(static_cast<uint64_t>(*number_of));
  }
  return request_from(offered, body);
}

Result<Json> request_from(const Offered& offered, const Json& body) {
  Json request = {{"command", offered.command}};
  for (const auto& [name, value] : body.items()) {
    const auto known = std::find_if(offered.arguments.begin(), offered.arguments.end(),
                                    [&](const Argument& one) { return name == one.name; });
    if (known == offered.arguments.end())
      return fail("\"" + name + "\" is no argument of " + offered.command, 2);
    if (!fits(known->kind, value)) return fail("\"" + name + "\" is not of the right kind, or too large", 2);
    if (name == "host")
      request["hosts"] = value == 0 ? Json("all") : Json::array({value});
    else
      request[name] = value;
  }
  return request;
}

}  // namespace nlb::console
