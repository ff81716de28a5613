// SPDX-License-Identifier: Apache-2.0
#include "datapath/programs.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <cerrno>

#include "datapath/object_loading.hh"
#include "datapath/program_identity.hh"
#include "nlb_egress_tc.skel.h"
#include "nlb_ingress_tc.skel.h"
#include "nlb_ingress_xdp.skel.h"
#include "nlb_iter_tcp.skel.h"

namespace nlb {
namespace {

struct Objects {
  nlb_ingress_tc* ingress = nlb_ingress_tc__open();
  nlb_ingress_xdp* xdp = nlb_ingress_xdp__open();
  nlb_egress_tc* egress = nlb_egress_tc__open();
  nlb_iter_tcp* iterator = nlb_iter_tcp__open();

  Objects() = default;
  Objects(const Objects&) = delete;
  Objects& operator=(const Objects&) = delete;
  ~Objects() {
    nlb_ingress_tc__destroy(ingress);
    nlb_ingress_xdp__destroy(xdp);
    nlb_egress_tc__destroy(egress);
    nlb_iter_tcp__destroy(iterator);
  }
  [[nodiscard]] bool opened() const { return ingress && xdp && egress && iterator; }
  // All declare the same maps; the first one loaded makes those that were not handed in.
  [[nodiscard]] std::array<bpf_object*, 4> all() const {
    return {ingress->obj, xdp->obj, egress->obj, iterator->obj};
  }
};

std::span<const std::byte> octets_of(const void* (*elf_bytes)(std::size_t*)) {
  std::size_t size = 0;
  const void* octets = elf_bytes(&size);
  return {static_cast<const std::byte*>(octets), size};
}

// Of an object with one program.
FileDescriptor program_of(bpf_object* object) {
  const bpf_program* program = bpf_object__next_program(object, nullptr);
  return FileDescriptor(fcntl(bpf_program__fd(program), F_DUPFD_CLOEXEC, 3));
}

}  // namespace

Result<std::unique_ptr<Programs>> Programs::load(const MapSet& reuse) {
  silence_libbpf();
  const Objects objects;
  if (!objects.opened()) return fail("cannot open the kernel programs", errno);
  std::unique_ptr<Programs> programs(new Programs);
  programs->maps_ = duplicate(reuse);
  for (std::size_t i = 0; i < kCount; ++i) {
    bpf_object* object = objects.all()[i];
    if (auto loaded = load_object(object, programs->maps_); !loaded) return tl::unexpected(loaded.error());
    programs->fds_[i] = program_of(object);
    if (!programs->fds_[i]) return fail("cannot keep a kernel program", errno);
  }
  return programs;
}

std::unique_ptr<Programs> Programs::pinned(const std::string& directory, MapSet maps) {
  std::unique_ptr<Programs> programs(new Programs);
  const Identities wanted = identities(maps);
  for (std::size_t i = 0; i < kCount; ++i) {
    programs->fds_[i] = pinned_program(directory, wanted[i]);
    if (!programs->fds_[i]) return nullptr;
  }
  programs->maps_ = std::move(maps);
  return programs;
}

Programs::Identities Programs::identities(const MapSet& maps) {
  return {program_identity(octets_of(nlb_ingress_tc__elf_bytes), maps),
          program_identity(octets_of(nlb_ingress_xdp__elf_bytes), maps),
          program_identity(octets_of(nlb_egress_tc__elf_bytes), maps),
          program_identity(octets_of(nlb_iter_tcp__elf_bytes), maps)};
}

std::vector<ProgramPin> Programs::pins() const {
  const Identities made_of = identities(maps_);
  std::vector<ProgramPin> pins;
  for (std::size_t i = 0; i < kCount; ++i) pins.push_back({fds_[i].get(), made_of[i]});
  return pins;
}

std::map<std::string, MapShape> Programs::expected_maps() {
  const Objects objects;
  return objects.opened() ? shapes_of(objects.ingress->obj) : std::map<std::string, MapShape>{};
}

uint32_t Programs::abi_version() {
  return NLB_ABI_VERSION;
}

Result<void> Programs::walk_sockets() const {
  const FileDescriptor link(bpf_link_create(fds_[kIterator].get(), 0, BPF_TRACE_ITER, nullptr));
  if (!link) return fail("cannot attach the socket iterator", errno);
  const FileDescriptor walk(bpf_iter_create(link.get()));
  if (!walk) return fail("cannot start the socket iterator", errno);
  char nothing[64];
  ssize_t got = 0;
  do {
    got = ::read(walk.get(), nothing, sizeof nothing);
  } while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
  if (got < 0) return fail("the socket iterator stopped", errno);
  return {};
}

}  // namespace nlb
