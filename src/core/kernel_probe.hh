// SPDX-License-Identifier: Apache-2.0
// What the core wants asked of a machine whose daemon it cannot ask, or does not believe.
#pragma once

#include "base/limits.hh"
#include "base/net.hh"

namespace nlb::core {

// An ARP question to the kernel of a peer, or to the gateway; answered by Host::on_kernel_answer().
struct KernelProbe {
  HostId peer = 0;  // 0 = the gateway
  IpAddress address;
  MacAddress mac;
};

}  // namespace nlb::core
