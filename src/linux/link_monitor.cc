// SPDX-License-Identifier: Apache-2.0
// Changes that others make to the interface, told by the kernel: link state, MAC, addresses. The message is a
// hint, not a truth: whoever acts on it reads the adapter again.
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/msg.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>

#include <cerrno>

#include "linux/adapter.hh"
#include "linux/interface_index.hh"
#include "linux/netlink.hh"

namespace nlb {
namespace {

using netlink::Owned;

class RtnetlinkMonitor final : public LinkMonitor {
 public:
  explicit RtnetlinkMonitor(std::string interface)
      : interface_(std::move(interface)), ifindex_(static_cast<int>(if_nametoindex(interface_.c_str()))) {}

  [[nodiscard]] Result<void> subscribe();
  [[nodiscard]] int fd() const override { return nl_socket_get_fd(socket_.get()); }
  [[nodiscard]] std::vector<LinkChange> read() override;
  [[nodiscard]] bool sees(int index) const override;

 private:
  static int on_message(nl_msg* message, void* argument);
  void take(nlmsghdr* header);
  void take_link(nlmsghdr* header);
  void take_address(nlmsghdr* header);

  std::string interface_;
  int ifindex_;
  Owned<nl_sock, nl_socket_free> socket_;
  std::vector<LinkChange> changes_;
};

Result<void> RtnetlinkMonitor::subscribe() {
  socket_.reset(nl_socket_alloc());
  if (!socket_) return fail("netlink: out of memory", ENOMEM);
  nl_socket_disable_seq_check(socket_.get());  // notifications carry no sequence of ours
  nl_socket_modify_cb(socket_.get(), NL_CB_VALID, NL_CB_CUSTOM, on_message, this);
  int code = nl_connect(socket_.get(), NETLINK_ROUTE);
  if (code == 0)
    code =
        nl_socket_add_memberships(socket_.get(), RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0);
  if (code == 0) code = nl_socket_set_nonblocking(socket_.get());
  if (code < 0) return fail(interface_ + ": cannot follow link changes: " + nl_geterror(code));
  return {};
}

bool RtnetlinkMonitor::sees(int index) const {
  const auto found = interface_index(fd(), interface_);
  return found ? *found == index : found.error().code != ENODEV;
}

std::vector<LinkChange> RtnetlinkMonitor::read() {
  changes_.clear();
  for (;;) {
    const int code = nl_recvmsgs_default(socket_.get());
    if (code == -NLE_NOMEM) {  // ENOBUFS: messages were lost
      changes_.push_back({LinkChange::Kind::link, {}});
      continue;
    }
    if (code < 0) break;
  }
  return std::move(changes_);
}

int RtnetlinkMonitor::on_message(nl_msg* message, void* argument) {
  static_cast<RtnetlinkMonitor*>(argument)->take(nlmsg_hdr(message));
  return NL_OK;
}

void RtnetlinkMonitor::take(nlmsghdr* header) {
  switch (header->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
      return take_link(header);
    case RTM_NEWADDR:
    case RTM_DELADDR:
      return take_address(header);
  }
}

// By name as well as by index: an interface that is taken away and made anew has another index.
void RtnetlinkMonitor::take_link(nlmsghdr* header) {
  if (!nlmsg_valid_hdr(header, sizeof(ifinfomsg))) return;
  const auto* info = static_cast<const ifinfomsg*>(nlmsg_data(header));
  auto* name = nlmsg_find_attr(header, sizeof(ifinfomsg), IFLA_IFNAME);
  const bool named = name && interface_ == nla_get_string(name);
  if (!named && info->ifi_index != ifindex_) return;
  if (named && header->nlmsg_type == RTM_NEWLINK) ifindex_ = info->ifi_index;
  changes_.push_back({LinkChange::Kind::link, {}});
}

void RtnetlinkMonitor::take_address(nlmsghdr* header) {
  if (!nlmsg_valid_hdr(header, sizeof(ifaddrmsg))) return;
  const auto* info = static_cast<const ifaddrmsg*>(nlmsg_data(header));
  if (static_cast<int>(info->ifa_index) != ifindex_) return;
  // IPv4 names the address of this end IFA_LOCAL; IPv6 uses IFA_ADDRESS where there is no peer.
  auto* local = nlmsg_find_attr(header, sizeof(ifaddrmsg), IFA_LOCAL);
  if (!local) local = nlmsg_find_attr(header, sizeof(ifaddrmsg), IFA_ADDRESS);
  if (!local) return;
  netlink::Address address(nl_addr_alloc_attr(local, info->ifa_family));
  const bool added = header->nlmsg_type == RTM_NEWADDR;
  changes_.push_back({added ? LinkChange::Kind::address_added : LinkChange::Kind::address_removed,
                      netlink::ip_from_nl(address.get())});
}

}  // namespace

Result<std::unique_ptr<LinkMonitor>> LinkMonitor::open(const std::string& interface) {
  auto monitor = std::make_unique<RtnetlinkMonitor>(interface);
  if (auto ready = monitor->subscribe(); !ready) return tl::unexpected(ready.error());
  return monitor;
}

}  // namespace nlb
