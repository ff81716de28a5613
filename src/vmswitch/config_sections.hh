// SPDX-License-Identifier: Apache-2.0
// The tables of vmswitch.toml one by one. What each says alone is judged here; what they say together,
// config_agreement.hh. Each stays with its section, so that a later complaint names the right line.
#pragma once

#include <vector>

#include "control/config_section.hh"
#include "vmswitch/switch_config.hh"

namespace nlb::vmswitch {

template <typename T>
struct Declared {
  T what;
  ConfigSection section;
};

struct Declarations {
  std::vector<Declared<GuardedSwitch>> switches;
  std::vector<Declared<DeclaredCluster>> clusters;
  std::vector<Declared<GuestPort>> ports;
  std::vector<Declared<GuestPort>> waiting;  // for adapters that nobody has given an interface yet
};

// `section` is fresh: nothing was asked of it.
[[nodiscard]] GuardedSwitch read_switch(ConfigSection& section);
[[nodiscard]] DeclaredCluster read_declared_cluster(ConfigSection& section);
// How much of a port its table has to say.
enum class PortKeys : uint8_t {
  all,
  running,  // interface and mac are the machine's
  some,     // the rest comes from the machine's definition, when it starts
};
[[nodiscard]] GuestPort read_port(ConfigSection& section, PortKeys keys = PortKeys::all);

}  // namespace nlb::vmswitch
