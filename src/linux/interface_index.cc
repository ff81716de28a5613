// SPDX-License-Identifier: Apache-2.0
#include "linux/interface_index.hh"

#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

namespace nlb {

Result<int> interface_index(int socket, const std::string& interface) {
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  if (ioctl(socket, SIOCGIFINDEX, &request) != 0) return fail(interface + ": " + std::strerror(errno), errno);
  return request.ifr_ifindex;
}

}  // namespace nlb
