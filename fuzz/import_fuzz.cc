// SPDX-License-Identifier: Apache-2.0
// An exported file of any bytes: refused with reasons, or configurations that nlbd takes, with every note
// within its comment.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "control/config_file.hh"
#include "import/import.hh"

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  const auto hosts =
      nlb::import::import_cluster({{"export", bytes}}, {"web", nlb::ClusterMode::unicast, "eth0", {}});
  if (!hosts) {
    require(!hosts.error().empty());
    for (const auto& problem : hosts.error()) require(!problem.message.empty());
    return 0;
  }
  require(!hosts->empty());
  for (const auto& host : *hosts) {
    const auto parsed = nlb::parse_config(host.text, host.file_name);
    require(parsed.has_value());
    require(parsed->config.id == host.id && parsed->config.name == "web" &&
            parsed->config.interface == "eth0");
    require(parsed->config.mode == nlb::ClusterMode::unicast);
  }
  return 0;
}
