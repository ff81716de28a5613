// SPDX-License-Identifier: Apache-2.0
// Slot and bucket of a connection, read from the configuration in force by the programs' own way: virtual IP
// address → port table → slot, client → bucket.
#pragma once

#include <nlb/abi/filter.h>

#include <optional>
#include <span>

#include "datapath/datapath.hh"

namespace nlb {

struct ConnectionPlace {
  uint32_t slot = 0, bucket = 0;
};
// `blocks`: the bank's own share. Nothing for what is no virtual IP address.
[[nodiscard]] std::optional<ConnectionPlace> place_of(const nlb_bank& bank,
                                                      std::span<const nlb_port_block> blocks,
                                                      const ClientConnection& connection);

}  // namespace nlb
