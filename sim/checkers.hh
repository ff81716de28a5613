// SPDX-License-Identifier: Apache-2.0
// The named invariants, judged at every step: after each event the pairs of hosts whose buckets overlap are
// looked at; what follows from bucket states is looked at when states change. What each one binds, and the
// cases where nobody could know better, are said at its function.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/flow.hh"
#include "sim/network.hh"
#include "sim/node.hh"
#include "sim/receipts.hh"
#include "sim/trace.hh"

namespace nlb::sim {

struct Violation {
  std::string invariant, what;
  Nanos at = 0;
  [[nodiscard]] std::string text() const;
};

// What checkers look at; the world writes it.
struct Scene {
  Nanos now = kSecond;
  std::vector<Node> nodes;  // by port; [0] is nobody
  std::vector<Port> ports;  // that have had a machine, ascending
  std::vector<Flow> flows;
  std::vector<std::size_t> slots;
  Network network;
  Acquaintance known;
  uint32_t period_ms = 50, tolerance = 10;
  Trace trace;

  Scene(uint32_t period, uint32_t limit)
      : known(kMillisecond * period, kMillisecond * period * limit), period_ms(period), tolerance(limit) {}
  [[nodiscard]] Nanos period() const { return kMillisecond * period_ms; }
  [[nodiscard]] Nanos silence_limit() const { return period() * tolerance; }
  [[nodiscard]] Nanos lease_length() const { return silence_limit() / 4 * 3; }
};

class Checkers {
 public:
  explicit Checkers(Scene& scene) : scene_(scene), receipts_(4 * scene.silence_limit()) {}

  void states_changed(Port port);  // what a kernel's filter holds: overlaps, keep-flow
  void each_step() {
    if (!overlapping_.empty()) judge_overlaps();
  }
  void full_cover(HostSet group);                                               // a settled group
  void client_returned(const Visitor& client, Port met, Nanos timeout);         // extended-affinity
  void let_go(Nanos timeout);                                                   // let-go
  void reset_sent(Port by, const Flow& flow);                                   // no-foreign-reset
  void frame_sent(Port by, const MacAddress& source, bool learnt_cluster_mac);  // mac-truth
  void view_begun(Port port);                                                   // churn
  void frame_numbered(const wire::Header& header, Nanos local) { receipts_.sent(header, local); }
  void frame_judged(const Node& by, const wire::Header& header) { receipts_.judged(by.id, header); }
  void lease_written(const Node& node);  // lease, cut-off
  void daemon_ended(uint64_t incarnation) { ended_[incarnation] = scene_.now; }
  void daemon_lives(uint64_t incarnation) { ended_.erase(incarnation); }
  void believed(const Node& node, const wire::Header& header);  // replay
  void violate(const std::string& invariant, const std::string& what);
  void judge_only(const std::string& invariant) { only_ = invariant; }

  [[nodiscard]] const std::vector<Violation>& violations() const { return violations_; }
  [[nodiscard]] Nanos longest_frozen_window() const { return longest_frozen_window_; }
  [[nodiscard]] uint64_t resets_nobody_could_know() const { return excused_resets_; }

 private:
  struct Pair {
    Port a = 0, b = 0;
  };
  void judge_overlaps();
  void judge_overlap(const Node& a, const Node& b);
  [[nodiscard]] bool excused_by_standstill(const Node& node);
  [[nodiscard]] bool overlap(const Node& a, const Node& b) const;
  [[nodiscard]] std::string shared_bucket(const Node& a, const Node& b) const;
  void check_keep_flow(const Node& node);
  void check_cut_off(const Node& node);

  Scene& scene_;
  std::vector<Pair> overlapping_;
  std::string only_;
  std::vector<Violation> violations_;
  Receipts receipts_;
  std::map<uint64_t, Nanos> ended_;  // daemons, by incarnation
  Nanos longest_frozen_window_ = 0;
  uint64_t excused_resets_ = 0;
};

}  // namespace nlb::sim
