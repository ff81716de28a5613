// SPDX-License-Identifier: Apache-2.0
// One cluster host's mind: heartbeats and time in, actions out. No clock, no socket, no randomness of its
// own; nlbd and the simulator run the same code. Rules and their reasons: docs/ARCHITECTURE.md, "life of a
// convergence".
#pragma once

#include <bitset>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/arrivals.hh"
#include "core/fence.hh"
#include "core/host_state.hh"
#include "core/kept.hh"
#include "core/kernel_probe.hh"
#include "core/membership.hh"
#include "core/ownership.hh"
#include "core/planted.hh"
#include "core/resume_point.hh"
#include "core/unproven_owners.hh"
#include "wire/heartbeat.hh"

namespace nlb::core {

struct Settings {
  HostId id = 0;
  uint64_t incarnation = 0;
  uint32_t period_ms = 50, tolerance = 10;
  ClusterMode mode = ClusterMode::unicast;
  wire::ConfigDigests digests;
  std::vector<PortRule> rules;
  std::array<uint8_t, kMaxRules> offers{};
  Service service = Service::in;  // of the host as a whole
  IpAddress dedicated_ip;
  MacAddress adapter_mac;
  IpAddress gateway;  // asked before this host serves alone; unspecified = nobody is asked
  uint16_t restart_hold_s = 10;
  uint32_t max_hold_s = 0;  // bounds how long a bucket is kept for returning clients; 0 = no bound
  bool keeps = true;        // false: as a host of a version without extended affinity
};

struct Send {
  enum class To : uint8_t { group, cluster_mac, peer };
  To to = To::group;
  MacAddress mac;  // with To::peer
  wire::Frame frame;
};

struct Notice {  // something a person may want to know
  enum class Kind : uint8_t {
    state_changed,
    view_changed,
    converged,
    resumed,
    peer_silent,
    peer_evicted,
    peer_joined,
    peer_left,
    peer_refused,
    config_mismatch,
    duplicate_id,
    daemon_late,
    rx_filtered,
    rx_heard,
    kernel_of_peer_lives,
    kernel_of_peer_gone,
    gateway_silent,
    nobody_owns,
    drained,
    rule_unserved,        // all hosts fail its health check, and nobody serves: all_down = "closed"
    rule_served_as_last,  // the same, and all serve: all_down = "open"
    rule_served,          // some host is well again
    duplicate_priority,   // two members have one handling priority
    peer_fenced,          // the switch says that nothing gets in or out at its port
    fenced,               // the same was said to others of this host
    echo_missing,         // frames of the peer come that echo nothing of this host
  };
  Kind kind = Kind::state_changed;
  HostId peer = 0;
  std::string text;
  uint32_t view = 0;  // number and members of the view at that moment
  HostSet members = 0;
  bool as_default = false;  // converged: this host is the default host
  std::size_t slot = 0;     // rule_…
};

struct Actions {
  std::vector<Send> sends;
  std::optional<Nanos> lease;    // write this instant
  bool states_changed = false;   // states() of some slot may differ from what was written last
  std::optional<uint32_t> scan;  // walk the socket table, after the states are written; answer on_scan(token)
  bool visits = false;           // read, and forget, who came to which bucket; answer at once on_visits()
  std::vector<KernelProbe> probes;
  std::vector<Notice> notices;
};

struct View {
  uint32_t number = 0;
  HostSet members = 0;
  uint64_t digest = 0;
  bool operator==(const View&) const = default;
};

// A host that left the view without handing over: its kernel, and so its connections, may well live on.
struct Ghost {
  HostId id = 0;
  SlotBuckets buckets;  // what it owned or held
  IpAddress address;
  MacAddress mac;       // of its adapter
  bool probed = false;  // its kernel is asked; otherwise only `until` counts
  Nanos next_probe = 0;
  Nanos answered_at = 0;
  Nanos until = 0;  // the end of one that is not asked, or that has come back from the gone
};

class Host {
 public:
  Host(Settings settings, Nanos now);

  Actions command(HostEvent event, Nanos now,
                  Nanos drain_timeout = 0);  // start, stop, suspend, resume, drainstop
  [[nodiscard]] bool command_means_something(HostEvent event) const {
    return next_state(state_, event).has_value();
  }
  Actions on_bind(bool bound, const std::string& reason,
                  Nanos now);  // cluster MAC and VIPs are (not) in force
  Actions on_dedicated_address(const IpAddress& address, Nanos now);
  Actions on_gateway(const IpAddress& address, Nanos now);
  Actions on_holds(uint16_t restart_hold_s, uint32_t max_hold_s, Nanos now);
  Actions on_adapter_mac(const MacAddress& mac, Nanos now);  // where peers ask our kernel
  Actions on_carrier(bool carrier, Nanos now);
  Actions on_frame(const wire::Frame& frame, Nanos now);  // counts refusals itself: refusals()
  // The same for a copy to the cluster MAC that took another way (IP): on several receive queues, what was
  // sent right behind it may have come first.
  Actions on_copy(const wire::Frame& frame, Nanos now);
  // Whether a part of a message (core/exchange.hh) is from a living peer's present incarnation, for this one,
  // and no older than what this host said in the last 2 D: why not, if not.
  [[nodiscard]] std::optional<wire::Refusal> judge_message(const wire::MessagePart& part, Nanos now) const;
  [[nodiscard]] bool hears(HostId id, Nanos now) const;
  Actions on_tick(Nanos now);
  Actions on_scan(uint32_t token, const SlotBuckets& live, uint64_t connections, Nanos now);
  Actions on_scan_failed(uint32_t token, Nanos now);  // asked again a period later; until then all is checked
  Actions on_kernel_answer(const IpAddress& address, Nanos now);
  // This host has told the switch in front of it that it is there, under this number, which nobody else
  // knows.
  void say_to_switch(uint64_t nonce, Nanos now);
  // The switch tells of a fenced port. Of this host's own: it goes on as `next_incarnation`.
  Actions on_fence(const FenceNotice& notice, uint64_t next_incarnation, Nanos now);
  // Buckets of rules with extended affinity in which a client came that counts (core/kept.hh).
  Actions on_visits(const SlotBuckets& seen, Nanos now);
  Actions on_offers(const std::array<uint8_t, kMaxRules>& offers, Service service, Nanos now);
  // New rules, VIPs, seed or profile: leaves the view and joins again under the new configuration.
  Actions reconfigure(const Settings& settings, Nanos now);
  // Owns nothing and joins no view until reconfigure(): rules and buckets of the filter change in between.
  Actions set_aside(Nanos now);
  // A change of the configuration is under way on all hosts (core/change.hh): whoever has it earlier or later
  // than this one does not disagree.
  Actions expect_change(bool expected, Nanos now);
  // What a successor needs, and whether there is anything for it. To be kept where the machine's end ends it,
  // and renewed before anything is said whenever the mark is another one.
  [[nodiscard]] ResumeMark resume_mark() const;
  [[nodiscard]] ResumePoint resume_point() const;
  // For a host that has just been made: takes up the view of its predecessor, whose lease, as it stands in
  // the filter, must still run. False: nothing has changed, and it starts as any other.
  [[nodiscard]] bool resume(const ResumePoint& point, Nanos lease, Nanos now);
  // So that the lease need not wait for their next heartbeats: they answer at once, and echo this.
  Actions ask_members(Nanos now);
  // Planned restart: everything released, peers keep our connections for restart_hold_s.
  Actions leave_for_restart(Nanos now);

  [[nodiscard]] Nanos next_wakeup() const;
  [[nodiscard]] FilterSets filter_sets(std::size_t slot) const;  // what the filter is to hold
  [[nodiscard]] SlotStates states(std::size_t slot) const { return states_of(filter_sets(slot)); }

  // For those who show things.
  [[nodiscard]] HostState state() const { return state_; }
  [[nodiscard]] const View& view() const { return view_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] const std::string& refused_because() const { return refused_because_; }
  // False: peers are heard, but nothing that they send to the cluster MAC.
  [[nodiscard]] bool hears_cluster_mac() const { return !rx_filtered_; }
  [[nodiscard]] const Settings& settings() const { return settings_; }
  [[nodiscard]] const PeerTable& peers() const { return peers_; }
  [[nodiscard]] const Ownership& ownership() const { return ownership_; }
  // Of the last acquired view: owners, kept buckets among them.
  [[nodiscard]] const SlotTables& tables() const { return tables_; }
  [[nodiscard]] const Keeper& keeper() const { return keeper_; }
  // By all members, this one too, in the present view, as far as their lists are here.
  [[nodiscard]] SlotBuckets kept_by(HostId id) const;
  [[nodiscard]] HostId default_host() const;
  [[nodiscard]] Nanos lease() const { return lease_; }
  [[nodiscard]] Nanos drain_deadline() const { return drain_deadline_; }  // 0 = none
  [[nodiscard]] Nanos silence_limit() const {
    return kMillisecond * settings_.period_ms * settings_.tolerance;
  }
  [[nodiscard]] Nanos period() const { return kMillisecond * settings_.period_ms; }
  [[nodiscard]] Nanos lease_length() const {
    return planted(Bug::lease_too_long) ? silence_limit() * 3 / 2 : silence_limit() / 4 * 3;
  }  // L <= 0.75 D: clocks slew by 10 %
  // True while somebody may hold connections in buckets of ours without our knowing which.
  [[nodiscard]] bool checks_all() const;
  [[nodiscard]] BucketSet held_by_others(std::size_t slot) const;
  [[nodiscard]] const std::map<MacAddress, Ghost>& ghosts() const { return ghosts_; }
  [[nodiscard]] const std::array<uint64_t, wire::kRefusalCount>& refusals() const { return refusals_; }
  [[nodiscard]] std::vector<MemberOffer> members_offers(HostSet members) const;
  [[nodiscard]] std::string changed_offers_text(HostSet before, HostSet members) const;

 private:
  // host.cc: commands, time, states
  void apply(HostEvent event, const std::string& cause);
  void refuse_to_take_part(const std::string& reason);
  void notice_standstill(Nanos now);
  void ask_for_scan();
  void evaluate(Nanos now);
  void accuse(Nanos now);  // members that are silent, or do not hear this host
  [[nodiscard]] HostId better_than_us(HostSet others) const;
  void judge_refusal(Nanos now, const Circle& circle);
  void name_the_different(Nanos now, const Circle& circle);
  [[nodiscard]] bool awaits_the_others_configuration(Nanos now, HostId differs);
  void judge_reception(Nanos now, const Circle& circle);
  void renew_lease(Nanos now, const Circle& circle);
  void note(Notice::Kind kind, HostId peer, std::string text);
  [[nodiscard]] bool is_quiet(const Circle& circle) const;
  Actions finish(Nanos now);
  [[nodiscard]] Self self() const;

  // host_view.cc: view, phases
  void settle_view(Nanos now, const Circle& circle);
  void start_view(uint32_t number, HostSet members, uint64_t digest, Nanos now);
  void go_alone(const std::string& cause);
  void fall_out(const std::string& cause, Nanos now);
  void advance_phase(Nanos now, const Circle& circle);
  void release(Nanos now);
  void acquire(Nanos now);
  void note_departures(HostSet before, HostSet after, Nanos now);
  [[nodiscard]] bool all_members_at(Phase phase, const Circle& circle) const;
  [[nodiscard]] uint64_t content_digest(HostSet members) const;
  [[nodiscard]] uint32_t highest_number_seen() const;
  [[nodiscard]] bool view_is_stuck(Nanos now, const Circle& circle) const;
  [[nodiscard]] HostSet in_no_view(const Circle& circle) const;
  void note_arrivals(Nanos now, const Circle& circle);
  void ask_gateway(Nanos now, const Circle& circle);
  [[nodiscard]] bool gateway_answers(Nanos now) const;
  [[nodiscard]] SlotTables compute_tables(HostSet members) const;

  // host_neighbours.cc: other views in earshot, and hosts in none
  [[nodiscard]] bool shut_out_by_a_peer(const Circle& circle) const;
  [[nodiscard]] bool is_better_than_ours(HostSet members) const;
  [[nodiscard]] bool is_in_a_better_view(HostSet others, const Circle& circle) const;  // any of them
  [[nodiscard]] bool yields_to_a_better_view(const Circle& circle) const;
  [[nodiscard]] HostSet late_and_better(const Circle& circle) const;
  [[nodiscard]] bool waits_for_a_late_view(Nanos now, const Circle& circle) const;
  [[nodiscard]] bool had_to_lapse_beside(HostSet wanted, const Circle& circle) const;
  [[nodiscard]] bool may_serve_alone(Nanos now, const Circle& circle) const;
  void ask_unproven_owners(Nanos now);
  [[nodiscard]] bool was_long_under_way(const wire::Heartbeat& heartbeat, Nanos now) const;
  void yield_to_the_unaware(const wire::Heartbeat& heartbeat, Nanos now);
  void note_left_behind(HostSet before, HostSet after, Nanos now);
  [[nodiscard]] bool somebody_left_behind_owns(Nanos now, const Circle& circle) const;
  [[nodiscard]] bool somebody_may_begin_beside_us(Nanos now, const Circle& circle) const;
  [[nodiscard]] bool somebody_is_yet_to_be_believed(Nanos now, const Circle& circle) const;
  [[nodiscard]] bool a_rival_serves(Nanos now) const;
  [[nodiscard]] bool has_rival(const Peer& peer, Nanos now) const;  // in earshot
  [[nodiscard]] bool others_share_a_view_with_a_namesake(const Circle& circle) const;

  // host_resume.cc
  bool take_up(const ResumePoint& point, Nanos lease, Nanos now);
  // host_fence.cc
  [[nodiscard]] bool lives_though_fenced(const Peer& peer, const wire::Heartbeat& heartbeat) const;
  void believe_fenced(const FenceNotice& notice, Nanos now);
  void begin_anew(uint64_t incarnation, Nanos now);
  // host_health.cc: rules whose health check fails everywhere
  void tell_unserved();
  void tell_duplicate_priorities();  // host_priorities.cc
  void note_rule(Notice::Kind kind, std::size_t slot, std::string text);

  // host_ghosts.cc: who may have connections and is not in our view
  void look_for_outsiders(Nanos now, const Circle& circle);
  void remember_ghost(HostId id, bool of_our_view, Nanos now);
  void tend_ghosts(Nanos now);
  void ask_the_gone(Nanos now);

  // host_kept.cc: extended affinity
  [[nodiscard]] bool all_members_keep() const;
  [[nodiscard]] bool waits_for_newcomers(HostSet wanted) const;
  [[nodiscard]] bool is_no_threat(HostId id, const Circle& circle) const;
  [[nodiscard]] bool waits_for_owners(const Circle& circle) const;
  [[nodiscard]] std::vector<bool> slots_that_may_keep() const;
  bool awaits_visits();
  void let_lapse();
  [[nodiscard]] SlotBuckets owned_until_now() const;
  void begin_keeping(Nanos now);
  void forget_kept_list();
  void publish_kept(uint16_t held_from);
  [[nodiscard]] static wire::HeldPart empty_list();
  [[nodiscard]] SlotTables tables_with_own_kept() const;
  [[nodiscard]] SlotTables tables_with_kept() const;
  [[nodiscard]] bool says_it_keeps_nothing(HostId id) const;
  [[nodiscard]] const HeldList* kept_list_of(HostId id) const;
  [[nodiscard]] bool kept_list_complete(HostId id) const;
  [[nodiscard]] bool kept_lists_complete() const;
  void hear_kept(const wire::HeldPart& part);
  void settle_kept();
  void let_go_what_is_due(Nanos now);
  [[nodiscard]] bool look_for_clients(Nanos now);
  [[nodiscard]] bool lacks_kept(HostId member, HostId owner, uint16_t generation) const;
  void say_kept(Nanos now);
  void pass_on_kept(HostId owner, Nanos now);
  void say_parts(const std::vector<wire::HeldPart>& parts, Nanos now);

  // host_frames.cc: what is heard and said
  void hear(const wire::Heartbeat& heartbeat, Nanos now);
  [[nodiscard]] bool says_the_same(const wire::Heartbeat& heartbeat) const;
  void hear_own_id(const wire::Heartbeat& heartbeat, Nanos now);
  void hear_held(const wire::HeldPart& part, Nanos now);
  bool believe_or_note_candidate(const wire::Heartbeat& heartbeat, Nanos now);
  void note_unechoed(Peer& peer, HostId sender, Nanos now);
  [[nodiscard]] bool accuses(const Peer& peer, Nanos now) const;
  [[nodiscard]] const wire::PeerReport* report_of_us(const wire::Heartbeat& heartbeat) const;
  [[nodiscard]] bool echoes_us_freshly(const wire::Heartbeat& heartbeat, Nanos now) const;
  [[nodiscard]] bool lives_beside_us(const wire::Heartbeat& heartbeat) const;
  [[nodiscard]] const Candidate* candidate_to_list(HostId id, Nanos now) const;
  void refuse_old(Peer& peer, Nanos now);
  void note_unproven(Peer& peer, const wire::Heartbeat& heartbeat, Nanos now);
  void catch_up_with_own_echo(const wire::Heartbeat& heartbeat, Nanos now);
  void take_echo(Peer& peer, const wire::Heartbeat& heartbeat, Nanos now);
  [[nodiscard]] std::optional<Nanos> send_time(uint32_t sequence) const;
  [[nodiscard]] wire::Heartbeat compose(Nanos now, uint16_t extra_flags);
  [[nodiscard]] std::vector<wire::PeerReport> compose_reports(Nanos now) const;
  [[nodiscard]] wire::Header next_header(Nanos now);
  void say(Send::To to, const MacAddress& mac, uint16_t extra_flags, Nanos now);
  void say_held(Nanos now);
  void ask_the_quiet(Nanos now);
  void publish_held();
  [[nodiscard]] SlotBuckets held_to_publish() const;
  [[nodiscard]] bool held_complete(const Peer& peer) const;
  void refuse(wire::Refusal refusal) { ++refusals_[static_cast<std::size_t>(refusal)]; }

  Settings settings_;
  HostState state_ = HostState::stopped;
  std::string refused_because_, bind_refusal_;
  bool bound_ = false, carrier_ = true, restarting_ = false;
  Nanos listening_since_ = 0;
  Nanos drain_deadline_ = 0;

  PeerTable peers_{};
  SwitchNonces nonces_;
  View view_, former_view_;
  Phase phase_ = Phase::none;
  Nanos view_started_at_ = 0;
  Nanos came_into_view_at_ = 0;  // out of none
  uint32_t first_view_ = 0;      // then
  bool came_to_serve_ = false;   // since it was in none
  Arrivals arrivals_;
  std::vector<MemberOffer> agreed_offers_;                // of the members when the view began
  std::array<Nanos, kMaxHosts + 1> left_behind_until_{};  // by id; their lease is over by then
  Ownership ownership_;
  SlotTables tables_;                    // of the last acquired view
  HostSet not_heard_since_evicted_ = 0;  // evicted as silent; their next frame tells whether they know
  Nanos fell_out_at_ = 0, stays_out_until_ = 0;
  bool set_back_ = false;      // to a snapshot: others have lists of the view that it states from before
  bool renew_view_ = false;    // owns nothing in an acquired view: acquire in a new one
  bool quiet_ = false;         // as of the last evaluation: frames that say nothing new change nothing
  bool digest_known_ = false;  // of the members and what they offered when it was computed
  HostSet digest_members_ = 0;
  uint64_t digest_ = 0;
  bool release_begun_ = false;  // in this view: what is lost is closed, the socket table is being read
  SlotTables next_tables_;      // of the view that is being formed
  std::map<MacAddress, Ghost> ghosts_;  // by adapter (key_of)
  std::map<MacAddress, Ghost> gone_;    // those whose kernels have ceased to answer, for a while
  HostSet outsiders_ = 0;               // may hold connections, and are not in our view

  uint32_t scan_token_ = 0;
  bool scan_pending_ = false;
  uint64_t closed_before_scan_ = 0;  // Ownership::times_forgotten()
  Nanos next_scan_ = 0;
  uint16_t held_generation_ = 0, first_generation_ = 0;
  uint32_t times_resumed_ = 0;  // in this view
  std::vector<wire::HeldPart> held_parts_;
  SlotBuckets held_published_;
  Keeper keeper_;
  SlotBuckets lapsed_;            // owned until the lease was over, and not acquired since; empty = nothing
  bool keeping_ = false;          // in this view
  bool visits_known_ = false;     // just read
  bool kept_changed_ = false;     // a list, since tables_ was computed
  bool kept_is_new_ = false;      // our list, not said yet
  bool held_is_renewed_ = false;  // the next held list is a new one even if nothing in it is
  uint8_t kept_generation_ = 0;
  std::vector<wire::HeldPart> kept_parts_;
  Nanos next_visits_ = 0, next_connection_look_ = 0, next_let_go_ = 0;
  bool outsider_heard_ = false;  // one of them, or a namesake, is in earshot

  Nanos lease_ = 0;
  uint64_t sequence_ = 0;
  std::deque<std::pair<uint64_t, Nanos>> sent_;
  Nanos next_tick_ = 0;
  Nanos standstill_after_ = -1;  // the last turn before one that was noticed
  bool say_soon_ = false;
  uint32_t ticks_ = 0;
  Nanos gateway_answered_at_ = 0, gateway_asked_since_ = 0, next_gateway_probe_ = 0;
  bool gateway_missed_ = false;  // for D; said
  Nanos heard_by_cluster_mac_at_ = 0, company_since_ = 0;
  bool rx_filtered_ = false;

  UnprovenOwners unproven_owners_;

  Candidates namesakes_;               // other machines with our id
  std::optional<Candidate> namesake_;  // the one that has proved that it lives
  bool namesake_wins_ = false;
  bool nobody_owns_said_ = false;
  std::bitset<kMaxRules> all_unhealthy_said_;                      // by slot
  std::array<std::pair<HostId, HostId>, kMaxRules> clash_said_{};  // by slot: of one handling priority
  std::array<uint64_t, wire::kRefusalCount> refusals_{};
  HostSet mismatch_named_ = 0;
  bool aside_ = false;
  Nanos change_expected_until_ = 0, differs_since_ = 0;
  Nanos refused_at_ = 0, stays_refused_until_ = 0;
  Actions out_;
};

}  // namespace nlb::core
