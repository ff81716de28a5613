// SPDX-License-Identifier: Apache-2.0
// nlb-vmswitch: keeps the configuration in force, remembers who broke it, and answers questions. Runs on the
// main thread; answers are given on the control thread under one lock.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>

#include "control/role.hh"
#include "linux/instance_lock.hh"
#include "metrics/endpoint.hh"
#include "metrics/exposition.hh"
#include "nlbd/event_log.hh"
#include "vmswitch/enforcement.hh"
#include "vmswitch/event_ring.hh"
#include "vmswitch/fencing.hh"
#include "vmswitch/guest_machine.hh"
#include "vmswitch/override_file.hh"
#include "vmswitch/policy_announcer.hh"
#include "vmswitch/steering.hh"
#include "vmswitch/violation_log.hh"
#include "vmswitch/vm_state.hh"

namespace nlb::vmswitch {

struct SwitchPaths {
  std::string config;
  std::string runtime_directory = "/run/opennlb/vmswitch";
};

class SwitchDaemon {
 public:
  // `config` is what `texts` say.
  SwitchDaemon(SwitchPaths paths, SwitchTexts texts, SwitchConfig config, bool may_use_tcx);

  // The policy is in force when this returns without an error.
  [[nodiscard]] Result<void> start();
  void stop();                           // the policy stays
  [[nodiscard]] Result<void> release();  // in place of start(): nothing stays

  void on_change();         // the kernel said that something is otherwise
  void on_events();         // violations wait in the ring
  void on_announcements();  // members have said something of their buckets
  void tick();
  // A machine that comes in by live migration runs here from its first frame on; that is looked for often.
  [[nodiscard]] bool has_incoming();
  void watch_incoming();
  [[nodiscard]] Result<void> reload();
  // Machines that were handed over while nobody answered on the control socket.
  [[nodiscard]] Result<void> follow_guest_files();
  [[nodiscard]] const BridgeMonitor& monitor() const { return *monitor_; }
  [[nodiscard]] int events_fd() const { return ring_->fd(); }
  [[nodiscard]] int announcements_fd() const { return announcements_->fd(); }

  [[nodiscard]] nlohmann::json answer(const nlohmann::json& request, const Peer& peer);

 private:
  // switch_daemon.cc
  using Json = nlohmann::json;
  [[nodiscard]] Result<void> look_again();
  void announce();
  void tell(const Finding& finding);
  void tell_misplaced_ports();
  void tell_guest_complaints();
  void read_events();
  void read_counters();
  void age_learned_addresses();
  void forget_gone_ports();
  void save_violations();
  void watch_shut_ports();
  void save_numbers() const;
  void expect(const std::string& vm, bool expected);
  [[nodiscard]] Result<void> lock_bridges(const SwitchConfig& config);
  [[nodiscard]] Result<void> use(SwitchTexts texts, SwitchConfig config);
  [[nodiscard]] PortIdentity identity_of(uint32_t ifindex) const;

  // switch_fences.cc
  void adopt_fences();
  void fence_ports();
  void say(const std::vector<SaidNotice>& notices) const;
  void take_presence(const nlb_steering_part& part);
  void tell_ended_fences();
  void end_old_fences();

  // switch_answers.cc
  [[nodiscard]] Json show();
  [[nodiscard]] Json clusters();
  [[nodiscard]] Json switch_json(const GuardedSwitch& guarded, TapHolders& holders) const;
  [[nodiscard]] Json guest_json(const GuestPort& port, TapHolders& holders) const;
  [[nodiscard]] Json unknown_json(const PortStatus& status) const;
  [[nodiscard]] Json cluster_json(const DeclaredCluster& cluster) const;
  void add_kernel_state(Json& port, const PortStatus* status) const;
  [[nodiscard]] Json steering_json(uint32_t ifindex) const;
  [[nodiscard]] Json directing_json(uint32_t ifindex) const;
  [[nodiscard]] const PortStatus* status_of(const std::string& interface) const;
  [[nodiscard]] std::vector<std::string> problems() const;

  // switch_metrics.cc
  void follow_metrics();  // without the lock
  [[nodiscard]] std::string metrics_text();
  void add_port_metrics(Exposition& metrics) const;
  void add_frame_metrics(Exposition& metrics) const;

  // spoofing_change.cc
  [[nodiscard]] Json set(const Json& request);
  void tell_spoofing_changes(const SwitchConfig& before);
  [[nodiscard]] Json change(const SpoofingChange& wanted, const GuestPort& port,
                            const std::optional<GuestMachine>& stopped, bool live);

  // guest_change.cc
  [[nodiscard]] bool has_arrived(const GuestAdapter& adapter);
  [[nodiscard]] Json attach(const Json& request);
  [[nodiscard]] Json detach(const Json& request);
  [[nodiscard]] Json keep(const GuestMachine& machine, const std::string& text, SwitchTexts texts,
                          SwitchConfig config);

  SwitchPaths paths_;
  SwitchTexts texts_;  // that config_ was made of
  SwitchConfig config_;
  bool may_use_tcx_;
  ClusterNumbers numbers_;
  std::unique_ptr<Enforcement> enforcement_;
  std::unique_ptr<BridgeMonitor> monitor_;
  std::unique_ptr<EventRing> ring_;
  std::unique_ptr<AnnouncementRing> announcements_;
  std::unique_ptr<Steering> steering_;
  Fencing fencing_;
  std::set<std::string> fences_told_;  // interfaces
  std::unique_ptr<PolicyAnnouncer> announcer_;
  std::map<std::string, InstanceLock> locks_;  // by bridge
  EventLog events_;
  ViolationLog violations_;
  std::map<uint32_t, PortIdentity> identities_;  // of ports that are or were here
  std::set<uint32_t> shut_down_;                 // told of
  std::set<std::string> misplaced_;              // told of
  std::set<std::string> guest_complaints_;       // told of
  std::set<std::string> expected_;               // machines that will come from another host
  std::string not_in_force_;                     // why, or ""
  std::mutex mutex_;
  int64_t began_ms_ = 0;  // Unix
  MetricsEndpoint metrics_;
  std::string metrics_trouble_;  // told of; main thread
};

}  // namespace nlb::vmswitch
