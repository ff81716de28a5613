// SPDX-License-Identifier: Apache-2.0
#include "datapath/tc_filter.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cerrno>

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

}  // namespace

std::string program_name(uint32_t id) {
  const FileDescriptor program(bpf_prog_get_fd_by_id(id));
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  if (!program || bpf_obj_get_info_by_fd(program.get(), &info, &bytes) != 0) return {};
  return info.name;
}

uint32_t tc_program(int ifindex, TcDirection direction) {
  const bpf_tc_hook hook = hook_at(ifindex, direction);
  bpf_tc_opts place = our_place();
  return bpf_tc_query(&hook, &place) == 0 ? place.prog_id : 0;
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

int add_clsact(int ifindex) {
  bpf_tc_hook both = both_hooks(ifindex);
  const int error = bpf_tc_hook_create(&both);
  return error == -EEXIST ? 0 : error;
}

void remove_clsact(int ifindex) {
  bpf_tc_hook both = both_hooks(ifindex);
  bpf_tc_hook_destroy(&both);
}

}  // namespace nlb
