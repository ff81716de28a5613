// SPDX-License-Identifier: Apache-2.0
// The kernel filter of one cluster on one interface, as user space sees it: load or adopt, attach, write
// ownership, read back. Nothing here decides; src/core decides and this writes it down.
//
// Life of the programs: they are attached by netlink (XDP) and as clsact filters (tc), so they outlive the
// daemon whatever becomes of its mount namespace; maps are pinned below the pin directory where a bpffs can
// be had, and found again through the attached programs where not. A daemon that finds programs of the same
// ABI version adopts their maps; of another version, it loads its own beside them, fills them closed (no new
// flow; a segment with a local socket goes on) and replaces the programs one by one, atomically.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/limits.hh"
#include "base/net.hh"
#include "base/result.hh"
#include "core/bucket_state.hh"
#include "core/config.hh"

namespace nlb {

struct DatapathOptions {
  std::string interface;
  std::string pin_directory;  // e.g. /sys/fs/bpf/opennlb/<name>; made when missing
  DatapathKind at_most = DatapathKind::xdp_native;
};

// What the filter is told of the cluster. Written as one bank and switched to atomically.
struct FilterConfig {
  std::vector<IpAddress> vips;
  std::vector<PortRule> rules;
  std::array<uint8_t, 16> seed{};
  ClusterMode mode = ClusterMode::unicast;
  bool replace = false;    // unicast only: the adapter's MAC is the cluster MAC
  MacAddress adapter_mac;  // the adapter's own (in `replace`: the one it had before)
  MacAddress cluster_mac;
  MacAddress masked_mac;
  IpAddress dedicated_ip;      // IPv4; 0.0.0.0 when the adapter has none
  IpAddress dedicated_ip6;     // :: when the adapter has none
  uint64_t reset_wait_ns = 0;  // two heartbeat periods: how long a stack-made reset is held back
  bool asks_tracking = false;  // there may be translated connections: the guard asks connection tracking
  bool bound = false;  // false: this host serves no VIP (refused, stopped): drop VIP traffic, answer no ARP
};

// By which the filter knows a heartbeat of the cluster (wire/tag.hh).
struct HeartbeatKey {
  std::array<uint8_t, 8> id{};
  std::array<uint8_t, 16> octets{};
};

struct Counter {
  std::string name;  // from the verdict list
  uint64_t packets = 0;
  uint64_t bytes = 0;
  bool expected = true;  // false: should be zero in production
};

// A TCP connection of a client with a virtual IP address.
struct ClientConnection {
  IpAddress client, vip;
  uint16_t client_port = 0, vip_port = 0;
};

struct LiveConnections {                                               // by slot; TIME_WAIT does not count
  std::vector<BucketSet> buckets = std::vector<BucketSet>(kMaxSlots);  // {kMaxSlots} would be one set
  std::vector<uint32_t> connections = std::vector<uint32_t>(kMaxSlots, 0);
  // connections per bucket of one slot are asked for separately
  void add(const LiveConnections& others);
};

class Datapath {
 public:
  virtual ~Datapath() = default;

  // Loads (or adopts) and attaches. Everything is closed until open() and ownership are written.
  [[nodiscard]] static Result<std::unique_ptr<Datapath>> attach(const DatapathOptions& options);
  // Removes programs, pins and maps of this interface, whoever left them. Fine when there are none.
  [[nodiscard]] static Result<void> remove(const DatapathOptions& options);

  [[nodiscard]] virtual bool adopted() const = 0;  // true: an earlier daemon's maps go on
  [[nodiscard]] virtual Result<void> configure(const FilterConfig& config) = 0;
  // The best kind from now on. tc decides in any case, so no frame passes unjudged between two kinds; a
  // driver may lose a few when its XDP program comes or goes.
  virtual void allow(DatapathKind at_most) = 0;
  // New flows are accepted until this instant of CLOCK_BOOTTIME; 0 closes. Cheap: a store to mapped memory.
  virtual void set_lease(Nanos until) = 0;
  [[nodiscard]] virtual Nanos lease() const = 0;
  // Writes one slot's 4096 bucket states. Each bucket changes atomically; the slot as a whole does not need
  // to.
  virtual void set_buckets(std::size_t slot, const SlotStates& states) = 0;
  [[nodiscard]] virtual SlotStates buckets(std::size_t slot) const = 0;

  // Heartbeats that are tagged by one of these keys, with a number that is new for an incarnation that is
  // believed, pass the filter without a limit; what else has their EtherType has a budget
  // (nlb/abi/heartbeat.h).
  virtual void set_heartbeat_keys(std::span<const HeartbeatKey> keys) = 0;
  virtual void forget_senders() = 0;
  // One incarnation a host id: the one that was believed before is believed no more.
  virtual void believe_sender(HostId id, uint64_t incarnation, uint64_t sequence) = 0;

  // Extended affinity (nlb/abi/visit.h). In a kept bucket only clients that the filter remembers count.
  virtual void set_kept(std::size_t slot, const BucketSet& kept) = 0;
  // Where, since the last call, somebody came that counts, by slot; and forgets clients that have not come
  // for the longest timeout. An open connection counts when the socket table is walked.
  [[nodiscard]] virtual std::vector<BucketSet> take_visits(std::span<const std::size_t> slots,
                                                           Nanos longest_timeout, Nanos now) = 0;

  // Walks the socket table of the network namespace this was called in (a BPF iterator).
  [[nodiscard]] virtual Result<LiveConnections> live_connections() = 0;

  // Hands out connections that are in no socket table; what belongs to no virtual IP address is passed over.
  using Connections = std::function<Result<void>(const std::function<void(const ClientConnection&)>& take)>;
  // Counts them as the programs would. Fails when another configuration came into force meanwhile.
  [[nodiscard]] virtual Result<LiveConnections> count(const Connections& connections) = 0;

  [[nodiscard]] virtual std::vector<Counter> counters() const = 0;
  // Read back from the kernel, not from memory.
  [[nodiscard]] virtual DatapathKind attached_kind() const = 0;
  // True: ours stands back for an XDP program that was there first, and tc works alone.
  [[nodiscard]] virtual bool yields_xdp() const = 0;
  // Re-attaches what somebody detached. Returns the names of the hooks that were missing.
  [[nodiscard]] virtual Result<std::vector<std::string>> repair() = 0;
};

}  // namespace nlb
