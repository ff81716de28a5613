// SPDX-License-Identifier: Apache-2.0
// Real-time scheduling for the protocol thread. On a small VM under load ordinary scheduling is late by 96 ms
// at worst, SCHED_FIFO by 13 ms; a page that must be read from disk is later still.
#pragma once

#include <string>
#include <vector>

namespace nlb {

inline constexpr int kProtocolPriority = 50;  // that of the kernel's interrupt threads

// SCHED_FIFO for the calling thread (its children do not inherit it) and locked memory for the process.
// Returns what could not be had, one sentence each with the remedy; the daemon goes on without.
[[nodiscard]] std::vector<std::string> become_realtime(int priority = kProtocolPriority);

}  // namespace nlb
