// SPDX-License-Identifier: Apache-2.0
// Objects → clusters: which object belongs to which cluster and host, and what they say together. Several
// exports may say the same thing; where they say different things, they were not taken at the same time.
#include <fmt/format.h>

#include <algorithm>

#include "base/limits.hh"
#include "control/config_json.hh"
#include "control/config_values.hh"
#include "import/property_value.hh"
#include "import/windows_cluster.hh"

namespace nlb::import {
namespace {

constexpr uint32_t kMaxWindowsHosts = 32;
constexpr uint32_t kWindowsPeriodMs = 1000, kWindowsTolerance = 5;  // NLB's defaults

const ObjectReader::Names kPeriodNames = {"AliveMsgPeriod", "MembershipHeartbeatPeriod"};
const ObjectReader::Names kToleranceNames = {"AliveMsgTolerance", "MembershipHeartbeatLossTolerance"};

using Problems = std::vector<ConfigProblem>;
using Members = std::vector<const SourceObject*>;

// A value that several objects may give, and which must then be the same.
template <typename Value>
struct Agreed {
  std::optional<Value> value;
  std::string place;

  // What was wrong with it, "" when nothing.
  [[nodiscard]] std::string take(const std::optional<Value>& next, const std::string& next_place) {
    if (!next) return "";
    if (value && *value != *next) return "differs from what " + place + " says";
    if (!value) {
      value = next;
      place = next_place;
    }
    return "";
  }
};

std::string cluster_of(const SourceObject& object) {
  return object.kind == ObjectKind::cluster ? object.text({"Name", "ClusterName"})
                                            : object.text({"Cluster", "ClusterName"});
}

// "web.example.com" → "web"; what nlbd does not take in a name becomes "-".
std::string linux_name(const std::string& windows_name) {
  std::string name = windows_name.substr(0, windows_name.find('.')).substr(0, 32);
  for (char& c : name)
    if (!is_cluster_name({&c, 1})) c = '-';
  return name;
}

bool names_host(const WindowsHost& host, std::string_view name) {
  return same_word(host.name, name) || same_word(host.full_name, name) ||
         same_word(std::string_view(host.full_name).substr(0, host.full_name.find('.')), name);
}

class ClusterReader {
 public:
  ClusterReader(Members members, const Options& options, Problems& problems)
      : members_(std::move(members)), options_(options), problems_(problems) {}

  WindowsCluster read(const std::string& windows_name) {
    read_name(windows_name);
    for (const auto* object : members_)
      if (object->kind == ObjectKind::cluster || object->kind == ObjectKind::parameters)
        read_cluster(*object);
    for (const auto* object : members_)
      if (object->kind == ObjectKind::node) read_host(*object);
    for (const auto* object : members_)
      if (object->kind == ObjectKind::parameters) read_host(*object);
    for (const auto* object : members_) {
      if (object->kind == ObjectKind::vip) read_vip(*object);
      if (object->kind == ObjectKind::dip) read_dedicated(*object);
      if (object->kind == ObjectKind::rule) read_port_rule(*object);
    }
    std::sort(cluster_.hosts.begin(), cluster_.hosts.end(),
              [](const WindowsHost& a, const WindowsHost& b) { return a.id < b.id; });
    settle();
    return std::move(cluster_);
  }

 private:
  void complain(const SourceObject& object, int line, const std::string& what) {
    problems_.push_back(object.problem(line, what));
  }
  void complain_of_cluster(const std::string& what) {
    const SourceObject& first = *members_.front();
    complain(first, 0, what);
  }

  template <typename Value>
  void agree(Agreed<Value>& agreed, const std::optional<Value>& value, const SourceObject& object,
             ObjectReader::Names names) {
    const auto* property = object.find(names);
    if (property == nullptr) return;
    const auto trouble = agreed.take(value, object.place(property->line));
    if (!trouble.empty())
      complain(object, property->line, property->name + " " + property->value + " " + trouble);
  }

  void read_name(const std::string& windows_name) {
    cluster_.windows_name = windows_name;
    cluster_.name = options_.cluster_name.empty() ? linux_name(windows_name) : options_.cluster_name;
    if (cluster_.name.empty())
      complain_of_cluster("says no cluster name; give one with --name");
    else if (cluster_.name != windows_name && !windows_name.empty())
      cluster_.notes.push_back(
          {"", "the cluster was called \"" + windows_name + "\"; here it is \"" + cluster_.name + "\""});
  }

  void read_cluster(const SourceObject& object) {
    ObjectReader reader(object, cluster_.notes, problems_);
    agree(primary_, reader.address({"ClusterIPAddress", "IPAddress"}), object,
          {"ClusterIPAddress", "IPAddress"});
    agree(prefix_, reader.prefix_length({"SubnetMask", "ClusterNetMask"}), object,
          {"SubnetMask", "ClusterNetMask"});
    if (!options_.mode)
      agree(mode_,
            reader.word<ClusterMode>({"Mode", "ClusterMode"}, {{"Unicast", -1, ClusterMode::unicast},
                                                               {"Multicast", -1, ClusterMode::multicast},
                                                               {"IGMPMulticast", -1, ClusterMode::igmp},
                                                               {"IGMP", -1, ClusterMode::igmp}}),
            object, {"Mode", "ClusterMode"});
    agree(period_, reader.number(kPeriodNames, 100, kMaxPeriodMs), object, kPeriodNames);
    agree(tolerance_, reader.number(kToleranceNames, 5, kMaxTolerance), object, kToleranceNames);
    if (const auto* mac = reader.find({"ClusterMacAddress"})) macs_.push_back({&object, mac});
    if (object.kind == ObjectKind::cluster) reader.note_what_is_left_out();
  }

  void read_host(const SourceObject& object) {
    std::vector<Note> notes;
    ObjectReader reader(object, notes, problems_);
    const auto id = reader.number({"HostPriority", "HostId", "HostIdentifier"}, 1, kMaxWindowsHosts);
    if (!id) {
      if (object.find({"HostPriority", "HostId", "HostIdentifier"}) == nullptr)
        complain(object, object.line, "says no host priority (HostPriority, HostId or HostIdentifier)");
      return;
    }
    WindowsHost* host = host_of(object, static_cast<HostId>(*id));
    if (host == nullptr) return;
    if (const auto name = reader.text({"InterfaceName", "Interface"}); !name.empty()) host->interface = name;
    read_states(reader, *host, object, notes);
    reader.note_what_is_left_out();
    host->notes.insert(host->notes.end(), notes.begin(), notes.end());
  }

  // Driver parameters tell more of a node that is known; anything else with a known id is a second host.
  WindowsHost* host_of(const SourceObject& object, HostId id) {
    const auto known = std::find_if(cluster_.hosts.begin(), cluster_.hosts.end(),
                                    [&](const WindowsHost& host) { return host.id == id; });
    const bool is_node = object.kind == ObjectKind::node;
    if (known != cluster_.hosts.end()) {
      const bool same = is_node ? same_word(known->name, object.text({"Name"}))
                                : object.scope.empty() && known->scope.empty();
      if (same) return &*known;
      complain(object, object.line,
               fmt::format("host priority {} is that of {}, too; allowed: another on every host", id,
                           known->place));
      return nullptr;
    }
    WindowsHost host;
    host.id = id;
    host.place = object.place(object.line);
    host.scope = object.scope.empty() ? "" : object.file + object.scope;
    if (is_node) {
      host.name = object.text({"Name"});
      host.full_name = object.text({"Host", "HostName"});
    }
    cluster_.hosts.push_back(std::move(host));
    return &cluster_.hosts.back();
  }

  static void read_states(ObjectReader& reader, WindowsHost& host, const SourceObject& object,
                          std::vector<Note>& notes) {
    const auto* initial = reader.find({"InitialHostState"});
    if (initial != nullptr && initial->number)
      notes.push_back({object.place(initial->line), "InitialHostState " + initial->value +
                                                        ": a number without a published meaning; started was "
                                                        "taken, NLB's default"});
    else if (const auto state = reader.word<InitialState>({"InitialHostState"},
                                                          {{"Started", -1, InitialState::started},
                                                           {"Stopped", -1, InitialState::stopped},
                                                           {"Suspended", -1, InitialState::suspended}}))
      host.initial_state = *state;
    if (reader.flag({"PersistSuspendOnReboot", "PersistSuspendedState", "PersistedSuspendedState"}) == false)
      host.persist.clear();
    const auto* states = object.find({"PersistedHostStates"});
    if (states == nullptr) return;
    std::vector<InitialState> persist;
    for (const auto state : {InitialState::started, InitialState::stopped, InitialState::suspended}) {
      std::string word = name_of(state);
      word.front() = static_cast<char>(word.front() - ('a' - 'A'));
      if (states->value.find(word) != std::string::npos) persist.push_back(state);
    }
    if (!persist.empty())
      host.persist = persist;
    else
      reader.note(*states,
                  "does not say which states survive a restart; persist is as the node says, else "
                  "NLB's default, suspended");
  }

  void read_vip(const SourceObject& object) {
    ObjectReader reader(object, cluster_.notes, problems_);
    const auto address = reader.address({"IPAddress", "VirtualIPAddress"});
    const auto prefix = reader.prefix_length({"SubnetMask"});
    reader.note_what_is_left_out();
    if (!address) return;
    const bool known = std::any_of(vips_.begin(), vips_.end(),
                                   [&](const PlacedVip& vip) { return vip.vip.address == *address; });
    if (!known) vips_.push_back({{*address, prefix}, object.place(object.line)});
  }

  void read_dedicated(const SourceObject& object) {
    ObjectReader reader(object, cluster_.notes, problems_);
    const auto address = reader.address({"IPAddress", "DedicatedIPAddress"});
    const auto node = object.text({"NodeName", "Node"});
    for (WindowsHost& host : cluster_.hosts)
      if (address && belongs(object, node, host)) host.dedicated.push_back(address->text());
  }

  static bool belongs(const SourceObject& object, const std::string& node, const WindowsHost& host) {
    if (!object.scope.empty()) return host.scope == object.file + object.scope;
    return host.scope.empty() && !node.empty() && names_host(host, node);
  }

  void read_port_rule(const SourceObject& object) {
    std::vector<Note> notes;
    auto rule = read_rule(object, notes, problems_);
    if (!rule) return;
    const auto node = object.text({"NodeName", "Node"});
    rule->of_whole_cluster = node.empty() && object.scope.empty();
    bool taken = false;
    for (WindowsHost& host : cluster_.hosts) {
      if (!rule->of_whole_cluster && !belongs(object, node, host)) continue;
      taken = true;
      add_rule(host, *rule, object);
      host.notes.insert(host.notes.end(), notes.begin(), notes.end());
    }
    if (!taken && !cluster_.hosts.empty())
      complain(
          object, object.line,
          "port rule of node \"" + node + "\", of which nothing was read; add what Get-NlbClusterNode gives");
  }

  // Cluster-wide exports repeat what the nodes' own say more exactly.
  void add_rule(WindowsHost& host, const WindowsRule& rule, const SourceObject& object) {
    const auto scope = [](const PortRule& r) {
      return std::tuple(r.vip, r.first_port, r.last_port, r.protocol);
    };
    const auto known = std::find_if(host.rules.begin(), host.rules.end(), [&](const WindowsRule& other) {
      return scope(other.rule) == scope(rule.rule);
    });
    if (known == host.rules.end()) return host.rules.push_back(rule);
    if (rule.of_whole_cluster || known->rule == rule.rule) return;
    if (known->of_whole_cluster)
      *known = rule;
    else
      complain(object, object.line,
               "port rule " + rule_text(rule.rule) + " differs from what " + known->place + " says");
  }

  void settle() {
    if (cluster_.hosts.empty())
      complain_of_cluster("says nothing of the hosts; add what Get-NlbClusterNode gives");
    settle_mode();
    settle_vips();
    settle_heartbeat();
    settle_rules();
  }

  void settle_mode() {
    cluster_.mode = options_.mode.value_or(mode_.value.value_or(ClusterMode::unicast));
    if (!options_.mode && !mode_.value)
      cluster_.notes.push_back({"", "no cluster mode was exported: unicast, NLB's default"});
  }

  void settle_vips() {
    if (!primary_.value)
      return complain_of_cluster("says no cluster IP address; add what Get-NlbCluster gives");
    const auto own = std::find_if(vips_.begin(), vips_.end(),
                                  [&](const PlacedVip& vip) { return vip.vip.address == *primary_.value; });
    Vip primary{*primary_.value, prefix_.value};
    if (own != vips_.end()) {
      if (!primary.prefix_length) primary.prefix_length = own->vip.prefix_length;
      vips_.erase(own);
    }
    if (!primary.address.is_v4()) primary.prefix_length.reset();
    if (const auto objection = vip_objection(primary); !objection.empty())
      return complain_of_cluster("cluster IP address " + primary.address.text() + " (" + primary_.place +
                                 ") " + objection);
    cluster_.vips.push_back(primary);
    for (const PlacedVip& vip : vips_) {
      const auto objection = vip_objection(vip.vip);
      if (objection.empty())
        cluster_.vips.push_back(vip.vip);
      else
        cluster_.notes.push_back({vip.place, "VIP " + vip.vip.address.text() + " left out; it " + objection});
    }
    settle_macs();
  }

  // A cluster MAC that was set by hand; hosts that keep it would not understand each other with ours.
  void settle_macs() {
    const auto macs = cluster_macs(*primary_.value);
    const auto& own = cluster_.mode == ClusterMode::unicast     ? macs.unicast
                      : cluster_.mode == ClusterMode::multicast ? macs.multicast
                                                                : macs.igmp;
    for (const auto& [object, property] : macs_) {
      std::string text = property->value;
      std::replace(text.begin(), text.end(), '-', ':');
      if (MacAddress::parse(text) == own) continue;
      cluster_.notes.push_back({object->place(property->line), "ClusterMacAddress " + property->value +
                                                                   " left out; here the cluster MAC follows "
                                                                   "from the primary VIP: " +
                                                                   own.text()});
    }
  }

  void settle_heartbeat() {
    const auto tuned = [&](const Agreed<uint32_t>& agreed, uint32_t windows_default) {
      return agreed.value == windows_default ? std::optional<uint32_t>{} : agreed.value;
    };
    cluster_.period_ms = tuned(period_, kWindowsPeriodMs);
    cluster_.tolerance = tuned(tolerance_, kWindowsTolerance);
  }

  void settle_rules() {
    const bool any = std::any_of(cluster_.hosts.begin(), cluster_.hosts.end(),
                                 [](const WindowsHost& host) { return !host.rules.empty(); });
    if (!any)
      cluster_.notes.push_back(
          {"",
           "no port rule was exported. Windows NLB would then give all traffic to the default host; nlbd "
           "without any has NLB's rule for a new cluster: all ports, multiple, single, equal"});
    for (const WindowsHost& host : cluster_.hosts)
      if (any && host.rules.empty())
        problems_.push_back({host.place, 0,
                             "host " + std::to_string(host.id) +
                                 " has no port rule in what was read, others have; export them with "
                                 "Get-NlbClusterNode | Get-NlbClusterPortRule"});
    note_unlike_rules();
    note_handling_priorities();
    check_rule_vips();
  }

  // What must be the same on all hosts.
  static std::vector<std::string> common_part(const WindowsHost& host) {
    std::vector<std::string> parts;
    for (const WindowsRule& rule : host.rules)
      parts.push_back(fmt::format("{} {} {} {}", rule_text(rule.rule), name_of(rule.rule.mode),
                                  name_of(rule.rule.affinity), rule.rule.timeout_s));
    std::sort(parts.begin(), parts.end());
    return parts;
  }

  void note_unlike_rules() {
    for (const WindowsHost& host : cluster_.hosts)
      if (common_part(host) != common_part(cluster_.hosts.front()))
        cluster_.notes.push_back(
            {host.place, fmt::format("host {} and host {} have different port rules; neither Windows NLB nor "
                                     "nlbd lets them work together like that",
                                     host.id, cluster_.hosts.front().id)});
  }

  void note_handling_priorities() {
    std::vector<std::pair<std::string, int>> seen;  // rule and priority
    for (WindowsHost& host : cluster_.hosts)
      for (WindowsRule& rule : host.rules) {
        if (rule.rule.mode != FilteringMode::single) continue;
        if (rule.without_priority) {
          rule.rule.handling_priority = host.id;
          rule.remarks.push_back("no handling priority was exported: the host's own id stands in");
        }
        const std::pair entry{rule_text(rule.rule), int{rule.rule.handling_priority}};
        if (std::find(seen.begin(), seen.end(), entry) != seen.end())
          rule.remarks.push_back("another host has this handling priority, too; allowed: another on each");
        seen.push_back(entry);
      }
  }

  // As Windows does (event 111): a rule for an address that is no VIP is left out.
  void check_rule_vips() {
    for (WindowsHost& host : cluster_.hosts)
      std::erase_if(host.rules, [&](const WindowsRule& rule) {
        const bool known = !rule.rule.vip || cluster_.vips.empty() ||
                           std::any_of(cluster_.vips.begin(), cluster_.vips.end(),
                                       [&](const Vip& vip) { return vip.address == *rule.rule.vip; });
        if (!known)
          host.notes.push_back({rule.place, "port rule " + rule_text(rule.rule) +
                                                " left out; its address is none of the VIPs that are "
                                                "carried over"});
        return !known;
      });
  }

  struct PlacedVip {
    Vip vip;
    std::string place;
  };
  Members members_;
  const Options& options_;
  Problems& problems_;
  WindowsCluster cluster_;
  Agreed<IpAddress> primary_;
  Agreed<uint8_t> prefix_;
  Agreed<ClusterMode> mode_;
  Agreed<uint32_t> period_, tolerance_;
  std::vector<PlacedVip> vips_;
  std::vector<std::pair<const SourceObject*, const Property*>> macs_;
};

struct Group {
  std::string name;
  Members members;
};

Group* find_group(std::vector<Group>& groups, const std::string& name) {
  const auto found = std::find_if(groups.begin(), groups.end(),
                                  [&](const Group& group) { return same_word(group.name, name); });
  return found == groups.end() ? nullptr : &*found;
}

// Objects that name no cluster belong to the only one.
std::vector<Group> grouped(const std::vector<SourceObject>& objects, Problems& problems) {
  std::vector<Group> groups;
  std::vector<std::pair<std::string, std::string>> scopes;  // scope of a file → its cluster's name
  for (const auto& object : objects) {
    if (object.kind == ObjectKind::unknown) continue;
    const auto name = cluster_of(object);
    if (!name.empty() && !object.scope.empty()) scopes.emplace_back(object.file + object.scope, name);
    if (!name.empty() && find_group(groups, name) == nullptr) groups.push_back({name, {}});
  }
  if (groups.empty()) groups.push_back({"", {}});
  for (const auto& object : objects) {
    if (object.kind == ObjectKind::unknown) continue;
    std::string name = cluster_of(object);
    for (const auto& [scope, cluster] : scopes)
      if (name.empty() && !object.scope.empty() && scope == object.file + object.scope) name = cluster;
    Group* group = name.empty() && groups.size() == 1 ? &groups.front() : find_group(groups, name);
    if (group != nullptr)
      group->members.push_back(&object);
    else
      problems.push_back(object.problem(
          object.line,
          "names no cluster, and there are several; import each cluster's exports on their own"));
  }
  return groups;
}

// Nothing that was exported is passed over in silence.
std::vector<Note> notes_on_strangers(const std::vector<SourceObject>& objects) {
  std::vector<Note> notes;
  for (const auto& object : objects) {
    if (object.kind != ObjectKind::unknown || object.wraps) continue;
    std::string names;
    for (const Property& property : object.properties) names += (names.empty() ? "" : ", ") + property.name;
    notes.push_back({object.place(object.line),
                     "left out: nlb import knows no object with the properties " + names.substr(0, 100)});
  }
  return notes;
}

}  // namespace

std::vector<WindowsCluster> read_clusters(const std::vector<SourceObject>& objects, const Options& options,
                                          std::vector<ConfigProblem>& problems) {
  std::vector<WindowsCluster> clusters;
  const auto groups = grouped(objects, problems);
  if (groups.size() > 1 && !options.cluster_name.empty())
    problems.push_back(
        {"--name", 0, "goes with one cluster; " + std::to_string(groups.size()) + " were read"});
  const auto strangers = notes_on_strangers(objects);
  for (const Group& group : groups) {
    if (group.members.empty()) continue;
    clusters.push_back(ClusterReader(group.members, options, problems).read(group.name));
    auto& notes = clusters.back().notes;
    notes.insert(notes.end(), strangers.begin(), strangers.end());
  }
  return clusters;
}

}  // namespace nlb::import
