// SPDX-License-Identifier: Apache-2.0
// What will happen, in the order of time; things of one instant in the order in which they were planned.
#pragma once

#include <algorithm>
#include <vector>

#include "sim/acquaintance.hh"

namespace nlb::sim {

enum class EventKind : uint8_t {
  delivery,    // a frame reaches a port
  wake,        // a daemon's timer
  turn_taken,  // a starved daemon loses the processor, or gets it back
  scanned,     // the walk over the socket table has ended
  answered,    // a kernel's ARP answer is back
  fault_begins,
  fault_ends,
  intrusion,  // a stranger sends something
  connect,    // a client's SYN
  segment,    // a segment of an established connection
  visit,      // a client that comes again
  notice,     // the switch tells a host that another one's port is fenced
  fence_ends,
  port_ends,  // of a machine that has moved away
};

struct Event {
  Nanos at = 0;
  uint64_t order = 0;
  uint32_t subject = 0;  // by kind: packet, flow, fault, token
  EventKind kind = EventKind::delivery;
  Port port = 0, from = 0;
  uint8_t generation = 0;  // of the daemon or flow that it is for
};

class EventQueue {
 public:
  void push(Event event) {
    event.order = ++order_;
    heap_.push_back(event);
    std::push_heap(heap_.begin(), heap_.end(), later);
  }
  [[nodiscard]] bool due(Nanos until) const { return !heap_.empty() && heap_.front().at <= until; }
  Event pop() {
    std::pop_heap(heap_.begin(), heap_.end(), later);
    const Event event = heap_.back();
    heap_.pop_back();
    return event;
  }

 private:
  static bool later(const Event& a, const Event& b) { return a.at != b.at ? a.at > b.at : a.order > b.order; }
  std::vector<Event> heap_;
  uint64_t order_ = 0;
};

}  // namespace nlb::sim
