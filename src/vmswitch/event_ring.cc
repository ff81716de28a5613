// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/event_ring.hh"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace nlb::vmswitch {

template <typename Record>
Result<std::unique_ptr<KernelRing<Record>>> KernelRing<Record>::open(int map) {
  std::unique_ptr<KernelRing> ring(new KernelRing);
  ring->ring_ = ring_buffer__new(map, take, ring.get(), nullptr);
  if (ring->ring_ == nullptr)
    return fail(std::string("cannot read what the guard hands over: ") + std::strerror(errno), errno);
  return ring;
}

template <typename Record>
KernelRing<Record>::~KernelRing() {
  ring_buffer__free(ring_);
}

template <typename Record>
int KernelRing<Record>::fd() const {
  return ring_buffer__epoll_fd(ring_);
}

template <typename Record>
int KernelRing<Record>::take(void* ring, void* data, size_t bytes) {
  Record record{};
  if (bytes >= sizeof record) {
    std::memcpy(&record, data, sizeof record);
    static_cast<KernelRing*>(ring)->taken_.push_back(record);
  }
  return 0;
}

template <typename Record>
std::vector<Record> KernelRing<Record>::read() {
  taken_.clear();
  ring_buffer__consume(ring_);
  return std::exchange(taken_, {});
}

template class KernelRing<nlb_guard_event>;
template class KernelRing<nlb_steering_part>;

}  // namespace nlb::vmswitch
