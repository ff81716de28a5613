// SPDX-License-Identifier: Apache-2.0
// From what the administrator configured to what the kernel programs read: one bank, and the port tables.
// Pure; the caller writes the result into the bank that is not in force, then switches.
#pragma once

#include <nlb/abi/filter.h>

#include <span>

#include "base/result.hh"
#include "datapath/datapath.hh"

namespace nlb {

// One bank's share of the port blocks: [vip][table][block].
inline constexpr std::size_t kBlocksPerBank = NLB_PORT_BLOCK_COUNT / NLB_BANK_COUNT;

// Fails for more VIPs or rules than fit, or a VIP that is listed twice.
[[nodiscard]] Result<nlb_bank> make_bank(const FilterConfig& config);
// Overwrites all blocks. Where rules overlap, one that names a VIP goes before one for all; else the first
// wins.
void fill_port_blocks(const FilterConfig& config, std::span<nlb_port_block> blocks);

}  // namespace nlb
