// SPDX-License-Identifier: Apache-2.0
// Each check on recorded facts: those of a host that is well (as read from one: three hosts, strategy add,
// under a gateway), with one thing changed. Exactly that check must speak.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "doctor/check.hh"

namespace nlb::doctor {
namespace {

const IpAddress kVip = *IpAddress::parse("10.77.0.100"), kGateway = *IpAddress::parse("10.77.0.1");
const MacAddress kClusterMac = *MacAddress::parse("02:bf:0a:4d:00:64");
const MacAddress kOwnMac = *MacAddress::parse("52:54:00:00:00:01");
const MacAddress kStranger = *MacAddress::parse("52:54:00:00:00:99");

InterfaceFacts healthy_interface() {
  InterfaceFacts on;
  on.adapter.name = "eth0";
  on.adapter.driver = "virtio_net";
  on.adapter.up = on.adapter.carrier = on.adapter.ethernet = true;
  on.adapter.mtu = 1500;
  on.adapter.mac_current = on.adapter.mac_permanent = kOwnMac;
  on.adapter.addresses = {{*IpAddress::parse("10.77.0.11"), 24}, {kVip, 32}};
  on.adapter.extra_macs = {kClusterMac};
  on.adapter.gateway = kGateway;
  on.hooks = {IngressQdisc::clsact, "native", "nlb_ingress_xdp", true, true};
  on.platform = {Platform::kvm, "driver \"virtio_net\", vendor \"QEMU\""};
  on.firewall.guard_families = {"netdev", "inet", "arp"};
  on.sysctls = {{"rp_filter", "0"},    {"all.rp_filter", "0"}, {"arp_ignore", "0"},
                {"arp_announce", "2"}, {"arp_notify", "0"},    {"ip_forward", "0"}};
  on.answers = ArpAnswers{{kGateway, {*MacAddress::parse("52:54:00:00:00:fe")}}, {kVip, {kClusterMac}}};
  on.conflicts_counted = 0;
  return on;
}

Facts healthy() {
  Facts facts;
  facts.system.kernel = {{}, true, true, "", ""};
  facts.system.clock_source = "kvm-clock";
  facts.config_path = "/etc/opennlb/web.toml";
  Config config;
  config.name = "web";
  config.interface = "eth0";
  config.id = 3;
  config.key_file = "/etc/opennlb/web.key";
  config.vips = {{kVip, 24}};
  PortRule rule;
  rule.first_port = rule.last_port = 80;
  rule.protocol = RuleProtocol::tcp;
  config.rules = {rule};
  facts.config = config;
  facts.interface = healthy_interface();
  facts.sockets = {{true, true, false, IpAddress::v4(0), IpAddress::v4(0), 80, 0}};
  DaemonFacts daemon;
  daemon.state = "converged";
  daemon.strategy = "add";
  daemon.bind = "bound";
  daemon.mac_expected = kOwnMac.text();
  daemon.members = 3;
  facts.daemon = daemon;
  return facts;
}

using Complaints = std::vector<std::pair<std::string, Status>>;

Complaints complaints_of(const Facts& facts) {
  Complaints found;
  for (const Check& check : examine(facts)) {
    if (check.status != Status::pass) found.emplace_back(check.id, check.status);
    EXPECT_EQ(check.remedy.empty(), check.status == Status::pass) << check.id << ": " << check.remedy;
    EXPECT_FALSE(check.detail.empty()) << check.id;
  }
  return found;
}

std::string text_of(const Facts& facts, const std::string& id) {
  for (const Check& check : examine(facts))
    if (check.id == id) return check.detail + " | " + check.remedy;
  return "no check " + id;
}

TEST(Doctor, AHostThatIsWellPassesEverything) {
  EXPECT_EQ(complaints_of(healthy()), Complaints{});
  EXPECT_EQ(examine(healthy()).size(), 39u);
}

// What a guarded switch says of a port that carries this host, host 3 of cluster web.
wire::PolicyAnnouncement announcement(wire::PortSpoofing spoofing) {
  wire::PolicyAnnouncement told;
  told.host = "kvm7";
  told.bridge = "br0";
  told.port = "tap3";
  told.vm = "web3";
  told.mac = kOwnMac;
  told.mac_spoofing = spoofing;
  told.cluster = "web";
  told.host_id = 3;
  return told;
}

struct Fault {
  const char* name;
  std::function<void(Facts&)> breaks;
  Complaints expected;
  const char* says;  // in detail or remedy of the first one
};

void under_replace(Facts& facts) {
  facts.daemon->strategy = "replace";
  facts.daemon->mac_expected = kClusterMac.text();
  facts.interface->adapter.mac_current = kClusterMac;
}

InterfaceFacts& on(Facts& facts) {
  return *facts.interface;
}

const Fault kFaults[] = {
    {"NoRights",
     [](Facts& f) {
       f.system.missing_capabilities = {{"CAP_BPF", "loads programs", true}};
     },
     {{"kernel.capabilities", Status::fail}, {"kernel.bpf", Status::warn}},
     "CAP_BPF"},
    {"FewerRights",
     [](Facts& f) {
       f.system.missing_capabilities = {{"CAP_SYS_NICE", "priority", false}};
     },
     {{"kernel.capabilities", Status::warn}},
     "CAP_SYS_NICE"},
    {"ClsactUntried",
     [](Facts& f) { f.system.kernel.unprobed = "no network namespace"; },
     {{"kernel.clsact", Status::warn}},
     "run it as root"},
    {"OldKernel",
     [](Facts& f) { f.system.kernel.missing = {"helper bpf_skc_lookup_tcp"}; },
     {{"kernel.bpf", Status::fail}},
     "bpf_skc_lookup_tcp"},
    {"NoBtf",
     [](Facts& f) { f.system.kernel.btf = false; },
     {{"kernel.btf", Status::fail}},
     "CONFIG_DEBUG_INFO_BTF"},
    {"NoBpffs",
     [](Facts& f) { f.system.kernel.bpffs = false; },
     {{"kernel.bpffs", Status::warn}},
     "mount -t bpf"},
    {"NoClsact",
     [](Facts& f) { f.system.kernel.clsact_trouble = "Object not found"; },
     {{"kernel.clsact", Status::fail}},
     "modprobe sch_ingress"},
    {"NoRealtime",
     [](Facts& f) { f.system.realtime_trouble = "not permitted"; },
     {{"kernel.realtime", Status::warn}},
     "CAP_SYS_NICE"},
    {"SlowClock",
     [](Facts& f) { f.system.clock_source = "acpi_pm"; },
     {{"kernel.clock", Status::warn}},
     "acpi_pm"},
    {"KeyCanBeRead",
     [](Facts& f) { f.key_problems = {"/etc/opennlb/web.key: mode 0644"}; },
     {{"config.key", Status::fail}},
     "chmod 0600"},
    {"NoDaemon", [](Facts& f) { f.daemon.reset(); }, {{"daemon.running", Status::warn}}, "nlbd --config"},
    {"NotBound",
     [](Facts& f) {
       f.daemon->bind = "refused";
       f.daemon->bind_reason = "tx-filtered";
       f.daemon->evidence = "no answer to masked frames";
       f.daemon->remedy = "tick the box";
       on(f).adapter.addresses.pop_back();
     },
     {{"daemon.bind", Status::fail}, {"net.cluster-mac", Status::warn}},
     "tick the box"},
    {"BoundAndDeaf",
     [](Facts& f) {
       f.daemon->bind_reason = "rx-filtered";
       f.daemon->evidence = "10.77.0.202 uses the cluster MAC";
     },
     {{"daemon.bind", Status::fail}},
     "bound, but nothing sent to the cluster MAC arrives (rx-filtered): 10.77.0.202 uses the cluster MAC"},
    {"OtherConfiguration",
     [](Facts& f) { f.daemon->differences = {"host 2 has other rules"}; },
     {{"cluster.agreement", Status::fail}},
     "host 2 has other rules"},
    {"OtherKey",
     [](Facts& f) { f.daemon->refused["bad_signature"] = 7; },
     {{"cluster.heartbeats", Status::warn}},
     "7 heartbeats refused: bad_signature"},
    {"InNoView", [](Facts& f) { f.daemon->members = 0; }, {{"cluster.members", Status::warn}}, "nlb start"},
    {"Cloud",
     [](Facts& f) {
       on(f).platform = {Platform::azure, "chassis tag"};
     },
     {{"platform", Status::fail}},
     "Azure Load Balancer"},
    {"SpoofingOff",
     [](Facts& f) { on(f).switch_policy = announcement(wire::PortSpoofing::off); },
     {{"switch-policy", Status::fail}},
     "with VM web3 stopped: nlb vmswitch set web3 --mac-spoofing cluster --cluster web --host-id 3"},
    {"SpoofingOffInAudit",
     [](Facts& f) {
       on(f).switch_policy = announcement(wire::PortSpoofing::off);
       on(f).switch_policy->audit = true;
     },
     {{"switch-policy", Status::warn}},
     "port web3 on host kvm7: MAC spoofing off (audit: nothing is dropped)"},
    {"DeclaredAsAnotherHost",
     [](Facts& f) {
       on(f).switch_policy = announcement(wire::PortSpoofing::cluster);
       on(f).switch_policy->host_id = 4;
     },
     {{"switch-policy", Status::fail}},
     "MAC spoofing cluster (web, host id 4); the host id is another"},
    {"DeclaredForAnotherCluster",
     [](Facts& f) {
       on(f).switch_policy = announcement(wire::PortSpoofing::cluster);
       on(f).switch_policy->cluster = "shop";
     },
     {{"switch-policy", Status::warn}},
     "see that cluster shop on host kvm7 has the VIP 10.77.0.100"},
    {"PortNotDeclared",
     [](Facts& f) {
       on(f).switch_policy = announcement(wire::PortSpoofing::off);
       on(f).switch_policy->vm = on(f).switch_policy->cluster = "";
     },
     {{"switch-policy", Status::fail}},
     "On host kvm7 nobody declared port tap3 of br0"},
    {"SwitchNotHeard",
     [](Facts& f) { on(f).switch_trouble = "no permission"; },
     {{"switch-policy", Status::warn}},
     "run it as root"},
    {"Down",
     [](Facts& f) { on(f).adapter.up = false; },
     {{"net.interface", Status::fail}},
     "ip link set eth0 up"},
    {"BridgePort",
     [](Facts& f) {
       on(f).adapter.bridge_port = true;
       on(f).adapter.enslaved_to = "bridge br0";
     },
     {{"net.interface", Status::fail}},
     "name the bridge itself"},
    {"NoCarrier",
     [](Facts& f) { on(f).adapter.carrier = false; },
     {{"net.carrier", Status::fail}},
     "Connect eth0"},
    {"Promiscuous",
     [](Facts& f) {
       under_replace(f);
       on(f).adapter.extra_macs.clear();
       on(f).promiscuous = true;
     },
     {{"net.promiscuous", Status::warn}},
     "promisc off"},
    {"IngressQdisc",
     [](Facts& f) { on(f).hooks.qdisc = IngressQdisc::ingress; },
     {{"net.ingress-qdisc", Status::fail}},
     "tc qdisc del dev eth0 ingress"},
    {"ForeignXdp",
     [](Facts& f) { on(f).hooks.xdp_program = "somebody"; },
     {{"net.xdp", Status::warn}},
     "ip link set dev eth0 xdp off"},
    {"XdpDispatcher",
     [](Facts& f) { on(f).hooks.xdp_program = "xdp_dispatcher"; },
     {{"net.xdp", Status::warn}},
     "xdp-loader unload eth0 --all"},
    {"FilterDetached",
     [](Facts& f) { on(f).hooks.tc_egress = false; },
     {{"net.filter", Status::fail}},
     "tc egress"},
    {"VipOutside",
     [](Facts& f) { on(f).adapter.addresses[0].prefix_length = 28; },
     {{"net.vip-subnet", Status::fail}},
     "outside every subnet"},
    {"VipGone",
     [](Facts& f) { on(f).adapter.addresses.pop_back(); },
     {{"net.vip-present", Status::fail}},
     "10.77.0.100 is not on the adapter"},
    {"VipByHand",
     [](Facts& f) {
       f.daemon->bind = "refused";
       f.daemon->remedy = "x";
     },
     {{"daemon.bind", Status::fail}, {"net.vip-present", Status::fail}, {"net.cluster-mac", Status::warn}},
     "x"},
    {"VipConflict",
     [](Facts& f) { on(f).answers->at(kVip).insert(kStranger); },
     {{"net.vip-conflict", Status::fail}},
     "10.77.0.100 is answered by 52:54:00:00:00:99"},
    {"VipConflictCounted",
     [](Facts& f) { on(f).conflicts_counted = 3; },
     {{"net.vip-conflict", Status::fail}},
     "3 frames of a stranger"},
    {"GatewaySilent",
     [](Facts& f) { on(f).answers->erase(kGateway); },
     {{"net.gateway", Status::warn}},
     "10.77.0.1 does not answer"},
    {"NobodyCouldBeAsked",
     [](Facts& f) {
       on(f).answers.reset();
       on(f).arp_trouble = "no permission";
     },
     {{"net.vip-conflict", Status::warn}, {"net.gateway", Status::warn}},
     "no permission"},
    {"OtherMac",
     [](Facts& f) { on(f).adapter.mac_current = kStranger; },
     {{"net.mac", Status::fail}},
     "MAC now 52:54:00:00:00:99, permanent 52:54:00:00:00:01, expected 52:54:00:00:00:01"},
    {"ClusterMacNotCarried",
     [](Facts& f) { on(f).adapter.extra_macs.clear(); },
     {{"net.cluster-mac", Status::fail}},
     "--cluster web --host-id 3"},
    {"StrictRpFilter",
     [](Facts& f) {
       on(f).sysctls["all.rp_filter"] = "1";
       on(f).adapter.gateway.reset();
     },
     {{"net.rp-filter", Status::warn}},
     "rp_filter=2"},
    {"ArpIgnore",
     [](Facts& f) { on(f).sysctls["arp_ignore"] = "2"; },
     {{"net.arp-sysctl", Status::warn}},
     "arp_ignore is 2"},
    {"ArpAnnounce",
     [](Facts& f) { on(f).sysctls["arp_announce"] = "0"; },
     {{"net.arp-sysctl", Status::warn}},
     "nlbd set 2"},
    {"ForwardsUnderReplace",
     [](Facts& f) {
       under_replace(f);
       on(f).sysctls["ip_forward"] = "1";
     },
     {{"net.ip-forward", Status::warn}},
     "forwarding=0"},
    {"LeasedUnderReplace",
     [](Facts& f) {
       under_replace(f);
       on(f).leased_address = true;
     },
     {{"net.dhcp", Status::fail}},
     "static address"},
    {"Eui64UnderReplace",
     [](Facts& f) {
       under_replace(f);
       on(f).adapter.addresses.push_back({*IpAddress::parse("fe80::bf:aff:fe4d:64"), 64});
     },
     {{"net.eui64", Status::fail}},
     "addrgenmode none"},
    {"Networkd",
     [](Facts& f) {
       on(f).managers = {true, "/etc/systemd/network/10-lan.network", false, false};
     },
     {{"net.manager", Status::warn}},
     "/etc/systemd/network/10-lan.network.d/50-opennlb-eth0.conf"},
    {"ManagerOfAnInterfaceOfThatNumber",
     [](Facts& f) {
       on(f).managers.network_manager = true;
       on(f).managers.certain = false;
     },
     {{"net.manager", Status::warn}},
     "run it as root"},
    {"NetworkManager",
     [](Facts& f) { on(f).managers.network_manager = true; },
     {{"net.manager", Status::warn}},
     "nlb netcfg --manager networkmanager --write"},
    {"Firewall",
     [](Facts& f) { on(f).firewall.dropped = {"table netdev x, chain y drops ARP"}; },
     {{"net.firewall", Status::warn}},
     "table netdev x, chain y drops ARP"},
    {"GuardGone",
     [](Facts& f) {
       on(f).firewall.guard_families = {"netdev", "arp"};
     },
     {{"net.guard", Status::fail}},
     "table inet nlb_eth0"},
    {"NoService", [](Facts& f) { f.sockets.clear(); }, {{"service.listening", Status::warn}}, "at port 80"},
    {"ServiceOnTheDedicatedAddress",
     [](Facts& f) { f.sockets[0].local = *IpAddress::parse("10.77.0.11"); },
     {{"service.listening", Status::warn}},
     "not on the dedicated address"},
    {"Outgoing",
     [](Facts& f) {
       f.sockets.push_back({true, false, true, kVip, kGateway, 40000, 443});
     },
     {{"service.outgoing", Status::warn}},
     "10.77.0.100:40000 to 10.77.0.1:443"},
    {"Docker",
     [](Facts& f) {
       on(f).firewall.translations = {{"table ip nat, chain DOCKER", {80}}};
       on(f).firewall.tracking_trouble = "connection tracking: Invalid argument";
     },
     {{"service.translation", Status::warn}},
     "--network host"},
};

class DoctorFault : public ::testing::TestWithParam<Fault> {};

TEST_P(DoctorFault, IsToldByItsOwnCheck) {
  Facts facts = healthy();
  GetParam().breaks(facts);
  EXPECT_EQ(complaints_of(facts), GetParam().expected);
  const auto text = text_of(facts, GetParam().expected.front().first);
  EXPECT_NE(text.find(GetParam().says), std::string::npos) << text;
}

INSTANTIATE_TEST_SUITE_P(Recorded, DoctorFault, ::testing::ValuesIn(kFaults),
                         [](const auto& of) { return std::string(of.param.name); });

TEST(Doctor, WhatIsHarmlessIsNoComplaint) {
  const std::function<void(Facts&)> harmless[] = {
      [](Facts& f) {
        on(f).managers = {true, "/etc/systemd/network/10-lan.network", true, false};
      },
      [](Facts& f) { on(f).leased_address = true; },                      // not under `add`
      [](Facts& f) { on(f).sysctls["ip_forward"] = "1"; },                // not under `add`
      [](Facts& f) { on(f).sysctls["rp_filter"] = "1"; },                 // the default route leads through
      [](Facts& f) { on(f).answers->at(kVip) = {masked_mac(kVip, 2)}; },  // a member
      [](Facts& f) {
        on(f).firewall.translations = {{"table ip nat, chain DOCKER", {80}}};
      },
      [](Facts& f) {
        f.sockets.push_back({true, false, true, kVip, kGateway, 80, 51000});
      },                                           // a client's
      [](Facts& f) { on(f).promiscuous = true; },  // the driver's way to take a second address
      [](Facts& f) { under_replace(f); },
      [](Facts& f) { on(f).switch_policy = announcement(wire::PortSpoofing::cluster); },
      [](Facts& f) { on(f).switch_policy = announcement(wire::PortSpoofing::on); },
  };
  for (const auto& change : harmless) {
    Facts facts = healthy();
    change(facts);
    EXPECT_EQ(complaints_of(facts), Complaints{});
  }
}

TEST(Doctor, WithoutDaemonTheFilterHidesAStranger) {
  Facts facts = healthy();
  facts.daemon.reset();
  facts.interface->conflicts_counted.reset();
  EXPECT_EQ(complaints_of(facts),
            (Complaints{{"daemon.running", Status::warn}, {"net.vip-conflict", Status::warn}}));
}

TEST(Doctor, WorksWithoutConfigurationAndWithABadOne) {
  Facts facts = healthy();
  facts.config.reset();
  facts.config_trouble = "no configuration in /etc/opennlb";
  EXPECT_EQ(complaints_of(facts), (Complaints{{"config.valid", Status::fail}}));
  facts.config_trouble.clear();
  facts.config_problems = {"/etc/opennlb/web.toml:7: unknown key"};
  EXPECT_NE(text_of(facts, "config.valid").find("web.toml:7"), std::string::npos);
}

TEST(Doctor, NamesAMissingInterface) {
  Facts facts = healthy();
  facts.interface.reset();
  facts.interface_trouble = "eth0: there is no such network interface";
  EXPECT_EQ(complaints_of(facts), (Complaints{{"net.interface", Status::fail}}));
}

}  // namespace
}  // namespace nlb::doctor
