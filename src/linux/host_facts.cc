// SPDX-License-Identifier: Apache-2.0
#include "linux/host_facts.hh"

#include <linux/if_addr.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <pthread.h>
#include <sys/socket.h>

#include <cstring>
#include <fstream>
#include <thread>

#include "linux/netlink.hh"

namespace nlb {

std::string try_realtime() {
  int error = 0;
  std::thread([&] {
    sched_param parameters{};
    parameters.sched_priority = 1;
    error = pthread_setschedparam(pthread_self(), SCHED_FIFO, &parameters);
  }).join();
  return error == 0 ? "" : std::string("no real-time scheduling (SCHED_FIFO): ") + std::strerror(error);
}

std::string clock_source() {
  std::ifstream file("/sys/devices/system/clocksource/clocksource0/current_clocksource");
  std::string name;
  file >> name;
  return name;
}

bool is_promiscuous(const std::string& interface) {
  std::ifstream file("/sys/class/net/" + interface + "/flags");
  unsigned flags = 0;
  file >> std::hex >> flags;
  return (flags & IFF_PROMISC) != 0;
}

bool has_leased_address(int interface_index) {
  auto socket = netlink::Socket::open();
  nl_cache* filled = nullptr;
  if (!socket || rtnl_addr_alloc_cache(socket->raw(), &filled) < 0) return false;
  const netlink::Owned<nl_cache, nl_cache_free> cache(filled);
  for (auto* object = nl_cache_get_first(filled); object; object = nl_cache_get_next(object)) {
    auto* address = reinterpret_cast<rtnl_addr*>(object);
    if (rtnl_addr_get_ifindex(address) == interface_index && rtnl_addr_get_family(address) == AF_INET &&
        !(rtnl_addr_get_flags(address) & IFA_F_PERMANENT))
      return true;
  }
  return false;
}

}  // namespace nlb
