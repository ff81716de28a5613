// SPDX-License-Identifier: Apache-2.0
// Administration of the whole cluster from any of its hosts: commands for other members, changes of the
// configuration on all of them or on none, and who they are. docs/protocol/administration.md.
//
// Who may what: here, the role on this host's control socket; there, [control] remote. A member takes
// another's word for the role, since whoever has the cluster's key can speak as any host.
#pragma once

#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "control/role.hh"
#include "core/change.hh"
#include "nlbd/change_disk.hh"
#include "nlbd/member_desk.hh"
#include "nlbd/roster.hh"

namespace nlb {

class Daemon;

class Administration {
 public:
  explicit Administration(Daemon& daemon);
  ~Administration();
  Administration(const Administration&) = delete;
  Administration& operator=(const Administration&) = delete;

  void start(Protocol& protocol);
  void stop();
  void tick();  // twice a second
  void take(const core::MemberRequest& request) { desk_.take(request); }

  // Requests that end here, on threads that may wait for other hosts.
  [[nodiscard]] static bool waits(const nlohmann::json& request);
  [[nodiscard]] nlohmann::json answer(const nlohmann::json& request, const Peer& peer);
  [[nodiscard]] std::string name_of(HostId host) const { return roster_.name_of(host); }
  // [{"id","name"}]: whom this host has ever heard of, and itself.
  [[nodiscard]] nlohmann::json known() const;

 private:
  using Json = nlohmann::json;
  // administration.cc: other hosts' commands
  [[nodiscard]] Json answer_member(const Json& request, HostId from);
  [[nodiscard]] Json carry_out_here(const Json& request);  // not on the desk's thread
  [[nodiscard]] Json change_here(const Json& request);     // on it
  [[nodiscard]] Result<HostSet> targets_of(const Json& request);
  [[nodiscard]] HostSet heard();
  void learn_names();
  void note_member(HostId host, const std::string& name);
  [[nodiscard]] Json forget(HostId host);

  // administration_change.cc: rule, vip, weight
  [[nodiscard]] Json change(const Json& request, const std::string& by);
  // What a change would do, without doing it; judged by this host's file alone.
  [[nodiscard]] Json foreseen(const Json& change, HostSet members, bool for_all);
  [[nodiscard]] Json text_of_end(const core::ClusterChange::End& end, HostSet members,
                                 const std::string& what) const;
  [[nodiscard]] Json hear_change(const Json& request);
  void send(core::ClusterChange::Output output);
  void ask(const core::ClusterChange::Ask& ask);

  Daemon& daemon_;
  HostId self_;
  Roster roster_;
  ChangeDisk disk_;
  // On the desk's thread alone.
  std::unique_ptr<core::ClusterChange> change_;
  std::map<std::string, std::promise<core::ClusterChange::End>> awaited_ends_;
  std::map<HostId, std::pair<uint64_t, Nanos>> asked_for_name_;  // incarnation, when; main thread
  std::map<HostId, uint64_t> named_;                             // incarnation that told its name
  std::mutex named_mutex_;
  std::atomic<uint32_t> changes_begun_{0};
  MemberDesk desk_;
};

}  // namespace nlb
