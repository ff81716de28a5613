// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/guard_programs.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <nlb/abi/guard.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "datapath/object_loading.hh"
#include "nlb_guard_receive.skel.h"
#include "nlb_guard_transmit.skel.h"

namespace nlb::vmswitch {

struct GuardPrograms::Objects {
  nlb_guard_transmit* transmit = nlb_guard_transmit__open();
  nlb_guard_receive* receive = nlb_guard_receive__open();

  Objects() = default;
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;
  ~Objects() {
    nlb_guard_transmit__destroy(transmit);
    nlb_guard_receive__destroy(receive);
  }
  [[nodiscard]] bool opened() const { return transmit != nullptr && receive != nullptr; }
};

namespace {

bpf_prog_info info_of(int program) {
  bpf_prog_info info{};
  uint32_t bytes = sizeof info;
  return bpf_obj_get_info_by_fd(program, &info, &bytes) == 0 ? info : bpf_prog_info{};
}

FileDescriptor duplicate_of(const bpf_program* program) {
  return FileDescriptor(fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 3));
}

bool uses_maps(uint32_t program, const MapSet& maps) {
  const MapSet theirs = maps_of_programs(std::array{program});
  return !theirs.empty() && std::all_of(theirs.begin(), theirs.end(), [&](const auto& one) {
    const auto ours = maps.find(one.first);
    return ours != maps.end() && map_id(ours->second.get()) == map_id(one.second.get());
  });
}

bool is_of_our_version(int control) {
  nlb_guard_control value{};
  const uint32_t zero = 0;
  return bpf_map_lookup_elem(control, &zero, &value) == 0 && value.abi_version == NLB_GUARD_ABI_VERSION;
}

}  // namespace

GuardPrograms::GuardPrograms() : objects_(std::make_unique<Objects>()) {}
GuardPrograms::~GuardPrograms() = default;

Result<std::unique_ptr<GuardPrograms>> GuardPrograms::load(const MapSet& reuse) {
  std::unique_ptr<GuardPrograms> programs(new GuardPrograms);
  if (!programs->objects_->opened()) return fail("cannot open the kernel programs", errno);
  programs->maps_ = duplicate(reuse);
  for (bpf_object* object : {programs->objects_->transmit->obj, programs->objects_->receive->obj})
    if (auto loaded = load_object(object, programs->maps_); !loaded) return tl::unexpected(loaded.error());
  programs->transmit_ = duplicate_of(programs->objects_->transmit->progs.nlb_guard_transmit);
  programs->receive_ = duplicate_of(programs->objects_->receive->progs.nlb_guard_receive);
  return programs;
}

FoundMaps GuardPrograms::judge(const MapSet& found) {
  const auto control = found.find("guard_control");
  if (control == found.end()) return FoundMaps::none;
  const Objects objects;
  if (!objects.opened()) return FoundMaps::other_abi;
  auto wanted = shapes_of(objects.transmit->obj);
  wanted.merge(shapes_of(objects.receive->obj));
  const auto control_shape = map_shape(control->second.get());
  if (!control_shape || !(*control_shape == wanted["guard_control"]) ||
      !is_of_our_version(control->second.get()))
    return FoundMaps::other_abi;
  for (const auto& [name, shape] : wanted) {
    const auto map = found.find(name);
    if (map == found.end()) return FoundMaps::other_abi;
    const auto is = map_shape(map->second.get());
    if (!is || !(*is == shape)) return FoundMaps::other_abi;
  }
  return FoundMaps::same_abi;
}

void GuardPrograms::prefer(const std::vector<uint32_t>& attached) {
  for (const uint32_t id : attached) {
    FileDescriptor program(bpf_prog_get_fd_by_id(id));
    const auto about = info_of(program.get());
    for (auto* own : {&transmit_, &receive_}) {
      const auto wanted = info_of(own->get());
      if (about.id == wanted.id || std::memcmp(about.tag, wanted.tag, sizeof wanted.tag) != 0 ||
          std::strcmp(about.name, wanted.name) != 0 || !uses_maps(id, maps_))
        continue;
      *own = std::move(program);
      break;
    }
  }
}

uint32_t GuardPrograms::transmit_id() const {
  return info_of(transmit()).id;
}
uint32_t GuardPrograms::receive_id() const {
  return info_of(receive()).id;
}

}  // namespace nlb::vmswitch
