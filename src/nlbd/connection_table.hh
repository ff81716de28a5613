// SPDX-License-Identifier: Apache-2.0
// The live connections of this host with a VIP: sockets, and connections that are translated (a container's),
// which have an entry in connection tracking instead. Sockets are counted in the kernel; entries must be
// read, which takes seconds where there are a million. So what was read serves again for a while, as long as
// no bucket was given up or taken since: connections of a bucket that is not owned only become fewer.
//
// For the scanner's thread, but for what says otherwise.
#pragma once

#include <atomic>
#include <mutex>

#include "datapath/datapath.hh"

namespace nlb {

class ConnectionTable {
 public:
  explicit ConnectionTable(Datapath& datapath) : datapath_(datapath) {}

  // `states` changes with every change of a bucket's state. Where connection tracking cannot be read at all,
  // sockets are all there is; `nlb doctor` says so (service.translation).
  [[nodiscard]] Result<LiveConnections> read(uint64_t states);
  // Looks for translated connections when nobody has for a while, never for more than a few hundredths of the
  // time.
  void look_around(uint64_t states);
  // The newest reading of translated connections. On any thread.
  [[nodiscard]] LiveConnections translated() const;
  // CLOCK_BOOTTIME at which a translated connection was last seen; 0 = never. On any thread.
  [[nodiscard]] Nanos translated_seen_at() const { return seen_at_; }

 private:
  struct Translated {
    LiveConnections live;
    uint64_t states = 0;
    Nanos begun_at = 0, cost = 0;  // 0 = never read; of a processor
  };
  [[nodiscard]] Result<LiveConnections> read_translated(uint64_t states);

  Datapath& datapath_;
  mutable std::mutex mutex_;  // for what other threads read of translated_
  Translated translated_;
  std::atomic<Nanos> seen_at_{0};
};

}  // namespace nlb
