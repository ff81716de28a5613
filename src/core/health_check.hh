// SPDX-License-Identifier: Apache-2.0
// [[port_rule.health]] as configured, checked and complete. Who runs it: src/health; what its results mean:
// health_record.hh.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace nlb {

enum class HealthType : uint8_t { tcp, http, https, exec };
enum class OnHealthFailure : uint8_t { rule, host };  // what leaves when the check fails
enum class AllDown : uint8_t { open, closed };        // when every host fails this check

struct HealthCheck {
  std::size_t rule_index = 0;  // into Config::rules
  HealthType type = HealthType::tcp;
  std::string target;      // ADDRESS:PORT, or for exec the program's absolute path
  std::string path = "/";  // http, https
  uint16_t first_status = 200, last_status = 399;
  std::string expect_body;  // http, https: must occur in the body; "" = not looked at
  uint32_t interval_ms = 1000;
  uint32_t timeout_ms = 500;  // at most interval_ms
  uint32_t fall = 3, rise = 2;
  OnHealthFailure on_failure = OnHealthFailure::rule;
  AllDown all_down = AllDown::closed;
  std::string host;             // http, https: Host header and TLS server name; "" = the target
  uint32_t flap_window_s = 60;  // failing again so soon after it rose, it must prove itself longer; 0 = never

  bool operator==(const HealthCheck&) const = default;
};

}  // namespace nlb
