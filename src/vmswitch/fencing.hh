// SPDX-License-Identifier: Apache-2.0
// Which ports of members are fenced, and who is told of it (docs/decisions/0018,
// docs/protocol/fence-notice.md). It knows what members have said of themselves, and decides; putting a fence
// in force and reading it back is the enforcement's, and only then is anybody told. Pure: time and the
// kernel's state are arguments.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "vmswitch/policy.hh"
#include "wire/fence_notice.hh"

namespace nlb::vmswitch {

struct FencingPort {
  std::string interface, bridge;
  uint16_t cluster = 0;
  HostId host = 0;
  bool operator==(const FencingPort&) const = default;
};
// Ports of members of NLB clusters on switches with `fence_notice`, by interface index.
using FencingPorts = std::map<uint32_t, FencingPort>;
[[nodiscard]] FencingPorts fencing_ports(const SwitchConfig& config, const std::vector<BridgePort>& present,
                                         const ClusterNumbers& numbers);

struct SaidNotice {
  uint32_t ifindex = 0;  // of the port where it is said
  wire::FenceNotice notice;
};

class Fencing {
 public:
  struct Port {  // one that has gone down
    uint32_t ifindex = 0;
    std::string interface;
    HostId host = 0;
    bool gone = false;  // the interface itself
  };

  void follow(const FencingPorts& ports);
  [[nodiscard]] bool has_members() const { return !members_.empty(); }
  [[nodiscard]] bool follows(uint32_t ifindex) const { return members_.contains(ifindex); }

  // A member has said what it is. What is to be said to it: that it was fenced, itself.
  std::vector<SaidNotice> take(uint32_t ifindex, const wire::PortPresence& presence, Nanos now);
  // Members' ports that are down now and were not, and whose members spoke until then. `silent` is how long
  // ago a port's member was heard last. Each is told of once, fenced or not.
  using Silence = std::function<std::optional<Nanos>(uint32_t ifindex)>;
  [[nodiscard]] std::vector<Port> gone_down(const std::vector<Link>& links, const Silence& silent, Nanos now);
  // It could not be put in force: looked at again.
  void not_fenced(uint32_t ifindex) { members_.at(ifindex).down = false; }
  // The fence is in force: what is to be said to the other members.
  [[nodiscard]] std::vector<SaidNotice> fence(uint32_t ifindex, Nanos now);
  // Fenced ports that have come up again: what is to be said to their own members.
  [[nodiscard]] std::vector<SaidNotice> come_up(const std::vector<Link>& links, Nanos now);
  // Found in force at the start: of which life is not known.
  void adopt(const std::string& interface, Nanos now);
  // Fences whose members cannot have a lease any more. True: there were some.
  bool expire(Nanos now);

  // Interfaces.
  [[nodiscard]] const std::set<std::string>& fenced() const { return fenced_; }

 private:
  struct Member {
    FencingPort port;
    std::optional<wire::PortPresence> presence;
    Nanos said_at = 0;
    bool down = false;
  };
  struct Fence {
    std::optional<uint64_t> incarnation;
    Nanos since = 0, lasts = 0;
  };
  [[nodiscard]] bool is_fresh(const Member& member, Nanos now) const;
  void lift(const std::string& interface);

  std::map<uint32_t, Member> members_;
  std::map<std::string, Fence> fences_;  // by interface: a new one of the same name inherits it
  std::set<std::string> fenced_;
};

}  // namespace nlb::vmswitch
