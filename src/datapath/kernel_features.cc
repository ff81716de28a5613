// SPDX-License-Identifier: Apache-2.0
#include "datapath/kernel_features.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/magic.h>
#include <linux/pkt_sched.h>
#include <netlink/netlink.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/tc.h>
#include <sched.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <thread>

#include "datapath/file_descriptor.hh"
#include "datapath/hooks.hh"

namespace nlb {
namespace {

constexpr int kLoopbackIndex = 1;  // in every network namespace

struct HelperNeed {
  bpf_prog_type type;
  bpf_func_id helper;
  const char* text;
};
constexpr HelperNeed kHelpers[] = {
    {BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skb_change_type, "helper bpf_skb_change_type (frames for the host)"},
    {BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_skc_lookup_tcp, "helper bpf_skc_lookup_tcp (connections that move)"},
    {BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_tcp_check_syncookie, "helper bpf_tcp_check_syncookie (SYN cookies)"},
    {BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_ktime_get_boot_ns, "helper bpf_ktime_get_boot_ns (the lease)"},
};

bool make_clsact_on_loopback(std::string& trouble) {
  const std::unique_ptr<nl_sock, decltype(&nl_socket_free)> socket(nl_socket_alloc(), nl_socket_free);
  const std::unique_ptr<rtnl_qdisc, decltype(&rtnl_qdisc_put)> qdisc(rtnl_qdisc_alloc(), rtnl_qdisc_put);
  if (!socket || !qdisc || nl_connect(socket.get(), NETLINK_ROUTE) < 0) {
    trouble = "no netlink socket";
    return false;
  }
  auto* tc = reinterpret_cast<rtnl_tc*>(qdisc.get());
  rtnl_tc_set_ifindex(tc, kLoopbackIndex);
  rtnl_tc_set_parent(tc, TC_H_CLSACT);
  rtnl_tc_set_handle(tc, TC_H_MAKE(TC_H_CLSACT, 0));
  rtnl_tc_set_kind(tc, "clsact");
  const int error = rtnl_qdisc_add(socket.get(), qdisc.get(), NLM_F_CREATE | NLM_F_EXCL);
  if (error < 0) trouble = nl_geterror(error);
  return error >= 0;
}

// In a network namespace of a thread of its own: both end together.
void try_clsact(KernelFeatures& features) {
  std::thread([&] {
    if (unshare(CLONE_NEWNET) != 0)
      features.unprobed = std::string("no network namespace to try clsact in: ") + std::strerror(errno);
    else
      make_clsact_on_loopback(features.clsact_trouble);
  }).join();
}

std::string name_of_program(uint32_t id) {
  const FileDescriptor program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &bytes) != 0) return {};
  return info.name;
}

void read_xdp(HookFacts& facts, int index) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof query;
  if (bpf_xdp_query(index, 0, &query) != 0) return;
  const std::pair<uint32_t, const char*> modes[] = {
      {query.drv_prog_id, "native"}, {query.hw_prog_id, "offload"}, {query.skb_prog_id, "generic"}};
  for (const auto& [id, mode] : modes) {
    if (id == 0) continue;
    facts.xdp = mode;
    facts.xdp_program = name_of_program(id);
    return;
  }
}

}  // namespace

KernelFeatures probe_kernel_features() {
  KernelFeatures features;
  libbpf_set_print([](libbpf_print_level, const char*, va_list) { return 0; });
  if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_XDP, nullptr) != 1)
    features.missing.emplace_back("programs of type XDP");
  if (libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SCHED_CLS, nullptr) != 1)
    features.missing.emplace_back("programs of type tc");
  for (const HelperNeed& need : kHelpers)
    if (libbpf_probe_bpf_helper(need.type, need.helper, nullptr) != 1)
      features.missing.emplace_back(need.text);
  features.btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
  struct statfs about {};
  features.bpffs = statfs("/sys/fs/bpf", &about) == 0 && about.f_type == BPF_FS_MAGIC;
  try_clsact(features);
  return features;
}

HookFacts read_hooks(const std::string& interface, int index) {
  HookFacts facts;
  facts.qdisc = ingress_qdisc(index).value_or(IngressQdisc::none);
  read_xdp(facts, index);
  if (const auto hooks = Hooks::of(interface)) {
    facts.tc_ingress = hooks->has_ingress();
    facts.tc_egress = hooks->has_egress();
  }
  return facts;
}

}  // namespace nlb
