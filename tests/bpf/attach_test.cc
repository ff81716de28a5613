// SPDX-License-Identifier: Apache-2.0
// Attach, repair, adopt, upgrade, on a veth pair. The peer's frames reach a real TCP service behind the
// filter.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "datapath/file_descriptor.hh"
#include "datapath/filter_model.hh"
#include "datapath/hooks.hh"
#include "harness.hh"

namespace nlb::test {
namespace {

bool shell(const std::string& command) {
  return std::system((command + " >/dev/null 2>&1").c_str()) == 0;
}

FilterConfig cluster() {
  FilterConfig config = example_config();
  config.vips = {IpAddress::v4(ip("10.9.0.10"))};
  config.rules.resize(1);  // port 80
  config.dedicated_ip = IpAddress::v4(ip("10.9.0.1"));
  config.adapter_mac = mac("52:54:00:09:00:01");
  config.cluster_mac = mac("02:bf:0a:09:00:0a");
  config.masked_mac = mac("02:01:0a:09:00:0a");
  return config;
}

class Attach : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(fresh_network());
    ASSERT_TRUE(shell(
        "ip netns del nlb-t-peer; ip netns add nlb-t-peer && ip link add nlbt0 type veth peer name peer0 "
        "netns nlb-t-peer && "
        "ip link set nlbt0 address 52:54:00:09:00:01 && ip address add 10.9.0.1/24 dev nlbt0 && ip link set "
        "nlbt0 promisc on up && "
        "ip address add 10.9.0.10/32 dev nlbt0 && ip -n nlb-t-peer address add 10.9.0.99/24 dev peer0 && "
        "ip -n nlb-t-peer link set peer0 up"));
  }
  void TearDown() override {
    static_cast<void>(Datapath::remove(options()));
    shell("ip netns del nlb-t-peer; ip link del nlbt0");
  }
  static DatapathOptions options(DatapathKind at_most = DatapathKind::xdp_native) {
    return {"nlbt0", "/sys/fs/bpf/nlb-attach-test", at_most};
  }
  static std::unique_ptr<Datapath> attached(DatapathKind at_most = DatapathKind::xdp_native) {
    auto made = Datapath::attach(options(at_most));
    EXPECT_TRUE(made) << (made ? "" : made.error().message);
    return made ? std::move(*made) : nullptr;
  }
  static std::vector<uint32_t> programs_of_the_interface() {
    const auto hooks = Hooks::of("nlbt0", OwnPrograms("/sys/fs/bpf/nlb-attach-test"));
    return hooks ? hooks->our_programs() : std::vector<uint32_t>{};
  }
  static void open(Datapath& datapath, BucketState state = BucketState::owned) {
    ASSERT_TRUE(datapath.configure(cluster()));
    SlotStates states;
    states.fill(state);
    for (std::size_t slot = 0; slot < kMaxSlots; ++slot) datapath.set_buckets(slot, states);
    datapath.set_lease(boot_now() + 600 * kSecond);
  }
  // The peer resolves the VIP by ARP and connects.
  static bool peer_connects() {
    FileDescriptor service(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const int one = 1;
    setsockopt(service.get(), SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_port = htons(80);
    EXPECT_EQ(bind(service.get(), reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    EXPECT_EQ(listen(service.get(), 4), 0);
    return shell(
        "ip -n nlb-t-peer neigh flush all; ip netns exec nlb-t-peer timeout 1 bash -c 'exec "
        "3<>/dev/tcp/10.9.0.10/80'");
  }
  static bool peer_knows(const char* lladdr) {
    return shell(std::string("ip -n nlb-t-peer neigh show 10.9.0.10 | grep -q ") + lladdr);
  }
  static uint64_t packets(const Datapath& datapath, const std::string& name) {
    for (const Counter& counter : datapath.counters()) {
      if (counter.name == name) return counter.packets;
    }
    return 0;
  }
};

class AttachKinds : public Attach, public testing::WithParamInterface<DatapathKind> {};

TEST_P(AttachKinds, serves_a_connection_to_the_cluster_mac) {
  auto datapath = attached(GetParam());
  ASSERT_NE(datapath, nullptr);
  EXPECT_EQ(datapath->attached_kind(), GetParam());
  EXPECT_FALSE(datapath->adopted());
  open(*datapath);
  EXPECT_TRUE(peer_connects()) << "TCP drops frames that were not typed HOST";
  EXPECT_TRUE(peer_knows("02:bf:0a:09:00:0a"));
  EXPECT_GE(packets(*datapath, "arp_answered"), 1U);
  EXPECT_GE(packets(*datapath, "owned"), 2U);
}

TEST_P(AttachKinds, is_silent_for_foreign_buckets_and_past_the_lease) {
  auto datapath = attached(GetParam());
  ASSERT_NE(datapath, nullptr);
  open(*datapath, BucketState::foreign);
  EXPECT_FALSE(peer_connects());
  EXPECT_GE(packets(*datapath, "foreign"), 1U);
  open(*datapath);
  datapath->set_lease(boot_now());
  EXPECT_FALSE(peer_connects());
  EXPECT_GE(packets(*datapath, "no_lease"), 1U);
}

INSTANTIATE_TEST_SUITE_P(all, AttachKinds,
                         testing::Values(DatapathKind::tc, DatapathKind::xdp_generic,
                                         DatapathKind::xdp_native),
                         [](const auto& one) {
                           return one.param == DatapathKind::tc            ? "tc"
                                  : one.param == DatapathKind::xdp_generic ? "generic"
                                                                           : "native";
                         });

TEST_F(Attach, programs_stay_and_the_next_daemon_adopts_what_it_finds) {
  SlotStates states{};
  states[7] = BucketState::owned_checked;
  auto first = attached();
  open(*first);
  first->set_buckets(0, states);
  const Nanos lease = first->lease();
  first.reset();  // as good as killed: nothing is done on the way out
  auto second = attached();
  EXPECT_TRUE(second->adopted());
  EXPECT_EQ(second->buckets(0), states);
  EXPECT_EQ(second->lease(), lease);
  EXPECT_EQ(second->attached_kind(), DatapathKind::xdp_native);
}

// From each kind to each other one, and a client is served throughout.
TEST_F(Attach, another_kind_may_be_allowed_at_run_time) {
  using enum DatapathKind;
  auto datapath = attached(tc);
  open(*datapath);
  for (const auto kind : {xdp_native, tc, xdp_generic, xdp_native, xdp_generic, tc}) {
    datapath->allow(kind);
    EXPECT_EQ(datapath->attached_kind(), kind);
    EXPECT_TRUE(datapath->repair()->empty()) << "nobody took anything off";
    EXPECT_TRUE(peer_connects());
  }
}

TEST_F(Attach, the_next_daemon_attaches_what_it_is_allowed) {
  auto native = attached();
  open(*native);
  native.reset();
  auto tc_alone = attached(DatapathKind::tc);
  EXPECT_TRUE(tc_alone->adopted());
  EXPECT_EQ(tc_alone->attached_kind(), DatapathKind::tc);
  EXPECT_TRUE(peer_connects());
}

// Programs of the same object files with the same maps are the same: nothing is loaded.
TEST_F(Attach, the_same_programs_are_taken_over_as_they_are) {
  auto first = attached();
  open(*first);
  const auto before = programs_of_the_interface();
  ASSERT_EQ(before.size(), 3U);
  first.reset();
  auto second = attached();
  EXPECT_EQ(programs_of_the_interface(), before);
  EXPECT_TRUE(peer_connects());
  EXPECT_TRUE(second->live_connections()) << "the socket iterator too";
  ASSERT_TRUE(shell("tc qdisc del dev nlbt0 clsact; ip link set dev nlbt0 xdp off"));
  EXPECT_EQ(second->repair()->size(), 3U);
  EXPECT_EQ(programs_of_the_interface(), before);
}

TEST_F(Attach, programs_of_another_build_are_replaced) {
  auto first = attached();
  open(*first);
  const auto before = programs_of_the_interface();
  first.reset();
  ASSERT_TRUE(
      shell("cd /sys/fs/bpf/nlb-attach-test && set -- program_* && [ $# = 4 ] && "
            "mv $1 ${1%_*}_0123456789abcdef"));
  auto second = attached();
  EXPECT_TRUE(second->adopted());
  for (const uint32_t id : programs_of_the_interface())
    EXPECT_EQ(std::count(before.begin(), before.end(), id), 0) << "the former program " << id << " goes on";
  EXPECT_TRUE(peer_connects());
  EXPECT_TRUE(shell("set -- /sys/fs/bpf/nlb-attach-test/program_*; [ $# = 4 ]")) << "former pins are gone";
}

// The same code on other maps would judge by other buckets.
TEST_F(Attach, an_identity_is_of_the_code_and_its_maps) {
  const auto first = Programs::load({});
  ASSERT_TRUE(first);
  const auto again = Programs::load((*first)->maps()), others = Programs::load({});
  ASSERT_TRUE(again && others);
  const auto pins = (*first)->pins(), same = (*again)->pins(), different = (*others)->pins();
  for (std::size_t i = 0; i < pins.size(); ++i) {
    EXPECT_EQ(pins[i].identity.size(), 16U);
    EXPECT_EQ(pins[i].identity, same[i].identity);
    EXPECT_NE(pins[i].identity, different[i].identity);
    EXPECT_NE(pins[i].identity, pins[(i + 1) % pins.size()].identity);
  }
}

TEST_F(Attach, a_killed_daemon_leaves_a_filter_that_serves) {
  const pid_t daemon = fork();
  if (daemon == 0) {
    auto datapath = attached();
    open(*datapath);
    raise(SIGKILL);
  }
  waitpid(daemon, nullptr, 0);
  EXPECT_TRUE(peer_connects());
  EXPECT_TRUE(attached()->adopted());
}

TEST_F(Attach, without_pins_maps_are_found_through_the_programs) {
  auto first = attached();
  open(*first);
  first.reset();
  shell("rm -r /sys/fs/bpf/nlb-attach-test");
  auto second = attached();
  EXPECT_TRUE(second->adopted());
  EXPECT_NE(second->lease(), 0);
}

TEST_F(Attach, repair_names_and_mends_what_was_taken_off) {
  auto datapath = attached();
  open(*datapath);
  EXPECT_TRUE(datapath->repair()->empty());
  ASSERT_TRUE(shell("tc qdisc del dev nlbt0 clsact"));
  EXPECT_EQ(datapath->attached_kind(), DatapathKind::none);
  EXPECT_EQ(*datapath->repair(), (std::vector<std::string>{"tc ingress", "tc egress"}));
  ASSERT_TRUE(shell("ip link set dev nlbt0 xdp off"));
  EXPECT_EQ(datapath->attached_kind(), DatapathKind::tc);
  EXPECT_EQ(*datapath->repair(), (std::vector<std::string>{"xdp"}));
  EXPECT_EQ(datapath->attached_kind(), DatapathKind::xdp_native);
}

TEST_F(Attach, remove_leaves_the_interface_as_it_was_found) {
  attached().reset();
  ASSERT_TRUE(Datapath::remove(options()));
  EXPECT_FALSE(shell("tc qdisc show dev nlbt0 | grep -q clsact"));
  EXPECT_FALSE(shell("ip link show nlbt0 | grep -q xdp"));
  EXPECT_FALSE(shell("test -e /sys/fs/bpf/nlb-attach-test"));
  EXPECT_TRUE(Datapath::remove(options())) << "twice is fine";
}

TEST_F(Attach, an_ingress_qdisc_in_the_way_is_named) {
  ASSERT_TRUE(shell("tc qdisc add dev nlbt0 ingress"));
  const auto refused = Datapath::attach(options());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("ingress"), std::string::npos) << refused.error().message;
}

TEST_F(Attach, a_foreign_xdp_program_is_not_displaced) {
  ASSERT_TRUE(shell("ip link set dev nlbt0 xdp obj " NLB_FOREIGN_XDP " sec xdp"));
  auto datapath = attached();
  EXPECT_EQ(datapath->attached_kind(), DatapathKind::tc);
  EXPECT_TRUE(shell("ip -d link show nlbt0 | grep -q xdp"));
}

// Behind generic XDP, whoever attached it, tc sees frames that begin at the IP header: every one is judged.
TEST_F(Attach, tc_judges_every_frame_behind_somebody_elses_generic_xdp) {
  ASSERT_TRUE(shell("ip link set dev nlbt0 xdpgeneric obj " NLB_FOREIGN_XDP " sec xdp.frags"));
  auto datapath = attached();
  EXPECT_EQ(datapath->attached_kind(), DatapathKind::tc);
  open(*datapath);
  EXPECT_TRUE(peer_connects());
  EXPECT_TRUE(peer_knows("02:bf:0a:09:00:0a"));
  const uint64_t owned = packets(*datapath, "owned"), passed = packets(*datapath, "passed");
  open(*datapath, BucketState::foreign);
  EXPECT_FALSE(peer_connects());
  EXPECT_EQ(packets(*datapath, "owned"), owned);
  EXPECT_LE(packets(*datapath, "passed"), passed + 8) << "frames went by unjudged";
}

TEST_F(Attach, another_abi_version_is_replaced_when_the_new_maps_are_filled) {
  ASSERT_TRUE(shell(NLB_NEXT_TOOL " nlbt0")) << "a daemon of version 99 attached, configured and left";
  auto datapath = attached();
  ASSERT_NE(datapath, nullptr);
  EXPECT_FALSE(datapath->adopted());
  EXPECT_EQ(datapath->lease(), 0);
  EXPECT_EQ(datapath->buckets(0)[0], BucketState::foreign_checked);
  EXPECT_TRUE(peer_connects()) << "until then the old programs go on with their lease";
  ASSERT_TRUE(datapath->configure(cluster()));
  EXPECT_FALSE(peer_connects()) << "closed: no new flow";
  open(*datapath);
  EXPECT_TRUE(peer_connects());
}

}  // namespace
}  // namespace nlb::test
