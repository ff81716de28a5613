// SPDX-License-Identifier: Apache-2.0
// One tc filter of ours in each direction of an interface: first in order, with a handle of our own.
#pragma once

#include <cstdint>
#include <string>

namespace nlb {

enum class TcDirection { ingress, egress };

[[nodiscard]] std::string program_name(uint32_t id);                    // "" when there is none
[[nodiscard]] uint32_t tc_program(int ifindex, TcDirection direction);  // id; 0 = none
// Sets or replaces, atomically; 0 or a negative errno.
[[nodiscard]] int set_tc_program(int ifindex, TcDirection direction, int program);
void remove_tc_program(int ifindex, TcDirection direction);
// The qdisc that carries both directions; 0 or a negative errno. -EEXIST: it is there, or an `ingress` one
// is.
[[nodiscard]] int create_clsact(int ifindex);
[[nodiscard]] int add_clsact(int ifindex);  // 0 then, too
void remove_clsact(int ifindex);

}  // namespace nlb
