// SPDX-License-Identifier: Apache-2.0
#include "datapath/programs.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "nlb_egress_tc.skel.h"
#include "nlb_ingress_tc.skel.h"
#include "nlb_ingress_xdp.skel.h"
#include "nlb_iter_tcp.skel.h"

namespace nlb {

struct Programs::Objects {
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

namespace {

void silence_libbpf() {
  libbpf_set_print(nullptr);
}

Result<void> take_over_maps(bpf_object* object, const MapSet& maps) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const auto given = maps.find(std::string_view(bpf_map__name(map)));
    if (given == maps.end() || !is_shared_map(bpf_map__name(map))) continue;
    if (const int error = bpf_map__reuse_fd(map, given->second.get()); error != 0) {
      return fail(std::string("cannot reuse map ") + bpf_map__name(map), -error);
    }
  }
  return {};
}

void collect_maps(bpf_object* object, MapSet& maps) {
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, object) {
    const std::string_view name = bpf_map__name(map);
    if (!is_shared_map(name) || maps.contains(name)) continue;
    maps.emplace(name, FileDescriptor(fcntl(bpf_map__fd(map), F_DUPFD_CLOEXEC, 3)));
  }
}

}  // namespace

Programs::Programs() : objects_(std::make_unique<Objects>()) {}
Programs::~Programs() = default;

Result<std::unique_ptr<Programs>> Programs::load(const MapSet& reuse) {
  silence_libbpf();
  std::unique_ptr<Programs> programs(new Programs);
  if (!programs->objects_->opened()) return fail("cannot open the kernel programs", errno);
  for (const auto& [name, fd] : reuse) {
    programs->maps_.emplace(name, FileDescriptor(fcntl(fd.get(), F_DUPFD_CLOEXEC, 3)));
  }
  for (bpf_object* object : programs->objects_->all()) {
    if (auto taken = take_over_maps(object, programs->maps_); !taken) return tl::unexpected(taken.error());
    if (const int error = bpf_object__load(object); error != 0) {
      return fail(std::string("the kernel refuses program ") + bpf_object__name(object) + ": " +
                      std::strerror(-error) + " (needs root, CAP_BPF and a kernel 5.18 or newer with BTF)",
                  -error);
    }
    collect_maps(object, programs->maps_);
  }
  return programs;
}

std::map<std::string, MapShape> Programs::expected_maps() {
  std::map<std::string, MapShape> shapes;
  const Objects objects;
  if (!objects.opened()) return shapes;
  bpf_map* map = nullptr;
  bpf_object__for_each_map(map, objects.ingress->obj) {
    if (is_shared_map(bpf_map__name(map)))
      shapes[bpf_map__name(map)] = {static_cast<uint32_t>(bpf_map__type(map)), bpf_map__key_size(map),
                                    bpf_map__value_size(map), bpf_map__max_entries(map)};
  }
  return shapes;
}

uint32_t Programs::abi_version() {
  return NLB_ABI_VERSION;
}

int Programs::xdp() const {
  return bpf_program__fd(objects_->xdp->progs.nlb_ingress_xdp);
}
int Programs::ingress() const {
  return bpf_program__fd(objects_->ingress->progs.nlb_ingress_tc);
}
int Programs::egress() const {
  return bpf_program__fd(objects_->egress->progs.nlb_egress_tc);
}

Result<void> Programs::walk_sockets() const {
  bpf_link* link = bpf_program__attach_iter(objects_->iterator->progs.nlb_iter_tcp, nullptr);
  if (link == nullptr) return fail("cannot attach the socket iterator", errno);
  const FileDescriptor walk(bpf_iter_create(bpf_link__fd(link)));
  const int create_error = errno;
  bpf_link__destroy(link);
  if (!walk) return fail("cannot start the socket iterator", create_error);
  char nothing[64];
  ssize_t got = 0;
  do {
    got = ::read(walk.get(), nothing, sizeof nothing);
  } while (got > 0 || (got < 0 && (errno == EINTR || errno == EAGAIN)));
  if (got < 0) return fail("the socket iterator stopped", errno);
  return {};
}

}  // namespace nlb
