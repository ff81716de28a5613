// SPDX-License-Identifier: Apache-2.0
// Proof before bind: does the way between this adapter and its neighbours carry the cluster's MACs? Pure:
// time and answers are arguments.
//
// Idea: an ARP probe (RFC 5227 §1.1: sender address 0.0.0.0) is answered by unicast to the MAC in its
// payload, and nobody caches anything. Ethernet source and payload MAC are varied apart:
//
//   source   payload   tells, when the answer comes
//   own      own       baseline: somebody answers at all
//   own      cluster   frames to the cluster MAC come in, and ARP with it passes
//   own      masked    the same for the masked MAC, to which `replace` binds dedicated addresses
//   masked   own       frames with a foreign source leave (`replace` only)
//
// Where the cluster MAC is a group (modes multicast and igmp), whoever is asked need not answer to it (RFC
// 1812 section 3.3.2 forbids routers to believe such a MAC), and a switch that snoops IGMP forwards ARP, but
// sorts IP by the groups that were joined. So there the word of a peer decides, once one is heard: each sends
// some of its heartbeats in IP to the group (docs/protocol/heartbeat.md, "Carried in IP"). Its kernel answers
// to a group, so when it answers plain probes alone, ARP with the cluster MAC is filtered.
//
// The cluster MAC is never an Ethernet source: a switch would learn it. A foreign source is used only where
// the strategy needs one: a switch with port security may shut the port for it. Baseline and transmit answers
// look alike, so the latter is asked only of neighbours that owe no answer to the former.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/net.hh"
#include "core/bind_reason.hh"

namespace nlb::core {

struct PathPlan {
  MacAddress own, cluster, masked;  // own: what the adapter's dedicated addresses are bound to now
  bool replace = false;             // the strategy sends from the masked MAC
  bool group = false;               // the cluster MAC is a group
  Nanos period = 0;                 // of heartbeats; matters to groups
};

struct PathQuestion {
  MacAddress source, payload;
  IpAddress target;
};

struct PathVerdict {
  BindReason reason = BindReason::none;  // none: proven
  std::string evidence;                  // what was asked and what came, for a person
};

class PathProof {
 public:
  PathProof(PathPlan plan, Nanos now) : plan_(plan), began_at_(now) {}

  // What to ask now; to be called again every kPathInterval at the latest. Neighbours: IPv4 addresses of
  // hosts that are likely to answer, best first.
  [[nodiscard]] std::vector<PathQuestion> on_tick(const std::vector<IpAddress>& neighbours, Nanos now);
  // An ARP answer from `from` that was sent to `destination`.
  void on_answer(const MacAddress& destination, const IpAddress& from, Nanos now);
  // A frame of a peer to the cluster MAC came in, in IP where that is a group: what fails after that is not
  // the receive side.
  void on_frame_to_cluster_mac() { heard_by_cluster_mac_ = true; }
  // This peer is heard. `address`: where it answers ARP.
  void on_peer(const IpAddress& address, Nanos now) {
    if (company_since_ == 0) company_since_ = now;
    peers_.insert(address);
  }

  [[nodiscard]] bool over(Nanos now) const;
  [[nodiscard]] PathVerdict verdict() const;

 private:
  struct Check {
    bool answered = false;
    int asked = 0;
    Nanos first_asked = 0, next = 0;
  };
  struct Neighbour {
    int asked = 0, answered = 0;  // baseline
    Nanos last_asked = 0;
    [[nodiscard]] bool owes_nothing(Nanos now) const;
  };
  [[nodiscard]] bool group_over(Nanos now) const;
  [[nodiscard]] PathVerdict group_verdict() const;
  [[nodiscard]] bool peer_answers_plain_probes() const;
  [[nodiscard]] PathVerdict nobody() const;
  [[nodiscard]] bool failed(const Check& check, Nanos now) const;
  [[nodiscard]] bool due(Check& check, Nanos now) const;

  PathPlan plan_;
  Nanos began_at_;
  std::map<IpAddress, Neighbour> neighbours_;
  IpAddress answerer_;  // the first that answered the baseline
  Check baseline_, receive_, receive_masked_, transmit_;
  bool heard_by_cluster_mac_ = false;
  Nanos company_since_ = 0;
  std::set<IpAddress> peers_;
};

inline constexpr Nanos kPathInterval = 100 * kMillisecond;
inline constexpr Nanos kPathCompany = 200 * kMillisecond;   // so long a peer is waited for, where it decides
inline constexpr Nanos kPathSilence = 1000 * kMillisecond;  // nobody answers at all
inline constexpr Nanos kPathFailure = 700 * kMillisecond;   // a check whose neighbour answers other questions

}  // namespace nlb::core
