// SPDX-License-Identifier: Apache-2.0
// A small deterministic world around the shipped core: clock, network, hosts, connections. Tests put faults
// into it and check the named invariants at every step.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "core/host.hh"

namespace nlb::sim {

struct Flow {
  HostId host = 0;  // where it was established
  std::size_t slot = 0;
  uint32_t bucket = 0;
  Nanos exposed_since = 0;  // since when another host would answer its segments with a reset; 0 = none would
};

struct Node {
  std::unique_ptr<core::Host> host;  // null: no daemon runs
  bool frozen = false;               // SIGSTOP: kernel goes on
  bool kernel_alive = true;
  std::vector<SlotStates> states{kMaxSlots};  // what the kernel filter holds
  Nanos lease = 0;
  std::vector<wire::Frame> inbox;  // arrived while frozen
  uint32_t starts = 0;
};

class World {
 public:
  World(uint64_t seed, uint32_t period_ms, uint32_t tolerance);

  void add(HostId id, uint8_t weight = wire::kOfferEqual);  // boots: kernel, daemon, started
  void kill_daemon(HostId id);
  void restart_daemon(HostId id);  // fresh incarnation, filter left as it was
  void stop_planned(HostId id);    // SIGTERM
  void kill_host(HostId id);       // daemon, kernel and connections
  void freeze(HostId id);
  void thaw(HostId id);
  void cut(HostId from, HostId to);  // one way
  void cut_both(HostId a, HostId b);
  void heal();
  // Everybody has a gateway, which hosts reach unless they are cut from it (as host 0).
  void add_gateway();
  void set_loss(double probability) { loss_ = probability; }
  void set_delay(Nanos low, Nanos high) { delay_low_ = low, delay_high_ = high; }
  void run_for(Nanos duration);
  // Opens a connection from a random client wherever it is accepted. false: nobody accepts.
  bool connect(std::size_t slot = 0);
  void close_flows(HostId host);

  [[nodiscard]] Nanos now() const { return now_; }
  [[nodiscard]] core::Host& host(HostId id) { return *nodes_.at(id).host; }
  [[nodiscard]] Node& node(HostId id) { return nodes_.at(id); }
  [[nodiscard]] std::vector<HostId> acceptors(std::size_t slot, uint32_t bucket) const;
  [[nodiscard]] bool converged(const std::set<HostId>& members) const;
  [[nodiscard]] bool run_until_converged(const std::set<HostId>& members, Nanos limit);
  [[nodiscard]] const std::vector<Flow>& flows() const { return flows_; }
  [[nodiscard]] std::vector<std::string> violations() const { return violations_; }
  [[nodiscard]] core::Settings settings(HostId id, uint8_t weight);
  std::vector<PortRule> rules{PortRule{}};
  bool trace = false;
  // Are connections of a host whose daemon is dead or frozen protected too? True for single faults; after a
  // second fault (partition, restart of the last that remembers) nobody may know of them.
  bool protects_daemonless = true;
  void perform(HostId id, core::Actions actions);

 private:
  struct Delivery {
    Nanos sent_at = 0, at = 0;
    uint64_t order = 0;
    HostId from = 0, to = 0;
    wire::Frame frame;
    bool operator<(const Delivery& other) const {
      return at != other.at ? at > other.at : order > other.order;
    }
  };
  void step();
  void send(HostId from, const core::Send& send);
  void check();
  void check_one_owner();
  void check_flows();
  void violation(const std::string& name, const std::string& what);
  void hear(HostId listener, HostId from, Nanos sent_at);
  void forget_hearing(HostId id);                       // a new incarnation has heard nobody yet
  [[nodiscard]] bool linked(HostId a, HostId b) const;  // the wire is whole both ways, for two periods
  [[nodiscard]] bool acquainted(HostId a,
                                HostId b) const;  // have heard each other, both ways, for two periods
  [[nodiscard]] core::SlotBuckets live(HostId id, uint64_t& count) const;

  std::mt19937_64 rng_;
  IpAddress gateway_;  // unspecified = there is none
  uint32_t period_ms_, tolerance_;
  Nanos now_ = kSecond;
  uint64_t order_ = 0;
  double loss_ = 0;
  Nanos delay_low_ = kMillisecond / 10, delay_high_ = kMillisecond;
  std::map<HostId, Node> nodes_;
  std::map<HostId, uint8_t> weights_;
  std::set<std::pair<HostId, HostId>> cuts_;
  struct Hearing {
    Nanos since = 0, last = 0;
    Nanos answered =
        0;  // since when frames come that were sent after the sender heard the listener; 0 = not yet
  };
  std::map<std::pair<HostId, HostId>, Hearing> hearing_;  // (listener, from)
  Nanos healed_at_ = 0;
  std::priority_queue<Delivery> network_;
  std::vector<Flow> flows_;
  std::vector<std::string> violations_;
};

}  // namespace nlb::sim
