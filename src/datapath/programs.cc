// SPDX-License-Identifier: Apache-2.0
#include "datapath/programs.hh"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <array>
#include <cerrno>

#include "datapath/object_loading.hh"
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

Programs::Programs() : objects_(std::make_unique<Objects>()) {}
Programs::~Programs() = default;

Result<std::unique_ptr<Programs>> Programs::load(const MapSet& reuse) {
  silence_libbpf();
  std::unique_ptr<Programs> programs(new Programs);
  if (!programs->objects_->opened()) return fail("cannot open the kernel programs", errno);
  programs->maps_ = duplicate(reuse);
  for (bpf_object* object : programs->objects_->all()) {
    if (auto loaded = load_object(object, programs->maps_); !loaded) return tl::unexpected(loaded.error());
  }
  return programs;
}

std::map<std::string, MapShape> Programs::expected_maps() {
  const Objects objects;
  return objects.opened() ? shapes_of(objects.ingress->obj) : std::map<std::string, MapShape>{};
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
