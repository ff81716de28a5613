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
// `may_wait`: interface and mac may come later, from the machine's definition.
[[nodiscard]] GuestPort read_port(ConfigSection& section, bool may_wait = false);

}  // namespace nlb::vmswitch
