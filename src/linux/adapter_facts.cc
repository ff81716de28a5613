// SPDX-License-Identifier: Apache-2.0
// What an interface is, read from the kernel: netlink for all that it tells, ethtool for the driver's name
// and the address burnt into the device.
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netlink/route/link.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "linux/adapter.hh"
#include "linux/netlink.hh"

namespace nlb {
namespace {

using netlink::Owned;

struct PermanentAddress {  // ethtool_perm_addr with room for the address
  uint32_t cmd = ETHTOOL_GPERMADDR;
  uint32_t size = 32;
  std::array<uint8_t, 32> data{};
};

bool ethtool(int fd, const std::string& interface, void* command) {
  ifreq request{};
  interface.copy(request.ifr_name, sizeof request.ifr_name - 1);
  request.ifr_data = static_cast<char*>(command);
  return ioctl(fd, SIOCETHTOOL, &request) == 0;
}

// A driver that states neither leaves both empty; that is no error.
void read_ethtool(AdapterFacts& facts) {
  const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return;
  ethtool_drvinfo info{};
  info.cmd = ETHTOOL_GDRVINFO;
  if (ethtool(fd, facts.name, &info)) facts.driver = std::string(info.driver, strnlen(info.driver, 32));
  PermanentAddress permanent;
  if (ethtool(fd, facts.name, &permanent) && permanent.size == facts.mac_permanent.octets.size())
    std::memcpy(facts.mac_permanent.octets.data(), permanent.data.data(), permanent.size);
  close(fd);
}

Result<Owned<rtnl_link, rtnl_link_put>> link_of(netlink::Socket& socket, int index, const std::string& name) {
  rtnl_link* link = nullptr;
  const int code = rtnl_link_get_kernel(socket.raw(), index, name.empty() ? nullptr : name.c_str(), &link);
  if (code == -NLE_NODEV || code == -NLE_OBJ_NOTFOUND)
    return fail(name + ": there is no such network interface", ENODEV);
  if (code < 0) return fail(name + ": cannot be read: " + nl_geterror(code));
  return Owned<rtnl_link, rtnl_link_put>(link);
}

// "bridge br0", "bond bond0": the kind of the master and its name.
void read_master(netlink::Socket& socket, int master_index, AdapterFacts& facts) {
  if (master_index == 0) return;
  auto master = link_of(socket, master_index, "");
  if (!master) {
    facts.enslaved_to = "interface number " + std::to_string(master_index);
    return;
  }
  const char* kind = rtnl_link_get_type(master->get());
  const std::string name = rtnl_link_get_name(master->get());
  facts.bridge_port = kind && std::strcmp(kind, "bridge") == 0;
  facts.enslaved_to = kind ? std::string(kind) + " " + name : name;
}

}  // namespace

Result<AdapterFacts> read_adapter(const std::string& interface) {
  if (interface.empty() || interface.size() >= IFNAMSIZ)
    return fail("\"" + interface + "\" is no interface name: 1 to 15 characters are allowed", EINVAL);
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error());
  auto link = link_of(*socket, 0, interface);
  if (!link) return tl::unexpected(link.error());

  AdapterFacts facts;
  facts.name = interface;
  facts.index = rtnl_link_get_ifindex(link->get());
  facts.up = (rtnl_link_get_flags(link->get()) & IFF_UP) != 0;
  facts.carrier = rtnl_link_get_carrier(link->get()) != 0;
  facts.ethernet = rtnl_link_get_arptype(link->get()) == ARPHRD_ETHER;
  facts.mtu = rtnl_link_get_mtu(link->get());
  facts.mac_current = netlink::mac_from_nl(rtnl_link_get_addr(link->get()));
  read_master(*socket, rtnl_link_get_master(link->get()), facts);
  read_ethtool(facts);

  auto addresses = netlink::addresses(*socket, facts.index);
  if (!addresses) return tl::unexpected(addresses.error().within(interface));
  for (const auto& on : *addresses) {
    if (on.address.is_multicast())
      facts.groups.push_back(on.address);
    else
      facts.addresses.push_back(on);
  }
  auto filter = netlink::receive_filter(*socket, facts.index);
  if (!filter) return tl::unexpected(filter.error().within(interface + ": receive filter"));
  facts.extra_macs = std::move(*filter);
  auto gateway = netlink::default_gateway(*socket, facts.index);
  if (!gateway) return tl::unexpected(gateway.error().within(interface + ": default route"));
  facts.gateway = *gateway;
  return facts;
}

}  // namespace nlb
