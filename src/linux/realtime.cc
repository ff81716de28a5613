// SPDX-License-Identifier: Apache-2.0
#include "linux/realtime.hh"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>

namespace nlb {

std::string become_realtime(int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  if (sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &parameters) == 0) return {};
  return std::string("no real-time scheduling (SCHED_FIFO): ") + std::strerror(errno) +
         "; grant CAP_SYS_NICE or LimitRTPRIO=" + std::to_string(priority);
}

// Without CAP_SYS_NICE the flag cannot be taken back; it means nothing then.
void become_ordinary() {
  const sched_param none{};
  if (sched_setscheduler(0, SCHED_OTHER, &none) != 0)
    (void)sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none);
}

void use_small_stacks() {
  pthread_attr_t attributes;
  if (pthread_getattr_default_np(&attributes) != 0) return;
  if (pthread_attr_setstacksize(&attributes, kThreadStackBytes) == 0) pthread_setattr_default_np(&attributes);
  pthread_attr_destroy(&attributes);
}

// What is there now is locked and present; what comes later is locked as it is touched, so that the stacks of
// new threads do not take their full size in memory.
std::string lock_memory() {
  if (mlockall(MCL_CURRENT) == 0 && mlockall(MCL_FUTURE | MCL_ONFAULT) == 0) return {};
  return std::string("memory is not locked: ") + std::strerror(errno) +
         "; grant CAP_IPC_LOCK or LimitMEMLOCK=infinity";
}

}  // namespace nlb
