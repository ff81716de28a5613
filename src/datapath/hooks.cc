// SPDX-License-Identifier: Apache-2.0
#include "datapath/hooks.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

#include "datapath/file_descriptor.hh"
#include "datapath/qdisc.hh"

namespace nlb {
namespace {

// First in order, so that no other filter's final verdict comes before ours; a handle of our own beside
// others'.
constexpr uint32_t kTcPriority = 1;
constexpr uint32_t kTcHandle = 0x4e4c;

std::string program_name(uint32_t id) {
  const FileDescriptor program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &bytes) != 0) return {};
  return info.name;
}

bool is_ours(uint32_t id) {
  return id != 0 && program_name(id).starts_with("nlb_");
}

bpf_tc_hook tc_hook(int index, bpf_tc_attach_point point) {
  bpf_tc_hook hook{};
  hook.sz = sizeof hook;
  hook.ifindex = index;
  hook.attach_point = point;
  return hook;
}

bpf_tc_opts tc_place() {
  bpf_tc_opts place{};
  place.sz = sizeof place;
  place.handle = kTcHandle;
  place.priority = kTcPriority;
  return place;
}

uint32_t tc_program(int index, bpf_tc_attach_point point) {
  const bpf_tc_hook hook = tc_hook(index, point);
  bpf_tc_opts place = tc_place();
  return bpf_tc_query(&hook, &place) == 0 ? place.prog_id : 0;
}

int set_tc_program(int index, bpf_tc_attach_point point, int program) {
  const bpf_tc_hook hook = tc_hook(index, point);
  bpf_tc_opts place = tc_place();
  place.prog_fd = program;
  place.flags = BPF_TC_F_REPLACE;
  return bpf_tc_attach(&hook, &place);
}

struct XdpState {
  uint32_t native = 0, generic = 0;
  [[nodiscard]] bool foreign() const {
    return (native != 0 && !is_ours(native)) || (generic != 0 && !is_ours(generic));
  }
};

XdpState xdp_state(int index) {
  bpf_xdp_query_opts query{};
  query.sz = sizeof query;
  if (bpf_xdp_query(index, 0, &query) != 0) return {};
  // A program that was offloaded to the adapter is somebody else's too.
  return {query.drv_prog_id != 0 ? query.drv_prog_id : query.hw_prog_id, query.skb_prog_id};
}

// Puts program (or none, -1) in the place of `old_id`; 0: only where nothing is.
int change_xdp(int index, int program, uint32_t mode, uint32_t old_id) {
  if (old_id == 0) return bpf_xdp_attach(index, program, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, nullptr);
  const FileDescriptor old(bpf_prog_get_fd_by_id(old_id));
  if (!old) return -errno;
  bpf_xdp_attach_opts options{};
  options.sz = sizeof options;
  options.old_prog_fd = old.get();
  return bpf_xdp_attach(index, program, mode | XDP_FLAGS_REPLACE, &options);
}

}  // namespace

Result<Hooks> Hooks::of(const std::string& interface) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return fail(interface + ": no such interface", errno);
  return Hooks(interface, static_cast<int>(index));
}

Result<void> Hooks::set_tc(int ingress_program, int egress_program) const {
  const auto standing = ingress_qdisc(index_);
  if (standing && *standing == IngressQdisc::ingress) {
    return fail(interface_ + ": an `ingress` qdisc is in the way of clsact (tc qdisc show dev " + interface_ +
                    "); remove it: tc qdisc del dev " + interface_ + " ingress",
                EEXIST);
  }
  bpf_tc_hook both = tc_hook(index_, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  if (const int error = bpf_tc_hook_create(&both); error != 0 && error != -EEXIST) {
    return fail(interface_ + ": cannot add the clsact qdisc: " + std::strerror(-error) +
                    " (modules sch_ingress and cls_bpf are needed)",
                -error);
  }
  for (const auto& [point, program, name] : {std::tuple{BPF_TC_EGRESS, egress_program, "egress"},
                                             std::tuple{BPF_TC_INGRESS, ingress_program, "ingress"}}) {
    const uint32_t present = tc_program(index_, point);
    if (present != 0 && !is_ours(present)) {
      return fail(
          interface_ + ": somebody else's tc " + name + " filter has our place (priority 1, handle 0x4e4c)",
          EEXIST);
    }
    if (const int error = set_tc_program(index_, point, program); error != 0) {
      return fail(interface_ + ": cannot attach the tc " + name + " program: " + std::strerror(-error),
                  -error);
    }
  }
  return {};
}

// The kernel refuses native and generic at once, so our own generic one has to go before native is tried.
void Hooks::set_xdp(int program, DatapathKind at_most) const {
  XdpState now = xdp_state(index_);
  if (now.foreign()) return;
  if (at_most == DatapathKind::xdp_native) {
    if (now.generic != 0) change_xdp(index_, -1, XDP_FLAGS_SKB_MODE, now.generic);
    if (change_xdp(index_, program, XDP_FLAGS_DRV_MODE, now.native) == 0) return;
    now = {};
  }
  if (now.native != 0) change_xdp(index_, -1, XDP_FLAGS_DRV_MODE, now.native);
  if (at_most >= DatapathKind::xdp_generic) {
    change_xdp(index_, program, XDP_FLAGS_SKB_MODE, now.generic);
  } else if (now.generic != 0) {
    change_xdp(index_, -1, XDP_FLAGS_SKB_MODE, now.generic);
  }
}

void Hooks::remove() const {
  const XdpState now = xdp_state(index_);
  if (is_ours(now.native)) change_xdp(index_, -1, XDP_FLAGS_DRV_MODE, now.native);
  if (is_ours(now.generic)) change_xdp(index_, -1, XDP_FLAGS_SKB_MODE, now.generic);
  for (const bpf_tc_attach_point point : {BPF_TC_INGRESS, BPF_TC_EGRESS}) {
    if (!is_ours(tc_program(index_, point))) continue;
    const bpf_tc_hook hook = tc_hook(index_, point);
    const bpf_tc_opts place = tc_place();
    bpf_tc_detach(&hook, &place);
  }
  const auto standing = ingress_qdisc(index_);
  const auto used = has_tc_filters(index_);
  if (!standing || *standing != IngressQdisc::clsact || !used || *used) return;
  bpf_tc_hook both = tc_hook(index_, static_cast<bpf_tc_attach_point>(BPF_TC_INGRESS | BPF_TC_EGRESS));
  bpf_tc_hook_destroy(&both);
}

DatapathKind Hooks::kind() const {
  const XdpState now = xdp_state(index_);
  if (!has_ingress()) return DatapathKind::none;  // XDP alone neither types nor marks
  if (is_ours(now.native)) return DatapathKind::xdp_native;
  if (is_ours(now.generic)) return DatapathKind::xdp_generic;
  return DatapathKind::tc;
}

bool Hooks::has_ingress() const {
  return is_ours(tc_program(index_, BPF_TC_INGRESS));
}
bool Hooks::has_egress() const {
  return is_ours(tc_program(index_, BPF_TC_EGRESS));
}

std::vector<uint32_t> Hooks::our_programs() const {
  const XdpState xdp = xdp_state(index_);
  std::vector<uint32_t> ids;
  for (const uint32_t id :
       {tc_program(index_, BPF_TC_INGRESS), tc_program(index_, BPF_TC_EGRESS), xdp.native, xdp.generic}) {
    if (is_ours(id)) ids.push_back(id);
  }
  return ids;
}

}  // namespace nlb
