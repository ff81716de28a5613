// SPDX-License-Identifier: Apache-2.0
#include "control/metrics_section.hh"

namespace nlb {

// The daemons may not listen on ports below 1024, which need a capability that they give up.
std::optional<Endpoint> read_metrics_listen(ConfigSection& section) {
  constexpr uint16_t kFirstPort = 1024;
  constexpr const char* allowed =
      "\"ADDRESS:PORT\" or \"[IPV6]:PORT\", port 1024..65535, as \"127.0.0.1:9477\"; without it no metrics";
  const auto text = section.text("listen", allowed);
  section.reject_unknown_keys();
  if (!text) return std::nullopt;
  auto listen = Endpoint::parse(*text);
  if (listen && listen->port >= kFirstPort) return listen;
  section.complain("listen", "is \"" + *text + "\"; allowed: " + allowed);
  return std::nullopt;
}

}  // namespace nlb
