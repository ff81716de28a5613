// SPDX-License-Identifier: Apache-2.0
// A domain's XML of any bytes: refused with a reason, or a machine whose file reads back as itself, and which
// never keeps a good configuration from being used, nor leaves a port of a machine with a fault open.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "vmswitch/libvirt_domain.hh"
#include "vmswitch/policy.hh"

namespace {

using namespace nlb::vmswitch;

constexpr const char* kMain =
    "[[switch]]\nbridge = \"br0\"\nuplinks = [\"eno1\"]\n[[cluster]]\nname = \"web\"\ntype = \"nlb\"\n"
    "vips = [\"10.77.0.100\"]\nhosts = [1, 2]\n[[port]]\nvm = \"old\"\ninterface = \"tap0\"\n"
    "mac = \"52:54:00:00:00:09\"\ncluster = \"web\"\nhost_id = 2\nmac_spoofing = \"cluster\"\n";

void require(bool condition) {
  if (!condition) std::abort();
}

// Text that is no UTF-8 makes a file that cannot be read: then nothing is known of the machine.
void check_machine(const GuestMachine& machine) {
  const ConfigText file{"guests.d/" + machine.name + ".toml", machine.text()};
  const auto again = read_guest_machine(file);
  if (again.problems.empty()) {
    require(again.adapters.size() == machine.adapters.size());
    const ConfigText once_more{file.path, again.text()};
    require(read_guest_machine(once_more).text() == again.text());
  }
  const auto config = parse_switch_config({{"vmswitch.toml", kMain}, {}, {file}});
  require(config.has_value());
  require(config->port_on("tap0")->mac_spoofing == MacSpoofing::cluster);
  for (const auto& port : config->ports)
    if (!port.refused.empty()) require(port.mac_spoofing == MacSpoofing::off && port.mac.is_zero());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, std::size_t size) {
  const auto machine = read_libvirt_domain(std::string(reinterpret_cast<const char*>(data), size));
  if (!machine) {
    require(!machine.error().message.empty());
    return 0;
  }
  check_machine(*machine);
  return 0;
}
