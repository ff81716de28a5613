// SPDX-License-Identifier: Apache-2.0
// Reads this machine for a diagnosis. Changes nothing; sends ARP probes that nobody caches.
#pragma once

#include <string>

#include "doctor/facts.hh"

namespace nlb::doctor {

struct Request {
  std::string config_path;  // "" = the daemon's, else the usual one, else the only one in /etc/opennlb
  std::string usual_path;   // of the named cluster; "" = none was named
  std::string socket;       // the daemon's control socket; "" = none was found
  std::string socket_trouble;
};
[[nodiscard]] Facts gather(const Request& request);

}  // namespace nlb::doctor
