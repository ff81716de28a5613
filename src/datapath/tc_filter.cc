// SPDX-License-Identifier: Apache-2.0
#include "datapath/tc_filter.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/stat.h>

#include <cerrno>
#include <memory>

#include "datapath/file_descriptor.hh"

namespace nlb {
namespace {

// First in order, so that no other filter's final verdict comes before ours; a handle of our own beside
// others'.
constexpr uint32_t kTcPriority = 1;
constexpr uint32_t kTcHandle = 0x4e4c;

bpf_tc_hook hook_at(int ifindex, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = ifindex;
  hook.attach_point = point;
  return hook;
}

bpf_tc_hook hook_at(int ifindex, TcDirection direction) {
  return hook_at(ifindex, direction == TcDirection::ingress ? BPF_TC_INGRESS : BPF_TC_EGRESS);
}

bpf_tc_hook both_hooks(int ifindex) {
  return hook_at(ifindex, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
}

bpf_tc_opts our_place() {
  bpf_tc_opts place{};
  place.sz = sizeof place;
  place.handle = kTcHandle;
  place.priority = kTcPriority;
  return place;
}

struct NetlinkFree {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
  void operator()(nl_msg* message) const { nlmsg_free(message); }
};
using Socket = std::unique_ptr<nl_sock, NetlinkFree>;
using Message = std::unique_ptr<nl_msg, NetlinkFree>;

Socket connected() {
  Socket socket(nl_socket_alloc());
  if (!socket || nl_connect(socket.get(), NETLINK_ROUTE) < 0) return nullptr;
  nl_socket_disable_auto_ack(socket.get());  // the answer, or an error, is one message
  return socket;
}

// A socket belongs to the network namespace in which it was made, and a thread may go to another.
nl_sock* socket_of_this_network() {
  thread_local Socket socket;
  thread_local ino_t network = 0;
  struct stat now {};
  if (stat("/proc/thread-self/ns/net", &now) != 0) return nullptr;
  if (!socket || network != now.st_ino) socket = connected();
  network = now.st_ino;
  return socket.get();
}

Message question_of(int ifindex, TcDirection direction) {
  Message message(nlmsg_alloc_simple(RTM_GETTFILTER, NLM_F_REQUEST));
  tcmsg about{};
  about.tcm_family = AF_UNSPEC;
  about.tcm_ifindex = ifindex;
  about.tcm_handle = kTcHandle;
  about.tcm_parent =
      TC_H_MAKE(TC_H_CLSACT, direction == TcDirection::ingress ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
  about.tcm_info = TC_H_MAKE(kTcPriority << 16, htons(ETH_P_ALL));
  if (!message || nlmsg_append(message.get(), &about, sizeof about, NLMSG_ALIGNTO) < 0) return nullptr;
  if (nla_put_string(message.get(), TCA_KIND, "bpf") < 0) return nullptr;
  return message;
}

int take_program(nl_msg* message, void* to) {
  const nlattr* options = nlmsg_find_attr(nlmsg_hdr(message), sizeof(tcmsg), TCA_OPTIONS);
  const nlattr* id = options != nullptr ? nla_find(static_cast<const nlattr*>(nla_data(options)),
                                                   nla_len(options), TCA_BPF_ID)
                                        : nullptr;
  if (id != nullptr) *static_cast<uint32_t*>(to) = nla_get_u32(id);
  return NL_OK;
}

}  // namespace

std::string program_name(uint32_t id) {
  const FileDescriptor program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &bytes) != 0) return {};
  return info.name;
}

// Asked of hundreds of ports twice a second: over one socket that stays, where bpf_tc_query() opens one for
// each question.
uint32_t tc_program(int ifindex, TcDirection direction) {
  nl_sock* const socket = socket_of_this_network();
  if (socket == nullptr) return 0;
  const Message question = question_of(ifindex, direction);
  if (!question || nl_send_auto(socket, question.get()) < 0) return 0;
  uint32_t program = 0;
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, take_program, &program);
  return nl_recvmsgs_default(socket) < 0 ? 0 : program;
}

int set_tc_program(int ifindex, TcDirection direction, int program) {
  const bpf_tc_hook hook = hook_at(ifindex, direction);
  bpf_tc_opts place = our_place();
  place.prog_fd = program;
  place.flags = BPF_TC_F_REPLACE;
  return bpf_tc_attach(&hook, &place);
}

void remove_tc_program(int ifindex, TcDirection direction) {
  const bpf_tc_hook hook = hook_at(ifindex, direction);
  const bpf_tc_opts place = our_place();
  bpf_tc_detach(&hook, &place);
}

int create_clsact(int ifindex) {
  bpf_tc_hook both = both_hooks(ifindex);
  return bpf_tc_hook_create(&both);
}

int add_clsact(int ifindex) {
  const int error = create_clsact(ifindex);
  return error == -EEXIST ? 0 : error;
}

void remove_clsact(int ifindex) {
  bpf_tc_hook both = both_hooks(ifindex);
  bpf_tc_hook_destroy(&both);
}

}  // namespace nlb
