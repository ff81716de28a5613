// SPDX-License-Identifier: Apache-2.0
// Cluster MAC and VIPs on an adapter, as a transaction.
//
// bind() is a list of steps, each with its undo. A step that finds its work done changes nothing and has
// nothing to undo, so what an earlier daemon left is adopted, and a failure leads back to exactly what was
// found. At the end everything is read back; a kernel or driver that said yes and did not is a failure like
// any other.
//
// Order: sysctls first (no ARP request with a VIP as sender, no stray announcement), receive filter before
// the MAC moves (the adapter's former address and the masked one stay reachable throughout), VIPs last
// (nobody answers for an address that does not get in). unbind() is the same in reverse.
#include <algorithm>
#include <cerrno>
#include <functional>

#include "linux/adapter.hh"
#include "linux/announcement.hh"
#include "linux/bind_memory.hh"
#include "linux/group_membership.hh"
#include "linux/netlink.hh"
#include "linux/sysctl.hh"

namespace nlb {
namespace {

struct Step {
  std::string name;
  BindReason reason;                  // of its failure
  std::function<Result<bool>()> act;  // true = something was changed
  std::function<Result<void>()> undo;
};

using Outcome = tl::expected<void, BindFailure>;
using BeforeVips = std::function<Outcome()>;

bool replaces_mac(const BindPlan& plan) {
  return plan.mode == ClusterMode::unicast && plan.strategy == MacStrategy::replace;
}

bool contains(const std::vector<MacAddress>& macs, const MacAddress& mac) {
  return std::find(macs.begin(), macs.end(), mac) != macs.end();
}

bool has_vip(const AdapterFacts& facts, const IpAddress& vip) {
  const InterfaceAddress wanted{vip, static_cast<uint8_t>(vip.is_v4() ? 32 : 128)};
  return std::find(facts.addresses.begin(), facts.addresses.end(), wanted) != facts.addresses.end();
}

std::vector<IpAddress> dedicated_addresses(const AdapterFacts& facts, const std::vector<IpAddress>& vips) {
  std::vector<IpAddress> dedicated;
  for (const auto& on : facts.addresses)
    if (std::find(vips.begin(), vips.end(), on.address) == vips.end()) dedicated.push_back(on.address);
  return dedicated;
}

Result<void> ignore_change(Result<bool> result) {
  return result.map([](bool) {});
}

// The MAC to go back to: what the adapter has, unless that is the cluster's, left by an earlier daemon.
Result<MacAddress> former_mac(const BindPlan& plan, const AdapterFacts& facts, const BindMemory& memory) {
  if (facts.mac_current != plan.cluster_mac) return facts.mac_current;
  if (memory.cluster_mac == plan.cluster_mac && !memory.former_mac.is_zero()) return memory.former_mac;
  if (!plan.own_mac.is_zero() && plan.own_mac != plan.cluster_mac) return plan.own_mac;
  if (!facts.mac_permanent.is_zero() && facts.mac_permanent != plan.cluster_mac) return facts.mac_permanent;
  return fail(plan.interface + " carries the cluster MAC " + plan.cluster_mac.text() +
              ", and nothing tells which MAC it had before: set its own MAC by `ip link set " +
              plan.interface + " address …`");
}

// The way back for sysctls that only an earlier plan needed (`replace`, now `add`; the last IPv6 VIP gone).
// After the MAC: the kernel makes link-local addresses of it as soon as it is allowed to.
std::vector<sysctl::Setting> outgrown(const BindPlan& plan, const BindMemory& memory) {
  std::vector<sysctl::Setting> settings;
  const auto wanted = sysctl::wanted(plan);
  for (const auto& possible : sysctl::possible(plan.interface)) {
    if (std::find(wanted.begin(), wanted.end(), possible) != wanted.end()) continue;
    if (auto former = memory.former_sysctl(possible.path)) settings.push_back({possible.path, *former});
  }
  return settings;
}

// What is to be remembered once the plan is in force; see bind_memory.hh for which old notes still count.
BindMemory updated(const BindMemory& old, const BindPlan& plan, const MacAddress& former) {
  BindMemory memory;
  if (replaces_mac(plan)) {
    memory.cluster_mac = plan.cluster_mac;
    memory.former_mac = former;
  }
  for (const auto& setting : sysctl::wanted(plan)) {
    auto current = sysctl::read(setting.path);
    if (!current) continue;
    if (*current != setting.value) {
      memory.former_sysctls.push_back({setting.path, *current});
    } else if (auto known = old.former_sysctl(setting.path)) {
      memory.former_sysctls.push_back({setting.path, *known});
    }
  }
  return memory;
}

// The steps of one bind, with what they need to know of the adapter.
class Binding {
 public:
  Binding(const BindPlan& plan, const AdapterFacts& facts, const BindMemory& memory, MacAddress former,
          netlink::Socket& socket, const BeforeVips& before_vips)
      : plan_(plan), facts_(facts), former_(former), socket_(socket) {
    for (const auto& setting : sysctl::wanted(plan)) add_sysctl(setting);
    if (plan.mode != ClusterMode::unicast) {
      add_group(plan.cluster_mac);
      if (auto group = igmp_group(plan)) add_address("joining the cluster's group ", *group);
    } else if (replaces_mac(plan)) {
      add_filter(plan.masked_mac, "masked MAC");
      add_filter(former, "adapter's own MAC");
      add_mac(plan.cluster_mac);
    } else {
      if (facts.mac_current != former) add_mac(former);  // left by an earlier daemon with strategy `replace`
      add_filter(plan.cluster_mac, "cluster MAC");
    }
    for (const auto& setting : outgrown(plan, memory)) add_sysctl(setting);
    const auto missing = [&](const IpAddress& vip) { return !has_vip(facts, vip); };
    if (before_vips && std::any_of(plan.vips.begin(), plan.vips.end(), missing)) add_claim(before_vips);
    for (const auto& vip : plan.vips) add_address("adding VIP ", vip);
  }

  [[nodiscard]] Outcome run();
  // Undoes in reverse what run() changed. "" or what could not be put back.
  [[nodiscard]] std::string roll_back();

 private:
  void add_sysctl(const sysctl::Setting& setting);
  void add_filter(const MacAddress& mac, const char* role);
  void add_group(const MacAddress& group);
  void add_mac(const MacAddress& mac);
  void add_address(const char* what, const IpAddress& address);
  void add_claim(const BeforeVips& before_vips);
  Result<void> set_mac(const MacAddress& mac);

  const BindPlan& plan_;
  const AdapterFacts& facts_;
  MacAddress former_;
  netlink::Socket& socket_;
  std::vector<Step> steps_;
  std::vector<const Step*> changed_;
  std::optional<BindFailure> claim_failure_;
};

Outcome Binding::run() {
  for (const auto& step : steps_) {
    auto outcome = step.act();
    if (!outcome && claim_failure_) return tl::unexpected(*claim_failure_);
    if (!outcome) return tl::unexpected(BindFailure{outcome.error().within(step.name), step.reason});
    if (*outcome) changed_.push_back(&step);
  }
  return {};
}

std::string Binding::roll_back() {
  std::string complaints;
  for (; !changed_.empty(); changed_.pop_back()) {
    auto undone = changed_.back()->undo();
    if (!undone) complaints += "; cannot be undone: " + undone.error().within(changed_.back()->name).message;
  }
  return complaints;
}

void Binding::add_sysctl(const sysctl::Setting& setting) {
  auto found = sysctl::read(setting.path);
  if (!found && found.error().code == ENOENT) return;  // a kernel without it (no IPv6) does not need it
  const sysctl::Setting before{setting.path, found.value_or("")};
  steps_.push_back({"setting sysctls", BindReason::none,
                    [=]() -> Result<bool> {
                      if (!found) return tl::unexpected(found.error());
                      if (before == setting) return false;
                      return sysctl::write(setting).map([] { return true; });
                    },
                    [=] { return sysctl::write(before); }});
}

void Binding::add_filter(const MacAddress& mac, const char* role) {
  steps_.push_back(
      {std::string("adding the ") + role + " " + mac.text() + " to the receive filter",
       BindReason::driver_refused,
       [this, mac] { return netlink::add_receive_filter(socket_, facts_.index, mac); },
       [this, mac] { return ignore_change(netlink::delete_receive_filter(socket_, facts_.index, mac)); }});
}

void Binding::add_group(const MacAddress& group) {
  steps_.push_back({"joining the cluster's group " + group.text(), BindReason::driver_refused,
                    [this, group] { return join_group(plan_.interface, group); },
                    [this, group] { return ignore_change(leave_group(plan_.interface, group)); }});
}

Result<void> Binding::set_mac(const MacAddress& mac) {
  auto set = netlink::set_mac(socket_, facts_.index, mac);
  if (!set && set.error().code == EBUSY)
    return fail(set.error().message + ": driver " +
                    (facts_.driver.empty() ? "of this adapter" : facts_.driver) +
                    " changes the MAC only while the link is down; use mac_strategy \"add\", or set " +
                    mac.text() + " as the adapter's MAC while it is down and start again",
                EBUSY);
  if (!set) return set;
  // Dedicated addresses are bound to the masked MAC while the adapter carries the cluster's.
  announce(plan_.interface, dedicated_addresses(facts_, plan_.vips),
           mac == plan_.cluster_mac ? plan_.masked_mac : mac);
  return {};
}

void Binding::add_mac(const MacAddress& mac) {
  const MacAddress before = facts_.mac_current;
  steps_.push_back({"changing the adapter's MAC to " + mac.text(), BindReason::driver_refused,
                    [=, this]() -> Result<bool> {
                      if (before == mac) return false;
                      return set_mac(mac).map([] { return true; });
                    },
                    [=, this] { return set_mac(before); }});
}

void Binding::add_address(const char* what, const IpAddress& address) {
  steps_.push_back(
      {what + address.text(), BindReason::none,
       [=, this] { return netlink::add_host_address(socket_, facts_.index, address); },
       [=, this] { return ignore_change(netlink::delete_host_address(socket_, facts_.index, address)); }});
}

void Binding::add_claim(const BeforeVips& before_vips) {
  steps_.push_back({"address-conflict detection", BindReason::ip_conflict,
                    [this, before_vips]() -> Result<bool> {
                      auto clear = before_vips();
                      if (clear) return false;
                      claim_failure_ = clear.error();
                      return tl::unexpected<Error>(clear.error());
                    },
                    [] { return Result<void>{}; }});
}

Result<void> verify_mac_path(const BindPlan& plan, const AdapterFacts& facts) {
  if (plan.mode != ClusterMode::unicast) {
    auto joined = has_joined_group(plan.interface, plan.cluster_mac);
    if (!joined) return tl::unexpected(joined.error());
    if (!*joined) return fail("the group " + plan.cluster_mac.text() + " is not in the receive filter");
    const auto group = igmp_group(plan);
    if (group && std::find(facts.groups.begin(), facts.groups.end(), *group) == facts.groups.end())
      return fail("the group " + group->text() + " is not joined");
    return {};
  }
  if (!replaces_mac(plan)) {
    if (!contains(facts.extra_macs, plan.cluster_mac))
      return fail("the cluster MAC " + plan.cluster_mac.text() + " is not in the receive filter");
    if (facts.mac_current == plan.cluster_mac)
      return fail("the adapter itself carries the cluster MAC " + plan.cluster_mac.text());
    return {};
  }
  if (facts.mac_current != plan.cluster_mac)
    return fail("the adapter's MAC is " + facts.mac_current.text() + ", not " + plan.cluster_mac.text());
  if (!contains(facts.extra_macs, plan.masked_mac))
    return fail("the masked MAC " + plan.masked_mac.text() + " is not in the receive filter");
  return {};
}

Result<void> read_back(const BindPlan& plan) {
  auto facts = read_adapter(plan.interface);
  if (!facts) return tl::unexpected(facts.error());
  if (auto path = verify_mac_path(plan, *facts); !path) return path;
  for (const auto& vip : plan.vips)
    if (!has_vip(*facts, vip)) return fail("VIP " + vip.text() + " is not on the adapter");
  for (const auto& setting : sysctl::wanted(plan)) {
    auto current = sysctl::read(setting.path);
    if (!current && current.error().code == ENOENT) continue;
    if (!current) return tl::unexpected(current.error());
    if (*current != setting.value) return fail("sysctl " + setting.path + " is " + *current);
  }
  return {};
}

// The way back, each part tried whatever became of the others.
class Unbinding {
 public:
  Unbinding(const BindPlan& plan, const AdapterFacts& facts, const BindMemory& memory,
            netlink::Socket& socket)
      : plan_(plan), facts_(facts), memory_(memory), socket_(socket) {}

  [[nodiscard]] Result<void> run() {
    for (const auto& vip : plan_.vips)
      note("VIP " + vip.text(), netlink::delete_host_address(socket_, facts_.index, vip));
    if (auto group = igmp_group(plan_))
      note("group " + group->text(), netlink::delete_host_address(socket_, facts_.index, *group));
    if (plan_.mode != ClusterMode::unicast)
      note("group " + plan_.cluster_mac.text(), leave_group(plan_.interface, plan_.cluster_mac));
    else
      restore_mac_path();
    restore_sysctls();
    if (complaints_.empty()) return {};
    return fail("cannot be put back: " + complaints_, code_);
  }

 private:
  void note(const std::string& what, const Result<bool>& outcome) {
    if (outcome) return;
    complaints_ += (complaints_.empty() ? "" : "; ") + what + ": " + outcome.error().message;
    code_ = outcome.error().code;
  }
  void drop_filter(const MacAddress& mac) {
    if (contains(facts_.extra_macs, mac))
      note("receive-filter entry " + mac.text(), netlink::delete_receive_filter(socket_, facts_.index, mac));
  }
  void restore_mac_path();
  void restore_sysctls();

  const BindPlan& plan_;
  const AdapterFacts& facts_;
  const BindMemory& memory_;
  netlink::Socket& socket_;
  std::string complaints_;
  int code_ = 0;
};

// A MAC that is not the cluster's is somebody's own choice and stays.
void Unbinding::restore_mac_path() {
  MacAddress own = facts_.mac_current;
  if (facts_.mac_current == plan_.cluster_mac) {
    auto former = former_mac(plan_, facts_, memory_);
    if (!former) return note("MAC", tl::unexpected(former.error()));
    auto set = netlink::set_mac(socket_, facts_.index, *former);
    if (!set) return note("MAC " + former->text(), tl::unexpected(set.error()));
    own = *former;
    announce(plan_.interface, dedicated_addresses(facts_, plan_.vips), own);
  }
  drop_filter(plan_.cluster_mac);
  drop_filter(plan_.masked_mac);
  drop_filter(own);
}

void Unbinding::restore_sysctls() {
  for (const auto& setting : sysctl::possible(plan_.interface)) {
    auto former = memory_.former_sysctl(setting.path);
    auto current = sysctl::read(setting.path);
    if (!former || !current || *current != setting.value) continue;
    note("sysctl", sysctl::write({setting.path, *former}).map([] { return true; }));
  }
}

}  // namespace

// The kernel joins and answers queries for a group that is an address of the interface; that outlives every
// socket.
std::optional<IpAddress> igmp_group(const BindPlan& plan) {
  if (plan.mode != ClusterMode::igmp) return std::nullopt;
  return igmp_group_of(plan.cluster_mac);
}

std::optional<MacAddress> remembered_mac(const std::string& state_directory, const std::string& interface) {
  auto memory = load_bind_memory(state_directory, interface);
  if (!memory || memory->former_mac.is_zero()) return std::nullopt;
  auto facts = read_adapter(interface);
  if (!facts || facts->mac_current != memory->cluster_mac) return std::nullopt;
  return memory->former_mac;
}

Result<void> verify_bound(const BindPlan& plan) {
  auto verified = read_back(plan);
  if (!verified) return tl::unexpected(verified.error().within(plan.interface));
  return {};
}

Outcome bind(const BindPlan& plan, const BeforeVips& before_vips) {
  const auto failed = [&](const Error& error, BindReason reason = BindReason::none) {
    return tl::unexpected(BindFailure{error.within(plan.interface), reason});
  };
  auto facts = read_adapter(plan.interface);
  if (!facts) return tl::unexpected(BindFailure{facts.error(), BindReason::none});
  auto socket = netlink::Socket::open();
  if (!socket) return failed(socket.error());
  auto old = load_bind_memory(plan.state_directory, plan.interface);
  if (!old) return failed(old.error());
  auto former = former_mac(plan, *facts, *old);
  if (!former) return tl::unexpected(BindFailure{former.error(), BindReason::none});

  // Noted before anything is touched: whoever is killed half-way can still be undone.
  auto noted = save_bind_memory(plan.state_directory, plan.interface, updated(*old, plan, *former));
  if (!noted) return failed(noted.error());
  Binding binding(plan, *facts, *old, *former, *socket, before_vips);
  Outcome outcome = binding.run();
  if (outcome) {
    // A driver that said yes and did not has refused.
    if (auto read = read_back(plan); !read)
      outcome = tl::unexpected(
          BindFailure{read.error().within("reading back what was set"), BindReason::driver_refused});
  }
  if (outcome) return {};
  BindFailure failure = outcome.error();
  failure.message += binding.roll_back();
  (void)save_bind_memory(plan.state_directory, plan.interface, *old);
  return failed(failure, failure.reason);
}

Result<void> remove_vips(const std::string& interface, const std::vector<IpAddress>& vips) {
  auto facts = read_adapter(interface);
  if (!facts) return tl::unexpected(facts.error());
  auto socket = netlink::Socket::open();
  if (!socket) return tl::unexpected(socket.error().within(interface));
  for (const auto& vip : vips)
    if (auto removed = netlink::delete_host_address(*socket, facts->index, vip); !removed)
      return tl::unexpected(removed.error().within(interface + ": VIP " + vip.text()));
  return {};
}

Result<void> unbind(const BindPlan& plan) {
  const auto failed = [&](const Error& error) { return tl::unexpected(error.within(plan.interface)); };
  auto facts = read_adapter(plan.interface);
  if (!facts && facts.error().code == ENODEV)  // it went, and took everything with it
    return save_bind_memory(plan.state_directory, plan.interface, {});
  if (!facts) return tl::unexpected(facts.error());
  auto socket = netlink::Socket::open();
  if (!socket) return failed(socket.error());
  auto memory = load_bind_memory(plan.state_directory, plan.interface);
  if (!memory) return failed(memory.error());
  if (auto undone = Unbinding(plan, *facts, *memory, *socket).run(); !undone) return failed(undone.error());
  if (auto forgotten = save_bind_memory(plan.state_directory, plan.interface, {}); !forgotten)
    return failed(forgotten.error());
  return {};
}

}  // namespace nlb
