// SPDX-License-Identifier: Apache-2.0
#include "linux/capabilities.hh"

#include <linux/capability.h>
#include <sys/capability.h>

#include <array>

namespace nlb {
namespace {

struct Need {
  cap_value_t capability;
  const char* name;
  const char* purpose;
  bool required;
};

constexpr std::array kNeeds = {
    Need{CAP_NET_ADMIN, "CAP_NET_ADMIN", "attaches filters, sets addresses and MACs", true},
    Need{CAP_NET_RAW, "CAP_NET_RAW", "sends and receives heartbeats", true},
    Need{CAP_BPF, "CAP_BPF", "loads the kernel programs", true},
    Need{CAP_PERFMON, "CAP_PERFMON", "lets the kernel programs read packets by pointer", true},
    Need{CAP_IPC_LOCK, "CAP_IPC_LOCK", "keeps the daemon's memory from being paged out", false},
    Need{CAP_SYS_NICE, "CAP_SYS_NICE", "runs the protocol thread at real-time priority", false},
};

}  // namespace

std::vector<MissingCapability> missing_capabilities() {
  std::vector<MissingCapability> missing;
  cap_t have = cap_get_proc();
  for (const auto& need : kNeeds) {
    cap_flag_value_t state = CAP_CLEAR;
    if (have) cap_get_flag(have, need.capability, CAP_EFFECTIVE, &state);
    if (state != CAP_SET) missing.push_back({need.name, need.purpose, need.required});
  }
  if (have) cap_free(have);
  return missing;
}

}  // namespace nlb
