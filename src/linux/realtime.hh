// SPDX-License-Identifier: Apache-2.0
// Real-time scheduling for the protocol thread. On a small VM under load ordinary scheduling is late by 96 ms
// at worst, SCHED_FIFO by 13 ms; a page that must be read from disk is later still.
#pragma once

#include <cstddef>
#include <string>

namespace nlb {

inline constexpr int kProtocolPriority = 50;  // that of the kernel's interrupt threads
inline constexpr int kUrgentStartPriority = 1;

// What could not be had, in a sentence with the remedy; the daemon goes on without. "" = nothing.
// SCHED_FIFO for the calling thread; its children do not inherit it.
[[nodiscard]] std::string become_realtime(int priority = kProtocolPriority);
void become_ordinary();  // the calling thread; as it is unless it was real-time
// Stacks of the threads that start after this: what is locked with lock_memory() is there as a whole, and the
// usual 8 MiB of each would be most of a daemon's memory.
inline constexpr std::size_t kThreadStackBytes = std::size_t{1} << 20;
void use_small_stacks();
// The process's memory. Takes tens of milliseconds, as all of it is made present: not for a thread that is
// waited for.
[[nodiscard]] std::string lock_memory();

}  // namespace nlb
