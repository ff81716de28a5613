// SPDX-License-Identifier: Apache-2.0
// A deterministic world around the shipped core: machines with clocks of their own, a guarded switch, a
// network, clients with connections. Nothing in it depends on the machine that it runs on. Tests and nlb-sim
// put faults into it; the checkers judge every step.
#pragma once

#include <functional>
#include <set>

#include "sim/checkers.hh"
#include "sim/event_queue.hh"
#include "sim/switch.hh"
#include "sim/wire_path.hh"

namespace nlb::sim {

struct Counters {
  uint64_t frames = 0, deliveries = 0, refused = 0, forged = 0, connections = 0, unanswered = 0, segments = 0,
           evictions = 0, views = 0, resumed = 0, fences = 0, fenced_believed = 0,
           busiest_second = 0;  // most frames that one host sent within a second
};

class World {
 public:
  World(uint64_t seed, uint32_t period_ms, uint32_t tolerance);

  // Machines.
  void add(HostId id, uint8_t weight = wire::kOfferEqual);  // boots: kernel, daemon, started
  void kill_daemon(Port port);
  void restart_daemon(Port port);  // fresh incarnation, filter left as it was
  void stop_planned(Port port);    // SIGTERM
  void kill_host(Port port);       // daemon, kernel and connections
  void boot(Port port);
  void stall(Port port);  // the daemon stands still
  void go_on(Port port);
  void command(Port port, core::HostEvent event);
  void knows_no_kept_lists(Port port) {
    older_ |= bit_of(port);
  }  // as before extended affinity; from its next boot
  // The network.
  void cut(Port from, Port to);  // one way; 0 = the gateway
  void cut_both(Port a, Port b);
  void filter(Port from, Port to);    // heartbeats, one way
  void set_link(Port port, bool up);  // the carrier
  void heal();
  void add_gateway();  // hosts reach it unless they are cut from it
  void set_loss(double probability);
  void set_delay(Nanos low, Nanos high) { scene_.network.set_delay(low, high); }
  void set_sender_loss(int64_t parts_per_million) { scene_.network.set_sender_loss(parts_per_million); }
  // Clients.
  bool connect(std::size_t slot = 0);  // a random client, wherever it is accepted; false: nobody accepts
  void close_flows(Port port);
  void let_visitors_come(std::size_t count);                   // the same clients again and again, to slot 0
  [[nodiscard]] Port meet(std::size_t slot, uint64_t client);  // who answers this client now; 0 = nobody
  bool remember_visit(Node& node, std::size_t slot, uint64_t client);
  void let_clients_come(bool come);  // and send, from now on, by themselves
  // Faults with a beginning and an end.
  void plan(const FaultPlan& faults);
  // The switch fences ports that go down, and tells; before hosts are there.
  void use_fences(uint64_t seed);
  void mend();  // what no fault's end has mended: everybody runs and is started

  void run_for(Nanos duration) { run_until(scene_.now + duration); }
  void run_until(Nanos end);
  void demand_cover(HostSet group) { demanded_ = group; }  // full-cover from now on; 0 = no more

  [[nodiscard]] Nanos now() const { return scene_.now; }
  [[nodiscard]] uint32_t period_ms() const { return scene_.period_ms; }
  [[nodiscard]] uint32_t tolerance() const { return scene_.tolerance; }
  [[nodiscard]] core::Host& host(Port port) { return *scene_.nodes.at(port).host; }
  [[nodiscard]] const core::Host& host(Port port) const { return *scene_.nodes.at(port).host; }
  [[nodiscard]] Node& node(Port port) { return scene_.nodes.at(port); }
  [[nodiscard]] std::vector<Port> acceptors(std::size_t slot, uint32_t bucket) const;
  [[nodiscard]] bool converged(const std::set<HostId>& members) const;
  [[nodiscard]] bool run_until_converged(const std::set<HostId>& members, Nanos limit);
  [[nodiscard]] const std::vector<Violation>& violations() const { return checkers_.violations(); }
  [[nodiscard]] const Checkers& checkers() const { return checkers_; }
  [[nodiscard]] const Counters& counters() const { return counters_; }
  [[nodiscard]] uint64_t hash() const { return scene_.trace.hash(); }
  [[nodiscard]] core::Settings settings(Port port);
  std::function<void(HostId, const core::Notice&)> on_notice;  // for tests
  void violate(const std::string& invariant, const std::string& what) { checkers_.violate(invariant, what); }
  void tell(const std::string& text) { scene_.trace.tell(scene_.now, text); }
  void judge_only(const std::string& invariant) { checkers_.judge_only(invariant); }
  void tell_story() { scene_.trace.told = true; }
  void perform(Port port, core::Actions actions);
  std::vector<PortRule> rules{PortRule{}};
  uint32_t max_hold_s = 0;

 private:
  // world.cc: time, frames
  void happen(const Event& event);
  void deliver(const Event& event);
  void judge(Node& node, uint32_t packet, Port from);
  void wake(Node& node);
  void arm(Node& node);
  void count_sent(Node& from);
  void send(Node& from, const core::Send& message);
  void transmit(Port from, uint32_t packet);
  void carry(Port from, Port to, uint32_t packet, const Passage& passage);
  void probe(Node& node, const core::KernelProbe& probe);
  [[nodiscard]] bool answers(const Node& node, const core::KernelProbe& probe);
  [[nodiscard]] Walk walk_sockets(const Node& node, uint32_t token) const;
  void take_scan(Node& node, uint32_t token);
  void write_states(Node& node);
  void write_slot(Node& node, std::size_t slot, const SlotStates& states);
  // world_machines.cc: what a machine goes through
  Node& make_node(Port port, HostId id);
  void lose_turn(Node& node);
  void get_turn(Node& node);
  void take_turn(Node& node, bool taken);
  void stand_still(Node& node, bool with_clock);
  void continue_machine(Node& node, bool with_clock);
  void forget_remembered(Port port);
  void take_snapshot(Node& node);
  void restore_snapshot(Node& node);
  // world_faults.cc: faults in action
  void begin(uint32_t index);
  void end(const Fault& fault);
  void begin_at(const Fault& fault, Node& node);
  void end_at(const Fault& fault, Node& node);
  void begin_path_fault(const Fault& fault);
  void release_clogged();
  void reconfigure(Node& node, int64_t change);
  void offer(Node& node, uint8_t weight);
  void add_namesake(HostId id);
  void remove_namesake(HostId id);
  void intrude(uint32_t index);
  void record(const Packet& packet);
  void bury(uint64_t incarnation);
  // world_fence.cc
  void speak_to_switch(Node& node);
  void port_goes_down(Node& node);
  void port_comes_up(Node& node);
  void tell_of_fence(Node& whom, const Node& fenced);
  void deliver_notice(Port port, const core::FenceNotice& notice);
  void take_notice(const Event& event);
  void end_fence(Node& node, uint32_t fence);
  void move_away(Node& node);
  void arrive(Node& node);
  void forge_notice(bool overheard);
  void begin_fence_fault(const Fault& fault, Node& node);
  void end_fence_fault(const Fault& fault, Node& node);
  // world_visits.cc
  [[nodiscard]] Nanos timeout_of(std::size_t slot) const;
  void write_kept(Node& node);
  void answer_visits(Node& node);
  void note_standing(Node& node);
  void plan_visit(uint32_t index);
  void newcomer_knocks();
  void visit(uint32_t index);
  // world_clients.cc
  void client_comes();
  uint32_t open_flow(Port home, std::size_t slot, uint64_t client);
  void close_flow(uint32_t index);
  void send_segment(uint32_t index);
  [[nodiscard]] bool provokes_reset(Node& node, Flow& flow);

  Scene scene_;
  Checkers checkers_;
  Switch switch_;
  WirePath wire_;
  Packets packets_;
  EventQueue queue_;
  Random random_;
  Counters counters_;
  FaultPlan faults_;
  std::vector<uint32_t> free_flows_;
  std::vector<Visitor> visitors_;
  std::vector<Event> clogged_;
  std::vector<Packet> recorded_;  // what a stranger may replay
  std::vector<Packet> buried_;    // the same, of daemons that have ended
  std::size_t next_record_ = 0, next_buried_ = 0;
  std::vector<Nanos> ends_;  // of faults_, in the world's time
  IpAddress gateway_;        // unspecified = there is none
  bool clients_come_ = false;
  HostSet older_ = 0;  // versions
  bool fences_ = false;
  Random fence_random_{0};
  std::vector<core::FenceNotice> notices_;
  std::size_t next_notice_ = 0;
  HostSet demanded_ = 0;
};

}  // namespace nlb::sim
