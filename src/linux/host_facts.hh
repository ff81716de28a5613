// SPDX-License-Identifier: Apache-2.0
// Small things that a diagnosis asks of the system and that have no place of their own.
#pragma once

#include <string>

namespace nlb {

// "" = SCHED_FIFO is permitted; tried by a thread that ends at once.
[[nodiscard]] std::string try_realtime();
[[nodiscard]] std::string clock_source();  // "tsc", "kvm-clock", …; "" = not told
[[nodiscard]] bool is_promiscuous(const std::string& interface);
// An IPv4 address that has a lifetime: some DHCP client put it there.
[[nodiscard]] bool has_leased_address(int interface_index);

}  // namespace nlb
