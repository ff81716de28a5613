// SPDX-License-Identifier: Apache-2.0
// Frames for tests: one of each type by hand, any valid one by RapidCheck.
#pragma once

#include <rapidcheck.h>

#include "wire/codec.hh"

namespace nlb::wire {

[[nodiscard]] KeySet sample_keys(uint8_t first_octet = 1);
[[nodiscard]] IpAddress sample_vip();
[[nodiscard]] Heartbeat sample_heartbeat();
[[nodiscard]] Heartbeat fullest_heartbeat();  // 64 peers, every field at its largest
[[nodiscard]] HeldPart sample_held_part();
[[nodiscard]] MessagePart sample_message_part();

[[nodiscard]] rc::Gen<Heartbeat> any_heartbeat();
[[nodiscard]] rc::Gen<HeldPart> any_held_part();
[[nodiscard]] rc::Gen<MessagePart> any_message_part();
[[nodiscard]] rc::Gen<Frame> any_frame();

}  // namespace nlb::wire
