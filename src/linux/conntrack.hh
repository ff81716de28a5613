// SPDX-License-Identifier: Apache-2.0
// Translated TCP connections, as the kernel's connection tracking knows them: a connection that DNAT leads to
// a container, to another address or to another port has no socket on this host by which it could be found.
//
// Read by ctnetlink, in the network namespace of the caller. The kernel leaves out what is not translated
// (Linux 6.0); nothing is kept here. What it costs: bench/conntrack_bench,
// docs/decisions/0012-translated-connections.md. Zone 0 only, where translation happens unless somebody says
// otherwise. A connection that is tracked and not translated has a socket, which knows better: its entry may
// outlive it for days.
#pragma once

#include <cstdint>
#include <functional>

#include "base/net.hh"
#include "base/result.hh"

namespace nlb {

struct TranslatedConnection {
  IpAddress client, address;  // before translation
  uint16_t client_port = 0, port = 0;
};

// Entries of this namespace; 0 also where nothing is tracked, or the kernel has no connection tracking.
[[nodiscard]] uint64_t tracked_connections();
// Those that live: from the SYN-ACK to the last FIN (TIME_WAIT, closed and half-open ones do not). None where
// nothing is tracked; an error where there are entries that cannot be read. `each` returns false when it has
// seen enough.
[[nodiscard]] Result<void> each_translated(const std::function<bool(const TranslatedConnection&)>& each);

}  // namespace nlb
