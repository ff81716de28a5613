// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/port_hooks.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "datapath/file_descriptor.hh"
#include "datapath/qdisc.hh"
#include "datapath/tc_filter.hh"

namespace nlb::vmswitch {
namespace {

// By number: the headers of Debian 12 (6.1) are older than these.
constexpr auto kTcxIngress = static_cast<bpf_attach_type>(46);
constexpr auto kTcxEgress = static_cast<bpf_attach_type>(47);
constexpr unsigned kBefore = 1U << 3;  // BPF_F_BEFORE; before nothing in particular = first

bool is_guard(uint32_t id) {
  return id != 0 && program_name(id).starts_with("nlb_guard_");
}

// Programs in their order; nothing where the kernel has no tcx.
std::optional<std::vector<uint32_t>> tcx_programs(int ifindex, bpf_attach_type place) {
  std::vector<uint32_t> ids(64);
  auto count = static_cast<uint32_t>(ids.size());
  uint32_t flags = 0;
  if (bpf_prog_query(ifindex, place, 0, &flags, ids.data(), &count) != 0) {
    if (errno == ENOENT) return std::vector<uint32_t>{};
    return std::nullopt;
  }
  ids.resize(count);
  return ids;
}

uint32_t id_of(int program) {
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &bytes) == 0 ? info.id : 0;
}

// In the place of an older one of ours, when that comes first anyway; else at the front, the older ones go
// after.
int set_tcx(int ifindex, bpf_attach_type place, int program) {
  const auto present = tcx_programs(ifindex, place);
  if (!present) return -EOPNOTSUPP;
  const uint32_t id = id_of(program);
  if (!present->empty() && present->front() == id) return 0;
  struct bpf_prog_attach_opts options {};
  options.sz = sizeof options;
  const FileDescriptor first(
      !present->empty() && is_guard(present->front()) ? bpf_prog_get_fd_by_id(present->front()) : -1);
  if (first) {
    options.flags = BPF_F_REPLACE;
    options.replace_prog_fd = first.get();
  } else {
    options.flags = kBefore;
  }
  int error = bpf_prog_attach_opts(program, ifindex, place, &options);
  // It is there, behind somebody else's, and cannot be moved. The port is closed at the gate meanwhile.
  if (error == -EEXIST && !first) {
    bpf_prog_detach2(program, ifindex, place);
    error = bpf_prog_attach_opts(program, ifindex, place, &options);
  }
  if (error != 0) return error;
  for (std::size_t i = first ? 1 : 0; i < present->size(); ++i) {
    if ((*present)[i] == id || !is_guard((*present)[i])) continue;
    const FileDescriptor old(bpf_prog_get_fd_by_id((*present)[i]));
    if (old) bpf_prog_detach2(old.get(), ifindex, place);
  }
  return 0;
}

void remove_tcx(int ifindex, bpf_attach_type place) {
  for (const uint32_t id : tcx_programs(ifindex, place).value_or(std::vector<uint32_t>{})) {
    const FileDescriptor program(is_guard(id) ? bpf_prog_get_fd_by_id(id) : -1);
    if (program) bpf_prog_detach2(program.get(), ifindex, place);
  }
}

// A program at tcx runs before every filter, and its "pass" is final.
bool tcx_is_empty(int ifindex, bpf_attach_type place) {
  const auto present = tcx_programs(ifindex, place);
  return !present || present->empty();
}

bool guard_is_first(int ifindex, bpf_attach_type place) {
  const auto present = tcx_programs(ifindex, place);
  return present && !present->empty() && is_guard(present->front());
}

bool is_first_filter(int ifindex, TcDirection direction, uint32_t program) {
  const auto place = direction == TcDirection::ingress ? kTcxIngress : kTcxEgress;
  return program != 0 && tc_program(ifindex, direction) == program && tcx_is_empty(ifindex, place);
}

bool is_first_tcx(int ifindex, bpf_attach_type place, uint32_t program) {
  const auto present = tcx_programs(ifindex, place);
  return program != 0 && present && !present->empty() && present->front() == program;
}

}  // namespace

const char* name_of(HookKind kind) {
  constexpr const char* names[] = {"none", "tcx", "clsact", "ingress"};
  return names[static_cast<std::size_t>(kind)];
}

// lo is in every network namespace.
bool PortHooks::kernel_has_tcx() {
  return tcx_programs(1, kTcxIngress).has_value();
}

HookState PortHooks::attach(int transmit, int receive) const {
  return may_use_tcx_ && kernel_has_tcx() ? attach_tcx(transmit, receive) : attach_filters(transmit, receive);
}

HookState PortHooks::attach_at_once(int transmit, int receive) const {
  const auto has = [&](bool (*right)(int, bpf_attach_type)) {
    return right(index_, kTcxIngress) && right(index_, kTcxEgress);
  };
  if (has(guard_is_first)) return attach_tcx(transmit, receive);
  if (has(tcx_is_empty)) return attach_filters(transmit, receive);
  return state(id_of(transmit), id_of(receive));
}

HookState PortHooks::attach_tcx(int transmit, int receive) const {
  std::string obstacle;
  for (const auto& [place, program, name] :
       {std::tuple{kTcxEgress, receive, "receive"}, std::tuple{kTcxIngress, transmit, "transmit"}})
    if (const int error = set_tcx(index_, place, program); error != 0)
      obstacle += std::string(obstacle.empty() ? "" : "; ") + "cannot attach the " + name +
                  " program at tcx: " + std::strerror(-error);
  HookState now = state(id_of(transmit), id_of(receive));
  // Those of attach_at_once(), or of a daemon that had no tcx or was told not to use it.
  if (now.complete()) remove_filters();
  now.obstacle = obstacle;
  return now;
}

std::string PortHooks::ingress_qdisc_text() const {
  return "an `ingress` qdisc (a rate limit of Proxmox or libvirt) stands where the receive program needs "
         "clsact: " +
         interface_ + " stays closed towards the guest; take the limit off (tc qdisc del dev " + interface_ +
         " ingress), or use a kernel with tcx (6.6)";
}

HookState PortHooks::attach_filters(int transmit, int receive) const {
  // Which one stands there is asked only where one does: the kernel then lists those of all ports.
  const int created = create_clsact(index_);
  const auto standing =
      created == -EEXIST ? ingress_qdisc(index_) : Result<IngressQdisc>{IngressQdisc::clsact};
  const bool blocked = standing && *standing == IngressQdisc::ingress;
  std::string obstacle = blocked ? ingress_qdisc_text() : "";
  const auto note = [&](const std::string& what, int error) {
    obstacle += (obstacle.empty() ? "" : "; ") + what + ": " + std::strerror(-error);
  };
  if (created != 0 && created != -EEXIST)
    note("cannot add the clsact qdisc (modules sch_ingress and cls_bpf are needed)", created);
  for (const auto& [direction, program, name] : {std::tuple{TcDirection::egress, receive, "receive"},
                                                 std::tuple{TcDirection::ingress, transmit, "transmit"}}) {
    if (blocked && direction == TcDirection::egress) continue;
    const uint32_t present = tc_program(index_, direction);
    if (present != 0 && !is_guard(present))
      note(std::string("somebody else's tc filter has the place of the ") + name +
               " program (priority 1, handle 0x4e4c)",
           -EEXIST);
    else if (present == id_of(program))
      continue;  // to put it there again would be a change that the kernel tells of, to this daemon too
    else if (const int error = set_tc_program(index_, direction, program); error != 0)
      note(std::string("cannot attach the ") + name + " program", error);
  }
  // Older programs of ours at tcx go when these have their places: until then both judge.
  const uint32_t transmit_id = id_of(transmit), receive_id = id_of(receive);
  if (tc_program(index_, TcDirection::ingress) == transmit_id) remove_tcx(index_, kTcxIngress);
  if (tc_program(index_, TcDirection::egress) == receive_id) remove_tcx(index_, kTcxEgress);
  HookState now = state(transmit_id, receive_id);
  if (!now.complete() && obstacle.empty())
    obstacle = "a program of somebody else at tcx comes before the guard's (bpftool net list dev " +
               interface_ + "); detach it, or let the guard use tcx";
  now.obstacle = obstacle;
  return now;
}

HookState PortHooks::state(uint32_t transmit, uint32_t receive) const {
  HookState now;
  const bool tcx_transmit = is_first_tcx(index_, kTcxIngress, transmit);
  const bool tcx_receive = is_first_tcx(index_, kTcxEgress, receive);
  now.transmit = tcx_transmit || is_first_filter(index_, TcDirection::ingress, transmit);
  now.receive = tcx_receive || is_first_filter(index_, TcDirection::egress, receive);
  if (tcx_transmit || tcx_receive) {
    now.kind = HookKind::tcx;
  } else if (now.receive) {  // no other qdisc has an egress; asking lists those of all ports
    now.kind = HookKind::clsact;
  } else if (now.transmit) {
    const auto standing = ingress_qdisc(index_);
    now.kind = standing && *standing == IngressQdisc::ingress ? HookKind::ingress_qdisc : HookKind::clsact;
  }
  return now;
}

bool PortHooks::belongs_elsewhere(const HookState& now) const {
  return (now.kind == HookKind::tcx) != (may_use_tcx_ && kernel_has_tcx());
}

std::vector<uint32_t> PortHooks::guard_programs() const {
  std::vector<uint32_t> ids;
  for (const auto place : {kTcxIngress, kTcxEgress})
    for (const uint32_t id : tcx_programs(index_, place).value_or(std::vector<uint32_t>{})) ids.push_back(id);
  for (const auto direction : {TcDirection::ingress, TcDirection::egress})
    ids.push_back(tc_program(index_, direction));
  ids.erase(std::remove_if(ids.begin(), ids.end(), [](uint32_t id) { return !is_guard(id); }), ids.end());
  return ids;
}

// The qdisc with them, or an `ingress` one, as hypervisors put it, would be refused.
void PortHooks::remove_filters() const {
  bool had_filter = false;
  for (const auto direction : {TcDirection::ingress, TcDirection::egress}) {
    if (!is_guard(tc_program(index_, direction))) continue;
    had_filter = true;
    remove_tc_program(index_, direction);
  }
  if (!had_filter) return;
  const auto standing = ingress_qdisc(index_);
  const auto used = has_tc_filters(index_);
  if (standing && *standing == IngressQdisc::clsact && used && !*used) remove_clsact(index_);
}

void PortHooks::remove() const {
  remove_tcx(index_, kTcxIngress);
  remove_tcx(index_, kTcxEgress);
  remove_filters();
}

}  // namespace nlb::vmswitch
