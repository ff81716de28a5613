// SPDX-License-Identifier: Apache-2.0
// The third source of configuration: what libvirt's XML (recorded from libvirt 9.0) and Proxmox' files
// become, how it is laid under the files of an administrator, and that a fault in it never opens a port.
#include "vmswitch/guest_machine.hh"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "control/config_text.hh"
#include "vmswitch/libvirt_domain.hh"
#include "vmswitch/machine_definition.hh"
#include "vmswitch/policy.hh"
#include "vmswitch/port_table.hh"
#include "vmswitch/proxmox_machine.hh"

namespace nlb::vmswitch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kMain = R"([[switch]]
bridge = "br0"
uplinks = ["eno1"]
unknown_ports = "allow"
[[cluster]]
name = "web"
type = "nlb"
vips = ["10.77.0.100"]
hosts = [1, 2]
)";

constexpr const char* kMember =
    "<port adapter='net0' mac-spoofing='cluster' cluster='web' host-id='1' dhcp-guard='yes'>"
    "<address>10.77.0.11</address></port>";

std::string recorded(const char* what) {
  return *read_config_text(std::string(NLB_RECORDED) + "/libvirt-9.0-" + what + ".xml");
}

// A running domain with one adapter, vnetN with MAC …:0N.
std::string domain(const std::string& name, int number, const std::string& ports) {
  const std::string digit = std::to_string(number);
  return "<domain><name>" + name + "</name><metadata><vmswitch xmlns='urn:opennlb:vmswitch:1'>" + ports +
         "</vmswitch></metadata><devices><interface type='bridge'><mac address='52:54:00:00:00:0" + digit +
         "'/><source bridge='br0'/><target dev='vnet" + digit + "'/></interface></devices></domain>";
}

ConfigText guest_file(const std::string& xml) {
  const auto machine = read_libvirt_domain(xml);
  EXPECT_TRUE(machine.has_value()) << machine.error().message;
  return {"guests.d/" + machine->name + ".toml", machine->text()};
}

SwitchConfig laid(const std::vector<std::string>& domains, const std::string& files_say = "",
                  const std::vector<ConfigText>& overrides = {}) {
  SwitchTexts texts{{"f", kMain + files_say}, overrides, {}};
  for (const auto& xml : domains) texts.guests.push_back(guest_file(xml));
  auto config = parse_switch_config(texts);
  EXPECT_TRUE(config.has_value()) << text_of(config.error());
  return config.value_or(SwitchConfig{});
}

std::string complaints_of(const SwitchConfig& config) {
  std::string all;
  for (const auto& complaint : config.complaints) all += complaint.text + "\n";
  return all;
}

TEST(LibvirtDomain, IsReadAsLibvirtWritesIt) {
  const auto early = read_libvirt_domain(recorded("prepare"));
  ASSERT_TRUE(early.has_value()) << early.error().message;
  ASSERT_EQ(early->adapters.size(), 1U);
  EXPECT_EQ(early->adapters[0].interface(), "");
  for (const char* what : {"start", "reconnect"}) {
    const auto machine = read_libvirt_domain(recorded(what));
    ASSERT_TRUE(machine.has_value()) << machine.error().message;
    ASSERT_EQ(machine->adapters.size(), 1U);
    EXPECT_EQ(
        machine->text(),
        "# Written when the machine started; gone when it ends.\n\n[[port]]\nvm = \"web1\"\nadapter = "
        "\"net0\"\ninterface = \"vnet0\"\nmac = \"52:54:00:00:00:01\"\nmac_spoofing = \"cluster\"\ncluster "
        "= \"web\"\nhost_id = 1\naddresses = [\"10.77.0.11\"]\nbridge = \"br0\"\nelement = \"libvirt "
        "domain web1, <port adapter=\\\"net0\\\">\"\n")
        << what;
  }
}

// Whatever prefix the administrator chose, and however the namespace is declared.
TEST(LibvirtDomain, KnowsItsNamespaceAndNoOther) {
  const auto spoofing = [](const std::string& root, const std::string& metadata) {
    const auto machine =
        read_libvirt_domain("<domain" + root + "><name>a</name><metadata>" + metadata +
                            "</metadata><devices><interface type='bridge'/></devices></domain>");
    if (!machine) return machine.error().message;
    return machine->problems.empty() ? text_at(machine->adapters[0].table, "mac_spoofing")
                                     : machine->problems.front();
  };
  const std::string uri = "='urn:opennlb:vmswitch:1'";
  EXPECT_EQ(spoofing("", "<x:vmswitch xmlns:x" + uri + "><x:port mac-spoofing='on'/></x:vmswitch>"), "on");
  EXPECT_EQ(spoofing(" xmlns:y" + uri, "<y:vmswitch><y:port mac-spoofing='on'/></y:vmswitch>"), "on");
  EXPECT_EQ(spoofing("", "<vmswitch xmlns" + uri + "><port mac_spoofing='on'/></vmswitch>"), "on");
  EXPECT_EQ(spoofing("", "<vmswitch><port mac-spoofing='on'/></vmswitch>"), "");
  EXPECT_EQ(spoofing("", "<x:vmswitch xmlns:x='urn:other'><x:port mac-spoofing='on'/></x:vmswitch>"), "");
  EXPECT_EQ(spoofing("", "<x:vmswitch xmlns:x" + uri + "><port mac-spoofing='on'/></x:vmswitch>"),
            "libvirt domain a, <vmswitch>: <port> is unknown; allowed: <port>, of the same namespace");
}

TEST(LibvirtDomain, NamesAdaptersAsLibvirtDoes) {
  const auto machine = read_libvirt_domain(
      "<domain><name>a</name><devices><interface type='hostdev'/><interface type='bridge'/>"
      "<interface type='bridge'><alias name='ua-dmz'/></interface><interface type='bridge'/>"
      "<interface type='bridge'><alias name='net7'/></interface><interface "
      "type='bridge'/></devices></domain>");
  ASSERT_TRUE(machine.has_value()) << machine.error().message;
  std::vector<std::string> names;
  for (const auto& adapter : machine->adapters) names.push_back(adapter.adapter);
  EXPECT_EQ(names, (std::vector<std::string>{"net0", "ua-dmz", "net1", "net7", "net8"}));
}

TEST(LibvirtDomain, SaysWhichElementIsWrong) {
  const auto refused = [](const std::string& ports) {
    const auto machine = read_libvirt_domain(domain("a", 1, ports));
    return machine ? machine->adapters[0].refused : machine.error().message;
  };
  EXPECT_EQ(
      refused("<port host='1'/>"),
      "libvirt domain a, <port adapter=\"net0\">: the attribute host is unknown; nearest: host_id (known: "
      "adapter, cluster, dhcp_guard, host_id, mac_spoofing, max_macs, recover_s, router_guard, sticky, "
      "storm_limit_pps, violation or vlan)");
  for (const char* identity : {"vm", "interface", "mac", "bridge", "refused", "element"})
    EXPECT_NE(refused("<port " + std::string(identity) + "='x'/>"), "") << identity;
  EXPECT_EQ(refused("<port adapter='net1'/>"),
            "libvirt domain a, <port>: adapter is \"net1\"; allowed: \"net0\"");
  EXPECT_EQ(
      refused("<port/><port mac-spoofing='on'/>"),
      "libvirt domain a, <port adapter=\"net0\">: there is more than one; allowed: one <port> an adapter");
  EXPECT_EQ(refused("<port><ip/></port>"),
            "libvirt domain a, <port adapter=\"net0\">: <ip> is unknown; allowed: <address>, of the same "
            "namespace");
  EXPECT_EQ(refused("<prot/>"),
            "libvirt domain a, <vmswitch>: <prot> is unknown; allowed: <port>, of the same "
            "namespace");
  EXPECT_EQ(read_libvirt_domain("<domain>").error().message.substr(0, 33),
            "the domain's XML cannot be read: ");
  EXPECT_EQ(read_libvirt_domain("<network/>").error().message, "there is no <domain> in the XML");
  EXPECT_FALSE(read_libvirt_domain(domain("a b", 1, "<port/>")).has_value());
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "<a>";
  EXPECT_EQ(read_libvirt_domain(deep).error().message, "the domain's XML is too long or too deep");
}

TEST(Guests, AreTheThirdSource) {
  const auto config = laid({domain("web1", 1, kMember), domain("db1", 2, "")});
  EXPECT_EQ(complaints_of(config), "");
  const auto* web = config.port_on("vnet1");
  ASSERT_NE(web, nullptr);
  EXPECT_EQ(web->title(), "web1/net0");
  EXPECT_EQ(web->mac_spoofing, MacSpoofing::cluster);
  EXPECT_EQ(web->host_id, 1);
  EXPECT_TRUE(web->dhcp_guard);
  EXPECT_EQ(web->source, "libvirt domain web1, <port adapter=\"net0\">");
  const auto* db = config.port_on("vnet2");
  ASSERT_NE(db, nullptr);
  EXPECT_EQ(db->mac_spoofing, MacSpoofing::off);
  EXPECT_EQ(db->source, "libvirt domain db1");
}

TEST(Guests, AreLaidUnderBothFilesKeyByKey) {
  const std::string main_says =
      "[[port]]\nvm = \"web1\"\ninterface = \"vnet1\"\nmac = \"52:54:00:00:00:01\"\nhost_id = 2\ncluster = "
      "\"web\"\n";
  const auto* over_metadata = "host_id 2 of the main file, the rest of the metadata";
  auto config = laid({domain("web1", 1, kMember)}, main_says);
  ASSERT_EQ(config.ports.size(), 1U) << over_metadata;
  EXPECT_EQ(config.ports[0].host_id, 2);
  EXPECT_EQ(config.ports[0].mac_spoofing, MacSpoofing::cluster);
  EXPECT_EQ(config.ports[0].adapter, "net0");
  config = laid({domain("web1", 1, kMember)}, main_says,
                {{"d/web1.toml", "[[port]]\nvm = \"web1\"\nmac_spoofing = \"off\"\n"}});
  EXPECT_EQ(config.ports[0].mac_spoofing, MacSpoofing::off);
  EXPECT_EQ(config.ports[0].host_id, 2);
  EXPECT_EQ(config.ports[0].source, "d/web1.toml");
}

TEST(Guests, SettingsOfVmswitchDWaitForTheMachine) {
  const std::vector<ConfigText> top = {
      {"d/web1.toml", "[[port]]\nvm = \"web1\"\nadapter = \"net0\"\nmac_spoofing = \"cluster\"\n"}};
  auto config = laid({}, "", top);
  ASSERT_EQ(config.waiting.size(), 1U);
  EXPECT_EQ(config.waiting[0].title(), "web1/net0");
  EXPECT_TRUE(config.ports.empty());
  config = laid({domain("web1", 1, "<port cluster='web' host-id='2'/>")}, "", top);
  EXPECT_TRUE(config.waiting.empty());
  EXPECT_EQ(config.port_on("vnet1")->mac_spoofing, MacSpoofing::cluster);
  const auto wrong = parse_switch_config(
      {"f", kMain}, {{"d/web1.toml", "[[port]]\nvm = \"web1\"\ncluster = \"wep\"\nhost_id = 1\n"}});
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(text_of(wrong.error()), "d/web1.toml:3: cluster \"wep\" is not declared; allowed: \"web\"");
}

// Never more open than declared, and nobody else suffers.
TEST(Guests, WithAFaultAreOffOrClosed) {
  struct Case {
    const char* ports;
    const char* says;
    bool off;  // else closed
  };
  const Case cases[] = {
      {"<port mac-spoofing='cluster' cluster='wep' host-id='1'/>", "cluster \"wep\" is not declared", true},
      {"<port mac-spoofing='cluster' cluster='web' host-id='9'/>", "host_id is 9, which is not in hosts",
       true},
      {"<port mac-spoofing='cluster' cluster='web' host-id='2'/>", "host_id is 2 as that of old/net0", true},
      {"<port mac-spoofing='cluster'/>", "\"cluster\" needs a cluster", true},
      {"<port mac-spoofing='yes'/>", "mac_spoofing is \"yes\"; allowed: \"off\", \"cluster\" or \"on\"",
       true},
      {"<port mac-spoofing='on' max-macs='x'/>", "max_macs must be a whole number, not the text \"x\"", true},
      {"<port dhcp-guard='1'/>", "dhcp_guard must be true or false, not the text \"1\"", false},
      {"<port mac-spoofing='on'><address>x</address></port>", "addresses holds \"x\"", false},
      {"<port mac-spoofing='on'><address>10.77.0.100</address></port>", "a VIP of cluster \"web\"", false},
      {"<port mac-spofing='off'/>", "the attribute mac-spofing is unknown", false},
      {"<port adapter='eth0'/>", "adapter is \"eth0\"; allowed: \"net0\"", false},
  };
  const auto old = domain("old", 5, "<port mac-spoofing='cluster' cluster='web' host-id='2'/>");
  for (const auto& one : cases) {
    const auto config = laid({old, domain("bad", 1, one.ports)});
    EXPECT_EQ(config.port_on("vnet5")->mac_spoofing, MacSpoofing::cluster) << one.ports;
    const auto* port = config.port_on("vnet1");
    ASSERT_NE(port, nullptr) << one.ports;
    EXPECT_EQ(port->mac_spoofing, MacSpoofing::off) << one.ports;
    EXPECT_EQ(port->refused.empty(), one.off) << one.ports << complaints_of(config);
    EXPECT_NE(complaints_of(config).find(one.says), std::string::npos) << complaints_of(config);
    EXPECT_EQ(complaints_of(config).find("libvirt domain old"), std::string::npos) << complaints_of(config);
  }
}

TEST(Guests, ThatStartedFirstKeepWhatTheyHave) {
  auto twin = domain("twin", 2, "");
  twin.replace(twin.find("00:02"), 5, "00:01");
  for (const bool twin_first : {false, true}) {
    const auto one = domain("one", 1, "");
    const auto config = laid(twin_first ? std::vector{twin, one} : std::vector{one, twin});
    EXPECT_EQ(config.port_on("vnet1")->refused.empty(), !twin_first);
    EXPECT_EQ(config.port_on("vnet2")->refused.empty(), twin_first);
  }
}

TEST(Guests, ThatAreRefusedHaveNoPolicyEvenWhereUnknownPortsAreOpen) {
  const auto config = laid({domain("bad", 1, "<port what='x'/>"), domain("db1", 2, "")});
  ClusterNumbers numbers;
  numbers.follow(config.clusters);
  const auto policy =
      compile_policy(config, {{1, "vnet1", "br0"}, {2, "vnet2", "br0"}, {3, "other", "br0"}}, numbers);
  EXPECT_FALSE(policy.ports.contains(1));
  EXPECT_TRUE(policy.ports.contains(2));
  EXPECT_TRUE(policy.ports.contains(3));  // unknown_ports = "allow"
}

// While it still runs on the other host, its frames come in by the uplink.
TEST(Guests, ThatComeFromAnotherHostAreElsewhereUntilTheyArrive) {
  auto machine = *read_libvirt_domain(domain("web1", 1, kMember));
  for (const bool incoming : {true, false}) {
    machine.adapters[0].incoming = incoming;
    const auto config = *parse_switch_config({{"f", kMain}, {}, {{"guests.d/web1.toml", machine.text()}}});
    EXPECT_EQ(config.port_on("vnet1")->incoming, incoming);
    ClusterNumbers numbers;
    numbers.follow(config.clusters);
    const auto policy = compile_policy(config, {{1, "vnet1", "br0"}}, numbers);
    EXPECT_TRUE(policy.ports.contains(1));
    EXPECT_EQ(policy.pinned.empty(), incoming);
    nlb_guard_mac_key key{};
    key.bridge = 1;
    key.vlan = NLB_GUARD_ANY_VLAN;
    const MacAddress mac{{0x52, 0x54, 0, 0, 0, 1}};
    std::copy(mac.octets.begin(), mac.octets.end(), key.mac);
    ASSERT_TRUE(policy.macs.contains(key));
    EXPECT_EQ(policy.macs.at(key).ifindex, incoming ? 0U : 1U);
  }
}

TEST(Guests, OnAnotherBridgeAreNotOurs) {
  auto elsewhere = domain("a", 1, "");
  elsewhere.replace(elsewhere.find("br0"), 3, "br9");
  EXPECT_EQ(laid({elsewhere}).port_on("vnet1"), nullptr);
  EXPECT_EQ(complaints_of(laid({elsewhere})), "");
  auto thinks_so = domain("a", 1, "<port mac-spoofing='off'/>");
  thinks_so.replace(thinks_so.find("br0"), 3, "br9");
  EXPECT_EQ(complaints_of(laid({thinks_so})),
            "libvirt domain a, <port adapter=\"net0\">: bridge br9 is not guarded; allowed: an adapter on a "
            "guarded bridge\n");
}

TEST(Guests, WhoseFileIsDamagedAreComplainedOf) {
  const auto config = parse_switch_config({{"f", kMain}, {}, {{"guests.d/a.toml", "[[port"}}});
  ASSERT_TRUE(config.has_value());
  EXPECT_NE(complaints_of(*config).find("guests.d/a.toml cannot be read"), std::string::npos);
}

class Files : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "nlb-guests-XXXXXX").string();
    root_ = mkdtemp(pattern.data());
  }
  void TearDown() override { fs::remove_all(root_); }
  void write(const std::string& path, const std::string& text) const {
    fs::create_directories(fs::path(root_ + "/" + path).parent_path());
    std::ofstream(root_ + "/" + path) << text;
  }
  std::string root_;
};

TEST_F(Files, AreKeptInTheOrderOfTheirStarts) {
  ASSERT_TRUE(keep_guest_file(root_, "b", "# b\n"));
  ASSERT_TRUE(keep_guest_file(root_, "a", "# a\n"));
  fs::last_write_time(guest_path(root_, "b"),
                      fs::last_write_time(guest_path(root_, "a")) - std::chrono::seconds(1));
  write("guests.d/.c.toml.new", "half written");
  const auto files = read_guest_files(root_);
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].text + files[1].text, "# b\n# a\n");
  ASSERT_TRUE(keep_guest_file(root_, "b", ""));
  ASSERT_TRUE(keep_guest_file(root_, "b", ""));  // gone already
  EXPECT_EQ(read_guest_files(root_).size(), 1U);
}

TEST_F(Files, OfProxmoxNameInterfacesAndMachines) {
  write("etc/pve/qemu-server/100.conf",
        "name: db1\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1,tag=7\n"
        "net1: e1000=BC:24:11:00:00:02,bridge=vmbr0\nnet2: virtio=BC:24:11:00:00:04\n"
        "[snapshot]\nname: old\nnet3: virtio=BC:24:11:00:00:03,bridge=vmbr0\n");
  write("etc/pve/qemu-server/101.conf", "name: twin\n");
  write("etc/pve/qemu-server/102.conf", "name: twin\n");
  const auto machine = read_proxmox_machine("100", root_);
  ASSERT_TRUE(machine.has_value()) << machine.error().message;
  EXPECT_EQ(
      machine->text(),
      "# Written when the machine started; gone when it ends.\n\n[[port]]\nvm = \"db1\"\nadapter = "
      "\"net0\"\ninterface = \"fwpr100p0\"\nmac = \"bc:24:11:00:00:01\"\nvlan = 7\nbridge = \"vmbr0\"\n"
      "element = \"Proxmox VM 100, net0\"\n\n[[port]]\nvm = \"db1\"\nadapter = \"net1\"\ninterface = "
      "\"tap100i1\"\nmac = \"bc:24:11:00:00:02\"\nbridge = \"vmbr0\"\nelement = \"Proxmox VM 100, net1\"\n");
  EXPECT_EQ(read_proxmox_machine("101", root_)->name, "101");  // a name that two have names neither
  EXPECT_FALSE(read_proxmox_machine("103", root_).has_value());
  EXPECT_FALSE(read_proxmox_machine("../100", root_).has_value());
}

TEST_F(Files, DefineMachinesThatDoNotRun) {
  write("etc/libvirt/qemu/web1.xml", recorded("prepare"));
  write("etc/libvirt/qemu/other.xml", recorded("prepare"));
  write("etc/pve/qemu-server/100.conf", "name: db1\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\n");
  EXPECT_EQ(defined_machine("web1", root_)->adapters.size(), 1U);
  EXPECT_EQ(defined_machine("db1", root_)->adapters.size(), 1U);
  for (const char* nobody : {"other", "nobody", "../web1", ""})
    EXPECT_FALSE(defined_machine(nobody, root_).has_value()) << nobody;
}

}  // namespace
}  // namespace nlb::vmswitch
