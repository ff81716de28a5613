// SPDX-License-Identifier: Apache-2.0
// What the daemon remembers and reads besides the kernel: violations, vmswitch.d files, whether a machine
// runs, what libvirt and Proxmox have. Directory trees of hypervisors are made in a temporary directory.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "vmswitch/discovery.hh"
#include "vmswitch/override_file.hh"
#include "vmswitch/violation_log.hh"
#include "vmswitch/vm_state.hh"

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

class Tree {
 public:
  Tree() {
    std::string pattern = (fs::temp_directory_path() / "nlb-hypervisor-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;
  ~Tree() { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  void link(const std::string& path, const std::string& target) const {
    fs::create_directories((root_ / path).parent_path());
    fs::create_symlink(target, root_ / path);
  }
  [[nodiscard]] std::string root() const { return root_.string(); }

 private:
  fs::path root_;
};

nlb_guard_event event_at(uint32_t ifindex, uint8_t reason) {
  nlb_guard_event event{};
  event.ifindex = ifindex;
  event.reason = reason;
  event.dropped = 1;
  event.mac[0] = 0x52;
  event.head_bytes = 2;
  event.head[0] = 0xff;
  event.head[1] = 0x01;
  return event;
}

const PortIdentity kWho = {"web1", "net0", "tap1"};

TEST(ViolationLog, HasOneEntryForEachPortAndReason) {
  ViolationLog log;
  EXPECT_TRUE(log.on_event(event_at(7, NLB_GUARD_REASON_source_spoofed), kWho, 1000));
  EXPECT_FALSE(log.on_event(event_at(7, NLB_GUARD_REASON_source_spoofed), kWho, 3500));
  EXPECT_TRUE(log.on_event(event_at(7, NLB_GUARD_REASON_arp_mac), kWho, 3600));
  EXPECT_TRUE(log.on_event(event_at(7, NLB_GUARD_REASON_source_spoofed), kWho, 70'000));  // after a silence
  log.on_count(7, NLB_GUARD_REASON_source_spoofed, 42, kWho, 70'000);
  log.on_count(7, NLB_GUARD_REASON_passed, 99, kWho, 70'000);  // no violation
  const auto all = log.json();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[0]["reason"], "source_spoofed");
  EXPECT_EQ(all[0]["count"], 42);
  EXPECT_EQ(all[0]["vm"], "web1");
  EXPECT_EQ(all[0]["address"], "52:00:00:00:00:00");
  EXPECT_EQ(all[0]["frame"], "ff01");
  EXPECT_EQ(all[0]["first"], "1970-01-01T00:00:01.000Z");
  EXPECT_EQ(all[0]["last"], "1970-01-01T00:01:10.000Z");
}

TEST(ViolationLog, NamesTheIpAddressWhenThatIsAtFault) {
  ViolationLog log;
  auto event = event_at(7, NLB_GUARD_REASON_arp_address);
  event.has_address = 1;
  const auto address = *IpAddress::parse("10.77.0.99");
  std::copy(address.octets.begin(), address.octets.end(), event.address);
  EXPECT_TRUE(log.on_event(event, kWho, 1));
  EXPECT_EQ(log.json()[0]["address"], "10.77.0.99");
  EXPECT_EQ(
      describe(event, kWho),
      "web1/net0 (tap1) was prevented from using 10.77.0.99: ARP claims an address that is not in the port's "
      "list (arp_address, MAC 52:00:00:00:00:00)");
}

TEST(ViolationLog, DoesNotGrowWithEveryRestartOfAMachine) {
  ViolationLog log;
  for (uint32_t ifindex = 1; ifindex <= 3000; ++ifindex) {
    const PortIdentity who{"web1", "net0", "vnet" + std::to_string(ifindex)};
    log.on_count(ifindex, NLB_GUARD_REASON_source_spoofed, 1, who, ifindex);
    log.on_count(ifindex, NLB_GUARD_REASON_arp_mac, 2, kWho, ifindex);
  }
  EXPECT_EQ(log.json().size(), 1000U);
  EXPECT_LT(log.text().size(), 400'000U);
  for (const auto& one : log.json())
    if (one["reason"] == "arp_mac") {
      EXPECT_EQ(one["count"], 6000) << "all lives are counted";
    }
}

// A VM that starts anew has another interface index, whose counters begin at zero.
TEST(ViolationLog, AddsUpOverTheLivesOfAPortAndOfTheDaemon) {
  ViolationLog log;
  log.on_count(7, NLB_GUARD_REASON_source_spoofed, 10, kWho, 1000);
  log.on_count(9, NLB_GUARD_REASON_source_spoofed, 5, kWho, 2000);
  EXPECT_TRUE(log.changed());
  const auto text = log.text();
  EXPECT_FALSE(log.changed());
  ViolationLog next;
  next.restore(text);
  EXPECT_EQ(next.json(), log.json());
  next.on_count(9, NLB_GUARD_REASON_source_spoofed, 6, kWho, 3000);
  EXPECT_EQ(next.json()[0]["count"], 16);
  EXPECT_EQ(next.json()[0]["first"], "1970-01-01T00:00:01.000Z");
  for (const char* junk : {"", "{", "[1]", "[{\"vm\": 7}]", "[{}]"}) {
    ViolationLog other;
    other.restore(junk);
    EXPECT_TRUE(other.json().empty()) << junk;
  }
}

TEST(OverrideFile, KeepsWhatSomebodyElsePutThere) {
  SpoofingChange change{"web1", "net0", MacSpoofing::cluster, "web", HostId{2}};
  const auto fresh = with_change("", change);
  ASSERT_TRUE(fresh.has_value());
  EXPECT_EQ(
      *fresh,
      "# Written by `nlb vmswitch set`; wins over vmswitch.toml, key by key.\n\n[[port]]\nvm = \"web1\"\n"
      "adapter = \"net0\"\nmac_spoofing = \"cluster\"\ncluster = \"web\"\nhost_id = 2\n");
  const auto again = with_change(
      "[[port]]\nvm = \"web1\"\nadapter = \"net1\"\naddresses = [\"10.0.0.1\", \"10.0.0.2\"]\nsticky = "
      "true\n" +
          fresh->substr(fresh->find("[[port]]")),
      {"web1", "net0", MacSpoofing::off, {}, {}});
  ASSERT_TRUE(again.has_value());
  EXPECT_NE(again->find("addresses = [\"10.0.0.1\", \"10.0.0.2\"]\nsticky = true\n"), std::string::npos)
      << *again;
  EXPECT_NE(again->find("cluster = \"web\"\nhost_id = 2\nmac_spoofing = \"off\"\n"), std::string::npos)
      << *again;
  EXPECT_FALSE(with_change("[[port", change).has_value());
  SpoofingChange elsewhere = change;
  elsewhere.cluster = "router";
  elsewhere.host_id.reset();
  const auto moved =
      with_change("[[port]]\nvm = \"web1\"\ncluster = \"web\"\nhost_id = 1\n", elsewhere).value_or("");
  EXPECT_EQ(moved.find("host_id"), std::string::npos) << "a host id is a place in one cluster: " << moved;
  const auto off =
      with_change("[[port]]\nvm = \"web1\"\nmac_spoofing = \"on\"\nmax_macs = 3\nsticky = true\n",
                  {"web1", "", MacSpoofing::off, {}, {}});
  EXPECT_EQ(off->find("max_macs"), std::string::npos) << *off;
  EXPECT_EQ(off->find("sticky"), std::string::npos) << *off;
}

TEST(OverrideFile, IsReplacedAsAWhole) {
  const Tree tree;
  const std::string path = override_path(tree.root() + "/vmswitch.toml", "web1");
  ASSERT_TRUE(write_atomically(path, "old\n"));
  ASSERT_TRUE(write_atomically(path, "new\n"));
  std::string text;
  std::getline(std::ifstream(path), text);
  EXPECT_EQ(text, "new");
  EXPECT_EQ(std::distance(fs::directory_iterator(fs::path(path).parent_path()), fs::directory_iterator()), 1);
  tree.write("file", "");
  EXPECT_FALSE(write_atomically(tree.root() + "/file/x", "y"));
}

GuestPort port_of(const std::string& vm, const std::string& interface) {
  GuestPort port;
  port.vm = vm;
  port.interface = interface;
  return port;
}

SwitchConfig switch_on(const std::string& bridge) {
  SwitchConfig config;
  config.switches.emplace_back().bridge = bridge;
  return config;
}

TEST(RunState, IsWhatTheHypervisorSays) {
  const Tree tree;
  tree.write("etc/libvirt/qemu/web1.xml", "");
  const auto state = [&] { return run_state(port_of("web1", "tap1"), switch_on("br0"), {}, tree.root()); };
  EXPECT_FALSE(state().running);
  tree.write("run/libvirt/qemu/web1.pid", "4711\n");
  EXPECT_FALSE(state().running);  // left over: there is no such process
  tree.write("proc/4711/comm", "qemu");
  EXPECT_TRUE(state().running);
  EXPECT_EQ(state().evidence, "libvirt runs it as process 4711");
  tree.write("etc/pve/qemu-server/100.conf", "name: db1\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n");
  tree.write("run/qemu-server/100.pid", "4711\n");
  EXPECT_TRUE(run_state(port_of("db1", "tap100i0"), switch_on("vmbr0"), {}, tree.root()).running);
  EXPECT_TRUE(run_state(port_of("100", "tap100i0"), switch_on("vmbr0"), {}, tree.root()).running);
}

TEST(RunState, OfATapIsWhetherAProcessHoldsIt) {
  const Tree tree;
  const std::vector<Link> links = {{1, "br0", 0, "bridge", true}, {2, "tap1", 1, "tun", true}};
  const auto running = [&] {
    return run_state(port_of("web1", "tap1"), switch_on("br0"), links, tree.root()).running;
  };
  EXPECT_FALSE(running());
  tree.link("proc/4711/fd/9", "/dev/net/tun");
  tree.write("proc/4711/fdinfo/9", "pos:\t0\niff:\ttap10\n");
  EXPECT_FALSE(running());
  tree.write("proc/4711/fdinfo/9", "pos:\t0\niff:\ttap1\n");
  EXPECT_TRUE(running());
}

TEST(RunState, OfAVethIsWhetherItIsUpOnAGuardedBridge) {
  const auto running = [](uint32_t master, bool up) {
    const std::vector<Link> links = {
        {1, "br0", 0, "bridge", true}, {3, "br7", 0, "bridge", true}, {2, "tap1", master, "veth", up}};
    return run_state(port_of("web1", "tap1"), switch_on("br0"), links, "/nowhere").running;
  };
  EXPECT_TRUE(running(1, true));
  EXPECT_FALSE(running(1, false));
  EXPECT_FALSE(running(3, true));
  EXPECT_FALSE(running(0, true));
  EXPECT_FALSE(run_state(port_of("web1", "tap1"), switch_on("br0"), {}, "/nowhere").running);
}

TEST(Discovery, ReadsLibvirtAndProxmoxAndBeginsInAudit) {
  const Tree tree;
  tree.write("etc/libvirt/qemu/web1.xml",
             "<domain type='kvm'><name>web1</name><devices>"
             "<interface type='bridge'><mac address='52:54:00:00:00:01'/><source bridge='br0'/>"
             "<target dev='tap-web1'/></interface>"
             "<interface type='bridge'><mac address='52:54:00:00:00:02'/><source bridge='br0'/>"
             "<target dev='vnet3'/></interface>"
             "<interface type='user'><mac address='52:54:00:00:00:03'/></interface>"
             "</devices></domain>");
  tree.write("etc/libvirt/qemu/broken.xml", "<domain>");
  tree.write("etc/pve/qemu-server/100.conf",
             "name: db1\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7\n"
             "net1: e1000=BC:24:11:00:00:02,bridge=vmbr0\n[snapshot]\nnet2: "
             "virtio=BC:24:11:00:00:03,bridge=vmbr0\n");
  tree.write("sys/class/net/vmbr0/brif/eno1/x", "");
  tree.write("sys/class/net/vmbr0/brif/tap100i1/x", "");
  tree.write("sys/class/net/eno1/device/x", "");
  const auto found = discover(tree.root());
  EXPECT_EQ(found.ports, 3U);
  const auto config = parse_switch_config({"found", found.text}, {});
  ASSERT_TRUE(config.has_value()) << text_of(config.error()) << found.text;
  ASSERT_EQ(config->switches.size(), 2U);
  for (const auto& guarded : config->switches) EXPECT_EQ(guarded.policy, SwitchPolicy::audit);
  EXPECT_EQ(config->switches[1].uplinks, std::vector<std::string>{"eno1"});
  EXPECT_EQ(config->port_on("tap-web1")->title(), "web1/net0");
  EXPECT_EQ(config->port_on("fwpr100p0")->vlan, 7);
  EXPECT_EQ(config->port_on("fwpr100p0")->mac.text(), "bc:24:11:00:00:01");
  EXPECT_EQ(config->port_on("tap100i1")->vm, "db1");
  EXPECT_EQ(found.notes.size(), 2U);  // the broken file, and the adapter without a lasting name

  const std::string path = tree.root() + "/vmswitch.toml";
  ASSERT_TRUE(write_new_file(path, found.text));
  EXPECT_FALSE(write_new_file(path, found.text));  // somebody's work by now
}

TEST(Discovery, OfNothingSaysSo) {
  const auto found = discover("/nowhere");
  EXPECT_EQ(found.ports, 0U);
  EXPECT_EQ(found.notes.size(), 1U);
}

}  // namespace
}  // namespace nlb::vmswitch
