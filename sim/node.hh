// SPDX-License-Identifier: Apache-2.0
// One machine: its daemon (the shipped core), what its kernel knows, its clock, and what is wrong with it at
// present. Faults overlap, so what several may cause is counted.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "core/host.hh"
#include "sim/acquaintance.hh"
#include "sim/clock.hh"
#include "sim/visits.hh"

namespace nlb::sim {

using BucketWords = std::array<uint64_t, kBucketCount / 64>;

struct Received {  // waits for the daemon
  uint32_t packet = 0;
  Port from = 0;
};

// What a snapshot of a machine holds.
struct Snapshot {
  core::Host host;
  std::vector<SlotStates> states;
  Nanos lease = 0, local = 0;
};

// The port of the switch that a machine is plugged into, and what the switch knows of it.
struct Plug {
  int down = 0;  // unseen by the machine
  uint64_t incarnation = 0, nonce = 0;
  Nanos spoke_to_switch_at = 0;
  Nanos heard_at = 0;  // its newest frame for others
  bool fenced = false;
  uint64_t fenced_incarnation = 0;
  uint32_t fence = 0;  // their number
};

// A walk over the socket table: what it finds is there when it begins. A socket that is opened meanwhile may
// be missed, for the walk may have passed its place.
struct Walk {
  uint32_t token = 0;
  std::size_t connections = 0;
  core::SlotBuckets live;
};

struct Node {
  HostId id = 0;
  Port port = 0;
  MacAddress mac;
  bool namesake = false;  // has the id of another machine
  uint8_t weight = wire::kOfferEqual;
  Clock clock;

  std::unique_ptr<core::Host> host;  // null: no daemon runs
  core::ResumePoint resume_point;    // what it has left for its successor
  std::vector<Received> inbox;       // while the daemon has no turn
  uint8_t generation = 0;            // of the daemon; what was asked by an earlier one is not answered
  Nanos wake_at = 0;                 // when the timer is set for, in the world's time
  int64_t changed_item = -1;         // of its configuration file, compared with the others'; -1 = none
  int64_t unhealthy = -1;            // as the fault's VALUE; -1 = all its health checks hold
  bool next_minor = false;           // speaks the next minor version of the protocol

  bool kernel_alive = false;
  bool filter_closed = false;                            // `nlb stop`
  std::vector<SlotStates> states;                        // by slot: what the kernel's filter holds
  std::vector<BucketWords> owned;                        // the same, as sets of owned buckets
  std::vector<std::optional<core::FilterSets>> written;  // by the daemon, where nothing else was since
  Nanos lease = 0;                                       // by the machine's own clock
  uint64_t hash_seed = 0;                                // of the bucket hash
  Visits visits;
  std::vector<uint32_t> flows;  // connections that live here
  std::deque<Walk> walks;       // under way

  Nanos counted_second = 0;
  uint64_t sent_in_it = 0;

  std::deque<Nanos> views;  // when it changed its view, of late

  // What is wrong, and how often.
  int off = 0, down = 0;        // no power; no daemon
  Nanos stands_since = 0;       // the machine, in the world's time
  int stalled = 0, paused = 0;  // the daemon stands still; the machine does
  int clock_stopped = 0;        // with the machine
  int isolated = 0, no_carrier = 0, deaf = 0, no_gateway = 0;
  bool carrier_untold = false;  // it changed while the daemon had no turn
  int64_t starving_ms = 0, slow_scan_ms = 0;
  bool turn_taken = false;  // a starved daemon waits for the processor

  Plug plug;
  int moving = 0;
  bool away = false, was_away = false;  // behind another switch
  int notices_lost = 0, notices_twice = 0;
  int64_t notices_late_ms = 0;

  Nanos company_at = 0;        // when its daemon last heard a host or the gateway, or got its turn back
  HostSet knew = 0;            // whom its daemon was acquainted with when it lost its turn
  HostSet remembers = 0;       // whose kernel its daemon may be expected to know of, their daemons being down
  Nanos resumed_at = 0;        // when it last went on after it had stood still for D, in the world's time
  Nanos resumed_local = 0;     // its clock when it went on after it had stood still
  Nanos clock_shifted_at = 0;  // when it last went on with a clock that had stood still, or was set back
  Nanos excused_until = 0;     // the lease that it had then: until its end it cannot know better
  std::unique_ptr<Snapshot> snapshot;

  [[nodiscard]] bool daemon_runs() const {
    return host && kernel_alive && stalled == 0 && paused == 0 && !turn_taken;
  }
  [[nodiscard]] bool kernel_runs() const { return kernel_alive && paused == 0; }
  [[nodiscard]] bool connected() const {
    return isolated == 0 && no_carrier == 0 && plug.down == 0 && !plug.fenced;
  }
  // Do frames for clients' connections get in here?
  [[nodiscard]] bool serves() const { return kernel_runs() && !filter_closed && connected() && deaf == 0; }
  [[nodiscard]] bool lease_valid(Nanos now) const {
    return clock.local(now) < lease || (core::planted(core::Bug::lease_unread) && lease != 0);
  }
  [[nodiscard]] BucketState state(std::size_t slot, uint32_t bucket) const { return states[slot][bucket]; }
  [[nodiscard]] bool accepts(std::size_t slot, uint32_t bucket, Nanos now) const {
    const BucketState state = states[slot][bucket];
    const bool owns = state == BucketState::owned || state == BucketState::owned_checked;
    return owns && kernel_runs() && !filter_closed && !plug.fenced && lease_valid(now);
  }
};

}  // namespace nlb::sim
