// SPDX-License-Identifier: Apache-2.0
#include "vmswitch/event_ring.hh"

#include <bpf/libbpf.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace nlb::vmswitch {

Result<std::unique_ptr<EventRing>> EventRing::open(int map) {
  std::unique_ptr<EventRing> ring(new EventRing);
  ring->ring_ = ring_buffer__new(map, take, ring.get(), nullptr);
  if (ring->ring_ == nullptr)
    return fail(std::string("cannot read the guard's events: ") + std::strerror(errno), errno);
  return ring;
}

EventRing::~EventRing() {
  ring_buffer__free(ring_);
}

int EventRing::fd() const {
  return ring_buffer__epoll_fd(ring_);
}

int EventRing::take(void* ring, void* data, size_t bytes) {
  nlb_guard_event event{};
  if (bytes >= sizeof event) {
    std::memcpy(&event, data, sizeof event);
    static_cast<EventRing*>(ring)->taken_.push_back(event);
  }
  return 0;
}

std::vector<nlb_guard_event> EventRing::read() {
  taken_.clear();
  ring_buffer__consume(ring_);
  return std::exchange(taken_, {});
}

}  // namespace nlb::vmswitch
