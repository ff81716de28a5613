// SPDX-License-Identifier: Apache-2.0
#include "datapath/hooks.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>

#include <cerrno>
#include <cstring>

#include "datapath/file_descriptor.hh"
#include "datapath/program_pins.hh"
#include "datapath/qdisc.hh"
#include "datapath/tc_filter.hh"

namespace nlb {
namespace {

struct XdpState {
  uint32_t native = 0, generic = 0;
  [[nodiscard]] bool foreign(const OwnPrograms& own) const {
    return (native != 0 && !own.has(native)) || (generic != 0 && !own.has(generic));
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
int change_xdp(int index, int program, uint32_t mode, uint32_t old_id, const OwnPrograms& own) {
  if (old_id == 0) return bpf_xdp_attach(index, program, mode | XDP_FLAGS_UPDATE_IF_NOEXIST, nullptr);
  const FileDescriptor old = own.open(old_id);
  if (!old) return -errno;
  bpf_xdp_attach_opts options{};
  options.sz = sizeof options;
  options.old_prog_fd = old.get();
  return bpf_xdp_attach(index, program, mode | XDP_FLAGS_REPLACE, &options);
}

}  // namespace

Result<Hooks> Hooks::of(const std::string& interface, OwnPrograms own) {
  const unsigned index = if_nametoindex(interface.c_str());
  if (index == 0) return fail(interface + ": no such interface", errno);
  return Hooks(interface, static_cast<int>(index), std::move(own));
}

Result<void> Hooks::set_tc(int ingress_program, int egress_program) const {
  const auto standing = ingress_qdisc(index_);
  if (standing && *standing == IngressQdisc::ingress) {
    return fail(interface_ + ": an `ingress` qdisc is in the way of clsact (tc qdisc show dev " + interface_ +
                    "); remove it: tc qdisc del dev " + interface_ + " ingress",
                EEXIST);
  }
  if (const int error = add_clsact(index_); error != 0) {
    return fail(interface_ + ": cannot add the clsact qdisc: " + std::strerror(-error) +
                    " (modules sch_ingress and cls_bpf are needed)",
                -error);
  }
  for (const auto& [direction, program, name] :
       {std::tuple{TcDirection::egress, egress_program, "egress"},
        std::tuple{TcDirection::ingress, ingress_program, "ingress"}}) {
    const uint32_t present = tc_program(index_, direction);
    if (present != 0 && !own_.has(present)) {
      return fail(
          interface_ + ": somebody else's tc " + name + " filter has our place (priority 1, handle 0x4e4c)",
          EEXIST);
    }
    if (const int error = set_tc_program(index_, direction, program); error != 0) {
      return fail(interface_ + ": cannot attach the tc " + name + " program: " + std::strerror(-error),
                  -error);
    }
  }
  return {};
}

// The kernel refuses native and generic at once, so our own generic one has to go before native is tried.
void Hooks::set_xdp(int program, DatapathKind at_most) const {
  XdpState now = xdp_state(index_);
  if (now.foreign(own_)) return;
  if (at_most == DatapathKind::xdp_native) {
    if (now.generic != 0) change_xdp(index_, -1, XDP_FLAGS_SKB_MODE, now.generic, own_);
    if (change_xdp(index_, program, XDP_FLAGS_DRV_MODE, now.native, own_) == 0) return;
    now = {};
  }
  if (now.native != 0) change_xdp(index_, -1, XDP_FLAGS_DRV_MODE, now.native, own_);
  if (at_most >= DatapathKind::xdp_generic) {
    change_xdp(index_, program, XDP_FLAGS_SKB_MODE, now.generic, own_);
  } else if (now.generic != 0) {
    change_xdp(index_, -1, XDP_FLAGS_SKB_MODE, now.generic, own_);
  }
}

void Hooks::remove() const {
  const XdpState now = xdp_state(index_);
  if (own_.has(now.native)) change_xdp(index_, -1, XDP_FLAGS_DRV_MODE, now.native, own_);
  if (own_.has(now.generic)) change_xdp(index_, -1, XDP_FLAGS_SKB_MODE, now.generic, own_);
  for (const auto direction : {TcDirection::ingress, TcDirection::egress})
    if (own_.has(tc_program(index_, direction))) remove_tc_program(index_, direction);
  const auto standing = ingress_qdisc(index_);
  const auto used = has_tc_filters(index_);
  if (!standing || *standing != IngressQdisc::clsact || !used || *used) return;
  remove_clsact(index_);
}

DatapathKind Hooks::kind() const {
  const XdpState now = xdp_state(index_);
  if (!has_ingress()) return DatapathKind::none;  // XDP alone neither types nor marks
  if (own_.has(now.native)) return DatapathKind::xdp_native;
  if (own_.has(now.generic)) return DatapathKind::xdp_generic;
  return DatapathKind::tc;
}

bool Hooks::hold(int ingress_program, int egress_program, int xdp_program) const {
  const XdpState now = xdp_state(index_);
  const uint32_t xdp = program_id(xdp_program);
  const auto fits = [&](uint32_t id) { return !own_.has(id) || id == xdp; };
  return tc_program(index_, TcDirection::ingress) == program_id(ingress_program) &&
         tc_program(index_, TcDirection::egress) == program_id(egress_program) && fits(now.native) &&
         fits(now.generic);
}

bool Hooks::has_ingress() const {
  return own_.has(tc_program(index_, TcDirection::ingress));
}
bool Hooks::has_egress() const {
  return own_.has(tc_program(index_, TcDirection::egress));
}

bool Hooks::has_foreign_xdp() const {
  return xdp_state(index_).foreign(own_);
}

std::vector<uint32_t> Hooks::our_programs() const {
  const XdpState xdp = xdp_state(index_);
  std::vector<uint32_t> ids;
  for (const uint32_t id : {tc_program(index_, TcDirection::ingress), tc_program(index_, TcDirection::egress),
                            xdp.native, xdp.generic}) {
    if (own_.has(id)) ids.push_back(id);
  }
  return ids;
}

}  // namespace nlb
