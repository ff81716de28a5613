// SPDX-License-Identifier: Apache-2.0
// The cluster host: puts configuration, filter, guard, adapter and protocol together, watches that they stay
// together, and answers questions. Runs on the main thread; answers are given on the control thread under one
// lock.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>

#include "base/result.hh"
#include "control/change_effect.hh"
#include "control/config_file.hh"
#include "control/role.hh"
#include "core/config.hh"
#include "datapath/datapath.hh"
#include "linux/adapter.hh"
#include "linux/group_membership.hh"
#include "linux/guard.hh"
#include "linux/policy_listener.hh"
#include "metrics/endpoint.hh"
#include "metrics/exposition.hh"
#include "nlbd/bind_attempt.hh"
#include "nlbd/convergence_history.hh"
#include "nlbd/event_descriptor.hh"
#include "nlbd/event_log.hh"
#include "nlbd/examination.hh"
#include "nlbd/health_monitor.hh"
#include "nlbd/protocol.hh"
#include "nlbd/steering_rules.hh"
#include "nlbd/stranger.hh"

namespace nlb {

struct DaemonPaths {
  std::string config;
  std::string runtime_directory;
  std::string state_directory;
};

enum class BindState : uint8_t { unbound, probing, bound, refused };
inline constexpr std::array kBindStateNames = {"unbound", "probing", "bound", "refused"};

// What an administrator set on one rule of this host at run time.
enum class RuleSwitch : uint8_t { enabled, draining, disabled };
inline constexpr std::array kRuleStateNames = {"enabled", "draining", "disabled", "unhealthy"};

class Administration;

class Daemon {
 public:
  Daemon(DaemonPaths paths, Config config);
  ~Daemon();

  // The filter; what root may do beyond the needed capabilities (finding an earlier daemon's programs without
  // their pins) ends with this. Makes no thread.
  [[nodiscard]] Result<void> attach();
  [[nodiscard]] Result<void> start();
  void tick();            // once a second: is everything still as it was put?
  void on_link_change();  // netlink said something
  [[nodiscard]] int link_fd() const;
  void on_bind_over();  // the attempt to bind has ended
  [[nodiscard]] int bind_fd() const { return bind_fd_.get(); }
  bool on_claim();  // somebody spoke ARP or neighbour discovery; true: there is more
  [[nodiscard]] int claims_fd() const { return claims_->fd(); }
  void on_switch();  // the hypervisor's guard spoke
  [[nodiscard]] int switch_fd() const { return switch_->fd(); }
  [[nodiscard]] Result<void> reload();
  void stop_for_restart();
  // The interface was made again: only a new process fits it.
  [[nodiscard]] bool needs_restart() const { return needs_restart_; }

  // docs/control.md
  [[nodiscard]] nlohmann::json answer(const nlohmann::json& request, const Peer& peer);

  // For administration.cc. On any thread, without the lock.
  [[nodiscard]] nlohmann::json answer_here(const nlohmann::json& request);
  [[nodiscard]] Config config() const;
  [[nodiscard]] const DaemonPaths& paths() const { return paths_; }
  [[nodiscard]] Protocol& protocol() { return *protocol_; }
  [[nodiscard]] EventLog& events() const { return events_; }
  [[nodiscard]] uint32_t newest_generation();
  void set_generation(uint32_t generation);
  void expect_change(bool expected);
  void change_failed(const std::string& why);
  [[nodiscard]] Result<Config> judge_file(const std::string& path) const;
  // Asks the segment whether somebody uses a VIP that `fresh` adds; takes conflict_detection_ms, 2 s at most.
  [[nodiscard]] Result<void> claim_new_vips(const Config& fresh) const;
  // The same of a text that is not on the disk: how it would come into force.
  [[nodiscard]] Result<ChangeEffect> foresee(const std::string& text) const;

 private:
  // daemon.cc
  [[nodiscard]] core::Settings settings_of(const Config& config) const;
  [[nodiscard]] FilterConfig filter_of(const Config& config) const;
  [[nodiscard]] Result<void> configure(const FilterConfig& filter);
  [[nodiscard]] BindPlan bind_plan_of(const Config& config) const;
  [[nodiscard]] GuardPlan guard_plan_of(const Config& config) const;
  [[nodiscard]] core::HealthOffers offers_now() const;
  void on_notice(const core::Notice& notice);
  void record_convergence(const core::Notice& notice, const std::string& peer);
  void tell_membership(const core::Notice& notice);
  void check_frames_refused();
  void check_frames_filtered();
  void save_state();
  [[nodiscard]] std::string read_state_file(const std::string& name) const;
  void write_state_file(const std::string& name, const std::string& text) const;
  void remember_signing_key(const KeySet& keys);
  [[nodiscard]] KeySet keys_in_signing_order();
  void lose_interface();
  [[nodiscard]] bool put_back_what_others_took();
  [[nodiscard]] bool regain_interface(const AdapterFacts& facts);
  // daemon_change.cc
  void keep_switches(const std::vector<PortRule>& before);
  void save_switches() const;
  void load_switches();
  void use_new_rules(const std::vector<PortRule>& before);
  [[nodiscard]] Result<void> possible_at_run_time(const Config& fresh) const;
  // daemon.cc
  [[nodiscard]] InitialState state_to_start_in() const;
  void apply_command(core::HostEvent event, Nanos drain_timeout);
  void tell_offers();
  void apply_rule_switches();
  void use_new_keys();  // accepts all at once, signs with the newest after a grace
  [[nodiscard]] IpAddress dedicated_address() const;
  [[nodiscard]] IpAddress dedicated_address6() const;
  void follow_dedicated_address();
  void follow_own_mac();
  [[nodiscard]] IpAddress gateway_to_ask() const;
  void follow_gateway();
  void sync_filter();  // opens or closes the filter to what the host's state and the bind allow

  // daemon_bind.cc
  void begin_bind();
  void give_up_attempt();
  [[nodiscard]] core::Claimants claimants_of(const BindPlan& plan) const;
  void mend_bind();
  void use_strategy(MacStrategy strategy);
  [[nodiscard]] Result<void> close_filter();
  void try_next_strategy();
  [[nodiscard]] BindTask bind_task();
  [[nodiscard]] std::vector<IpAddress> peers_of_this_mode() const;
  [[nodiscard]] std::vector<IpAddress> neighbours_to_ask(const std::string& interface) const;
  void complete_bind(const BindOutcome& outcome);
  void refuse_bind(const BindOutcome& refusal);
  void say_refusal();
  void retry_bind();
  void check_path_again();
  void notice_resume();
  void judge_check(const BindOutcome& outcome);
  void notice_vips_by_hand();
  void notice_vip_user(const core::AddressConflict& conflict);
  void notice_mac_user(const core::AddressConflict& conflict);
  [[nodiscard]] bool is_deaf() const;  // bound, peers are heard, but nothing to the cluster MAC
  [[nodiscard]] BindOutcome bind_trouble() const;
  [[nodiscard]] std::string remedy_of(BindReason reason) const;

  // daemon_translation.cc
  void find_translations();
  void follow_translations();

  // daemon_health.cc
  void on_health();  // on the monitor's thread
  void tell_health();

  // daemon_switch.cc
  using Json = nlohmann::json;
  void follow_switch();
  void speak_to_switch();
  [[nodiscard]] BindOutcome with_switch_words(const BindOutcome& found) const;
  [[nodiscard]] std::string with_switch_remedy(BindReason reason, const std::string& of_platform) const;
  [[nodiscard]] Json switch_json() const;
  [[nodiscard]] Json steering_json() const;

  // daemon_metrics.cc
  void follow_metrics();  // without the lock
  [[nodiscard]] std::string metrics_text();
  void add_host_metrics(Exposition& metrics);
  void add_adapter_metrics(Exposition& metrics) const;
  void add_rule_metrics(Exposition& metrics);
  void add_heartbeat_metrics(Exposition& metrics) const;
  void add_health_metrics(Exposition& metrics) const;

  // answers_health.cc
  [[nodiscard]] Json health_json() const;
  [[nodiscard]] Json unhealthy_rules_json(const std::array<uint8_t, kMaxRules>& offers) const;
  [[nodiscard]] const char* state_of_rule(std::size_t slot) const;

  // answers.cc, answers_rules.cc
  [[nodiscard]] Json common() const;
  [[nodiscard]] Json drain_json(const core::Host& host, Nanos now) const;
  [[nodiscard]] Json kept_json(const core::Host& host, Nanos now) const;
  [[nodiscard]] Json members_json(const core::Host& host, Nanos now) const;
  [[nodiscard]] Json dispatch(const std::string& command, const Json& request);
  [[nodiscard]] Json query();
  [[nodiscard]] Json display();
  [[nodiscard]] Json adapter_json();
  [[nodiscard]] Json params();
  [[nodiscard]] Json history();
  [[nodiscard]] Json counters();
  [[nodiscard]] Json connections();
  [[nodiscard]] Json buckets(const Json& request);
  [[nodiscard]] static Json tcp_json();
  [[nodiscard]] Json queryport(const Json& request);
  [[nodiscard]] Json filter(const Json& request);
  [[nodiscard]] Json host_command(const std::string& command, const Json& request);
  [[nodiscard]] Json rule_command(const std::string& command, const Json& request);
  [[nodiscard]] Json reload_command();
  [[nodiscard]] Result<std::vector<std::size_t>> selected_slots(const Json& request) const;
  [[nodiscard]] const char* switch_name(std::size_t slot) const;

  DaemonPaths paths_;
  Config config_;
  AdapterFacts facts_;  // as last read
  MacAddress own_mac_;  // the adapter's before anything was changed
  IpAddress dedicated_ip_, dedicated_ip6_;
  bool replace_ = false;
  bool translates_ = false;  // there are translated connections: filter and guard ask connection tracking
  BindState bind_ = BindState::unbound;
  BindOutcome bind_outcome_;
  struct SaidRefusal {
    BindReason reason;
    std::optional<wire::PolicyAnnouncement> policy;
  };
  std::optional<SaidRefusal> refusal_said_;  // by event 53, since the host is refused
  std::vector<MacStrategy> strategies_left_;
  std::optional<BindOutcome> first_refusal_;
  Nanos retry_bind_at_ = 0;
  Nanos last_tick_ = 0, last_wall_ = 0;
  int check_failures_ = 0;
  std::set<IpAddress> vips_by_hand_;
  Stranger vip_user_{kVipUserRemembered}, mac_user_{kMacUserRemembered};
  EventDescriptor bind_fd_;
  bool carrier_ = true, filter_open_ = false;
  bool interface_gone_ = false, link_unread_ = false, needs_restart_ = false;
  std::array<RuleSwitch, kMaxRules> switches_{};
  std::unique_ptr<HealthMonitor> health_;
  std::set<std::string> health_out_;  // rules that were told to be out for their health; "" = the host
  std::unique_ptr<Datapath> datapath_;
  std::unique_ptr<LinkMonitor> monitor_;
  std::unique_ptr<FrameSocket> claims_;
  std::unique_ptr<PolicyListener> switch_;
  std::optional<AnnouncementSocket> to_switch_;
  bool switch_fences_ = false;
  std::optional<wire::PolicyAnnouncement> switch_policy_;  // as last told in an event
  Nanos switch_changed_at_ = 0;
  bool switch_changed_in_attempt_ = false;  // the attempt under way may have met the former policy
  uint32_t generation_ = 0;
  std::unique_ptr<Administration> administration_;  // is told by protocol_: goes after it
  std::unique_ptr<GroupMembership> membership_;     // of mode igmp: peers' heartbeats go to the group
  std::unique_ptr<SteeringSpeaker> speaker_;        // protocol_ tells it of buckets: goes after it
  std::unique_ptr<Protocol> protocol_;
  std::unique_ptr<BindAttempt> attempt_;  // asks protocol_ for peers: goes first
  mutable EventLog events_;
  mutable std::mutex mutex_;
  std::unique_ptr<Examination> examination_;
  ConvergenceHistory history_;
  bool active_member_ = false;  // on the protocol thread
  std::array<uint64_t, wire::kRefusalCount> refused_reported_{};
  std::map<std::string, uint64_t> filtered_reported_;  // begins with what an earlier daemon has seen
  Nanos started_at_ = 0;
  MetricsEndpoint metrics_;
  std::string metrics_trouble_;  // told of; main thread
  std::optional<std::array<uint8_t, 32>> signing_key_;
  std::string signing_fingerprint_;  // of the key that signs, or did in the daemon's last life
  Nanos sign_anew_at_ = 0;           // when the newest key begins to sign; 0 = it does
};

}  // namespace nlb
