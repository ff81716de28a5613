// SPDX-License-Identifier: Apache-2.0
// Heartbeats as the filter sees them: a header, a body that it does not read, a signature that it does not
// judge, and the tag.
#pragma once

#include "datapath/datapath.hh"
#include "packets.hh"

namespace nlb::test {

struct Speaker {
  HostId id;
  uint64_t incarnation, sequence;
};
inline constexpr Speaker kBelieved{3, 0x1122334455667788,
                                   100};  // whom the daemon believes, its newest number

HeartbeatKey tag_key();  // the cluster's
HeartbeatKey other_tag_key();

// Payload of Ethernet.
Frame heartbeat(const Speaker& speaker, const HeartbeatKey& key = tag_key(), std::size_t body_bytes = 144);

}  // namespace nlb::test
