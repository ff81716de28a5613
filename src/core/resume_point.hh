// SPDX-License-Identifier: Apache-2.0
// What a daemon has to know to go on as if it had not died: the view that its predecessor on this machine had
// acquired, and what it had heard from the members. Valid while the predecessor's lease is: nobody can have
// taken its buckets by then.
#pragma once

#include <vector>

#include "wire/heartbeat.hh"

namespace nlb::core {

struct ResumedPeer {
  HostId id = 0;
  uint64_t sequence = 0;
  wire::Heartbeat heartbeat;  // with the incarnation in its header
};

// Two of them with the same mark say the same.
struct ResumeMark {
  bool valid = false;
  uint32_t view = 0;
  uint64_t view_digest = 0;
  uint64_t sequence_block = 0;  // renewed from time to time, so that no resumed number was used before
  uint32_t times = 0;
  bool operator==(const ResumeMark&) const = default;
};

struct ResumePoint {
  uint64_t incarnation = 0;
  ResumeMark mark;
  HostSet members = 0;  // of the view
  std::vector<ResumedPeer> peers;
};

}  // namespace nlb::core
