// SPDX-License-Identifier: Apache-2.0
// The ingress decision once more, in plain C++ over bytes and FilterConfig: no maps, no kernel. Tests compare
// the kernel programs with it packet by packet; the simulator may use it as a host's filter. It reads the
// rules as they were configured, not the port tables, and keeps every accepted first fragment (the kernel
// forgets the oldest).
#pragma once

#include <nlb/abi/verdict.h>

#include <functional>
#include <map>
#include <set>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include "datapath/datapath.hh"

namespace nlb {

struct ModelSegment {  // a TCP segment that cannot begin a flow
  IpAddress client, vip;
  uint16_t client_port = 0, vip_port = 0;
  uint32_t sequence = 0, acknowledgement = 0;
  bool has_acknowledgement = false;
};

class FilterModel {
 public:
  // What the local socket table says of a segment: NLB_VERDICT_held, _cookie or _stray (no socket).
  using FindConnection = std::function<nlb_verdict(const ModelSegment&)>;

  explicit FilterModel(FilterConfig config) : config_(std::move(config)), states_(kMaxSlots) {}

  void set_buckets(std::size_t slot, const SlotStates& states) { states_[slot] = states; }
  void set_lease(Nanos until) { lease_ = until; }
  // Of heartbeats: as the methods of Datapath. A model that was told of no key takes all for strangers'.
  void set_heartbeat_keys(std::vector<HeartbeatKey> keys) { heartbeat_keys_ = std::move(keys); }
  void believe_sender(HostId id, uint64_t incarnation, uint64_t sequence) {
    newest_[{id, incarnation}] = sequence;
  }
  void spend_budgets();  // nothing is left, for an hour

  // Extended affinity: as the methods of Datapath, but it remembers clients one by one.
  void set_kept(std::size_t slot, const BucketSet& kept) { kept_[slot] = kept; }
  [[nodiscard]] std::vector<BucketSet> take_visits() {
    return std::exchange(seen_, std::vector<BucketSet>(kMaxSlots));
  }
  void begin_generation() { remembered_[1] = std::exchange(remembered_[0], {}); }

  void set_find_connection(FindConnection find) { find_ = std::move(find); }

  [[nodiscard]] nlb_verdict judge(std::span<const uint8_t> frame, Nanos now);
  [[nodiscard]] static uint32_t bucket_of(const FilterConfig& config, Affinity affinity,
                                          const IpAddress& client, uint16_t port);

 private:
  struct Packet;
  using FragmentKey = std::tuple<IpAddress, IpAddress, uint32_t, uint8_t>;

  [[nodiscard]] static bool accepts(nlb_verdict verdict);
  [[nodiscard]] bool is_vip(const IpAddress& address) const;
  [[nodiscard]] bool is_vip6(const IpAddress& address) const;
  [[nodiscard]] bool is_cluster_mac(std::span<const uint8_t> mac) const;
  [[nodiscard]] std::size_t carrier_bytes(uint16_t type, std::span<const uint8_t> ip) const;
  [[nodiscard]] bool lease_valid() const { return now_ < lease_; }
  [[nodiscard]] std::size_t slot_of(const IpAddress& vip, RuleProtocol protocol, uint16_t port) const;
  [[nodiscard]] nlb_verdict judge_arp(std::span<const uint8_t> arp, std::span<const uint8_t> frame) const;
  [[nodiscard]] nlb_verdict judge_ipv4(std::span<const uint8_t> ip);
  [[nodiscard]] nlb_verdict judge_ipv6(std::span<const uint8_t> ip, std::span<const uint8_t> frame);
  [[nodiscard]] nlb_verdict judge_discovery(std::span<const uint8_t> ip, std::span<const uint8_t> message,
                                            std::span<const uint8_t> frame) const;
  [[nodiscard]] nlb_verdict judge_ported(const Packet& packet);  // TCP, UDP; else the default slot
  [[nodiscard]] nlb_verdict judge_portless(const Packet& packet);
  [[nodiscard]] nlb_verdict judge_tcp(const Packet& packet);
  [[nodiscard]] nlb_verdict judge_udp(const Packet& packet);
  [[nodiscard]] nlb_verdict judge_icmp(const Packet& packet);
  [[nodiscard]] nlb_verdict judge_icmpv6(const Packet& packet);
  [[nodiscard]] nlb_verdict find_connection(const ModelSegment& segment) const;
  [[nodiscard]] nlb_verdict judge_flow(const Packet& packet, std::size_t slot, uint16_t client_port,
                                       const ModelSegment* segment);
  [[nodiscard]] nlb_verdict judge_state(BucketState state, const ModelSegment* segment) const;
  void note_visit(const Packet& packet, std::size_t slot, std::size_t bucket);
  [[nodiscard]] nlb_verdict judge_heartbeat(std::span<const uint8_t> payload,
                                            std::span<const uint8_t> source_mac);
  [[nodiscard]] bool is_tagged(std::span<const uint8_t> payload) const;
  [[nodiscard]] bool spend(std::size_t index);
  [[nodiscard]] nlb_verdict judge_other(std::span<const uint8_t> frame) const;

  // So many frames at once; one more each interval.
  struct Budget {
    double frames = 0;
    Nanos at = 0;
  };

  FilterConfig config_;
  std::vector<HeartbeatKey> heartbeat_keys_;
  std::map<std::pair<HostId, uint64_t>, uint64_t> newest_;  // by sender and incarnation
  std::map<std::size_t, Budget> budgets_;
  std::vector<SlotStates> states_;
  Nanos lease_ = 0, now_ = 0;
  FindConnection find_;
  std::set<FragmentKey> fragments_;
  std::vector<BucketSet> kept_ = std::vector<BucketSet>(kMaxSlots), seen_ = std::vector<BucketSet>(kMaxSlots);
  std::array<std::set<std::pair<std::size_t, IpAddress>>, 2> remembered_;  // the present generation first
};

}  // namespace nlb
