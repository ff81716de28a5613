// SPDX-License-Identifier: Apache-2.0
#include "control/health_section.hh"

#include <algorithm>
#include <cctype>

#include "control/config_values.hh"

namespace nlb {
namespace {

constexpr std::size_t kLongestHost = 255;
constexpr const char* kStatusAllowed = "\"N\" or \"N-M\" with 100..599";

void read_status(ConfigSection& section, HealthCheck& check) {
  const auto text = section.text("expect_status", kStatusAllowed);
  if (!text) return;
  const auto range = parse_ports(*text);  // the same form: "N" or "N-M"
  if (!range || range->first < 100 || range->second > 599 || range->first > range->second)
    return section.complain("expect_status",
                            "is \"" + *text + "\"; allowed: " + kStatusAllowed + ", the lower one first");
  check.first_status = range->first;
  check.last_status = range->second;
}

// 0.0.0.0 would be loopback to the kernel, and a group has no service.
bool is_of_no_host(const std::string& endpoint) {
  auto text = endpoint.substr(0, endpoint.rfind(':'));
  if (text.front() == '[') text = text.substr(1, text.size() - 2);
  const auto address = IpAddress::parse(text);
  const bool group =
      address && (address->is_v4() ? address->v4_host_order() >> 28 >= 14 : address->octets[0] == 0xff);
  return !address || address->is_unspecified() || group;
}

void read_target(ConfigSection& section, HealthCheck& check) {
  const bool program = check.type == HealthType::exec;
  const char* allowed =
      program
          ? "the absolute path of a program"
          : "\"ADDRESS:PORT\" or \"[IPV6]:PORT\", port 1..65535, the address one of this host: loopback, its "
            "own or a VIP";
  section.require("target", allowed);
  const auto text = section.text("target", allowed);
  if (!text) return;
  if (program ? !text->starts_with('/') : !is_endpoint(*text) || is_of_no_host(*text))
    return section.complain("target", "is \"" + *text + "\"; allowed: " + allowed);
  check.target = *text;
}

void read_http(ConfigSection& section, HealthCheck& check) {
  const auto path = section.text("path", "a path that begins with \"/\"");
  if (path && (!path->starts_with('/') || path->find(' ') != std::string::npos))
    section.complain("path", "is \"" + *path + "\"; allowed: a path that begins with \"/\", without blanks");
  else if (path)
    check.path = *path;
  read_status(section, check);
  check.expect_body = section.text("expect_body", "a text that must occur in the body").value_or("");
  constexpr const char* kHostAllowed = "a host name: letters, digits, \"-\", \".\" and \":\"";
  check.host = section.text("host", kHostAllowed).value_or("");
  const bool plain = std::all_of(check.host.begin(), check.host.end(), [](unsigned char octet) {
    return std::isalnum(octet) != 0 || octet == '-' || octet == '.' || octet == ':';
  });
  if (!plain || check.host.size() > kLongestHost || (section.has("host") && check.host.empty()))
    section.complain("host", "is \"" + check.host + "\"; allowed: " + kHostAllowed);
  if (check.type == HealthType::http || check.type == HealthType::https) return;
  for (const char* key : {"path", "expect_status", "expect_body", "host"})
    if (section.has(key)) section.complain(key, "goes only with type \"http\" or \"https\"");
}

}  // namespace

HealthCheck read_health_check(const TomlNode& table, std::size_t rule_index, ProblemList& problems) {
  ConfigSection section(table, "[[port_rule.health]]", problems);
  HealthCheck check;
  check.rule_index = rule_index;
  section.require("type", "\"tcp\", \"http\", \"https\" or \"exec\"");
  const auto type = section.choice<HealthType>("type", {{"tcp", HealthType::tcp},
                                                        {"http", HealthType::http},
                                                        {"https", HealthType::https},
                                                        {"exec", HealthType::exec}});
  check.type = type.value_or(HealthType::http);  // after a wrong type, complain no more than needed
  read_target(section, check);
  read_http(section, check);
  check.interval_ms = section.number("interval_ms", 100, 3600000).value_or(check.interval_ms);
  check.timeout_ms = section.number("timeout_ms", 10, 3600000).value_or(check.timeout_ms);
  if (check.timeout_ms > check.interval_ms)
    section.complain("timeout_ms", "is " + std::to_string(check.timeout_ms) + ", longer than interval_ms " +
                                       std::to_string(check.interval_ms) + "; allowed: up to interval_ms");
  check.fall = section.number("fall", 1, 100).value_or(check.fall);
  check.rise = section.number("rise", 1, 100).value_or(check.rise);
  check.flap_window_s = section.number("flap_window_s", 0, 86400).value_or(check.flap_window_s);
  check.on_failure = section
                         .choice<OnHealthFailure>(
                             "on_failure", {{"rule", OnHealthFailure::rule}, {"host", OnHealthFailure::host}})
                         .value_or(check.on_failure);
  check.all_down = section.choice<AllDown>("all_down", {{"open", AllDown::open}, {"closed", AllDown::closed}})
                       .value_or(check.all_down);
  section.reject_unknown_keys();
  return check;
}

}  // namespace nlb
